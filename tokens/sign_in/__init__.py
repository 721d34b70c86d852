"""How people sign in: the throttle before a password is tried, second factors, single sign-on, and the log lines."""
