"""What the overview shows: problems that need a person, and how syncs and refreshes went."""
