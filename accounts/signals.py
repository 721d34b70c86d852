"""What the syncs tell those they need not know."""

from django.dispatch import Signal

# Sent inside the transaction that closes a run, with `run_id`.
sync_ended = Signal()
