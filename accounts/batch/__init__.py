"""Batches: one operation on many accounts or connections, stored with one item for each, done by a worker."""

from accounts.batch.ending import cancel_batch
from accounts.batch.start import retry_batch, start_batch, start_batch_of
from accounts.batch.undo import undo_batch

__all__ = ["cancel_batch", "retry_batch", "start_batch", "start_batch_of", "undo_batch"]
