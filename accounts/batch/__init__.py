"""Batches: one operation on many accounts, stored with one item for each account, done by a worker."""

from accounts.batch.ending import cancel_batch
from accounts.batch.start import retry_batch, start_batch

__all__ = ["cancel_batch", "retry_batch", "start_batch"]
