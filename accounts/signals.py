"""Signals of a sync, for code that the sync itself must not import."""

from django.dispatch import Signal

# Sent after a run has stored accounts: `run_id`, and the staged rows by `listing`, `after` and `up_to`. `refused` are the
# ids of those that could not be stored.
accounts_stored = Signal()
# Sent inside the transaction that closes a run, with `run_id`.
sync_ended = Signal()
