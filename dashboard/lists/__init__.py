"""How the lists of the pages are shown: columns, places, chosen filters and their choices."""
