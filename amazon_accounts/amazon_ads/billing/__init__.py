"""How Amazon is asked about billing: which pairs go into one request, and in which form."""
