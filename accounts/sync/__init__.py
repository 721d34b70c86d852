"""Keeping the stored accounts of a connection equal to what Amazon shows."""

from accounts.sync.foreground import sync_now
from accounts.sync.requests import request_sync
from accounts.sync.run import sync_connection

__all__ = ["request_sync", "sync_connection", "sync_now"]
