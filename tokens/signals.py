"""Signals about connections, for other apps."""

from django.dispatch import Signal

# Sent inside the transaction that makes the change, with `connection` and `change`: "connected" (a new one),
# "healed" (reconnected in place), "broken" (Amazon refuses the login) or "disconnected" (here, tokens erased).
connection_changed = Signal()
