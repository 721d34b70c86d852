"""What the lines of the log look like, and which request and which task each of them belongs to."""
