"""How people sign in: the throttle before a password is tried, second factors, the password reset, and the log lines."""
