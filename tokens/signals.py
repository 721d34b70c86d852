"""Signals about connections, for other apps."""

from django.dispatch import Signal

# Sent inside the transaction that makes the change, with `connection` and `change`: "connected" (a new one),
# "healed" (reconnected in place), "broken" (Amazon refuses the login), "disconnected" (here, tokens erased), "forgotten"
# (here, names erased) or "regions" (other regions are read; with `user`, who changed them).
connection_changed = Signal()
