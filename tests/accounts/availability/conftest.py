"""Connections of the sandbox's logins, and the real client."""

from tests.accounts.sync.conftest import amazon, connect, owner, quick_amazon

__all__ = ["amazon", "connect", "owner", "quick_amazon"]
