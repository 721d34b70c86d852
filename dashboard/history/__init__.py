"""What the history shows: events of four kinds in one timeline."""
