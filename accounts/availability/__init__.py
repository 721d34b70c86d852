"""The figure to promise: in which minutes of a month a connection had a valid token and accounts that were up to date."""
