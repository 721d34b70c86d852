"""Connecting and disconnecting Amazon logins: OAuth, grants, consents."""
