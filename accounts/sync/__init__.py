"""Keeping the stored accounts of a connection equal to what Amazon shows."""

from accounts.sync.run import sync_connection, sync_now
from accounts.sync.tasks import queue_sync, request_sync

__all__ = ["queue_sync", "request_sync", "sync_connection", "sync_now"]
