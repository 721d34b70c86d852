"""Talking to Amazon: hosts, the client, Login with Amazon, the shared pace, errors.

It knows HTTP, Amazon and pacing, and none of our other models: a caller gives it a source of tokens and an
opaque `subject`, the name under which its calls are paced.
"""
