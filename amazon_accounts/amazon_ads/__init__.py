"""Talking to Amazon: hosts, the client, Login with Amazon, the shared pace, errors.

It knows HTTP, Amazon and pacing, and no model of another package. A caller passes a source of tokens and a `subject`,
an opaque name for the login that the rate limiter uses.
"""
