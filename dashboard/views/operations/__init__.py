"""The pages of operations on many accounts: ask and start, the list, one operation, its results."""
