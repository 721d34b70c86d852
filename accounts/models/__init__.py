"""What we know of ad accounts."""

from accounts.models.account import Account, AccountAccess, AccountManager, Profile, Standing
from accounts.models.availability import Availability
from accounts.models.batch import AnyItem, BatchItem, BatchOperation, ConnectionBatchItem
from accounts.models.changes import AccountChange
from accounts.models.health import HealthReason
from accounts.models.note import Note
from accounts.models.search import AccountSearch
from accounts.models.sync import SyncRun

__all__ = [
    "Account",
    "AccountAccess",
    "AccountChange",
    "AccountManager",
    "AccountSearch",
    "AnyItem",
    "Availability",
    "BatchItem",
    "BatchOperation",
    "ConnectionBatchItem",
    "HealthReason",
    "Note",
    "Profile",
    "Standing",
    "SyncRun",
]
