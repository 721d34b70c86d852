"""Signals of a sync, for code that the sync itself must not import."""

from django.dispatch import Signal

# Sent inside the transaction that closes a run, with `run_id`.
sync_ended = Signal()
