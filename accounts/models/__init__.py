"""What we know of ad accounts."""

from accounts.models.account import Account, AccountAccess, AccountManager, Profile
from accounts.models.changes import AccountChange
from accounts.models.sync import SyncRun

__all__ = ["Account", "AccountAccess", "AccountChange", "AccountManager", "Profile", "SyncRun"]
