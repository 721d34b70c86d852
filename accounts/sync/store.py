"""What the modules that store share about one run: its claim, what it has read, and its transactions."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from django.db.backends.utils import CursorWrapper

from accounts.models import Account
from accounts.sync.claims import RunClaim
from accounts.sync.coverage import Coverage
from accounts.sync.fences import fence_run, hold_run
from amazon_accounts.postgresql.statements import load

# The number of a listing that does not exist: under it the mark is staged.
MARK_LISTING: Final = -1

# The source whose data is stored when two sources show one account: the first of these.
WEIGHTS: Final = [
    str(source)
    for source in (
        Account.Source.ADS_ACCOUNTS,
        Account.Source.PROFILES,
        Account.Source.DSP_ADVERTISERS,
        Account.Source.MANAGER_ACCOUNTS,
    )
]

# The planner has no true statistics of the staging tables, which are filled and emptied all day. It would take ten
# thousand rows for a few and join them with ten thousand others one by one. So a chunk comes out of a function that
# states its size; what concerns a whole run is joined by hashing; and large tables are looked up row by row, through
# a LATERAL with OFFSET, which leaves the planner no other way. No statement runs long enough to be worth compiling.
PLAN_BY_HASH: Final = "SET LOCAL work_mem = '32MB'; SET LOCAL jit = off; SET LOCAL enable_nestloop = off"
PLAN_BY_INDEX: Final = (
    "SET LOCAL work_mem = '32MB'; SET LOCAL jit = off; SET LOCAL enable_nestloop = on;"
    " SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_mergejoin = off"
)
IS_MARKED: Final = load(__file__, "is_staging_marked")


class StagingLostError(Exception):
    """The database crashed, so the rows that the run had staged are lost."""


class Store:
    """The state of one run's writing. One thread at a time may use it."""

    def __init__(self, claim: RunClaim, coverage: Coverage) -> None:
        self.claim = claim
        self.coverage = coverage
        # The scopes whose lists were read to their end. Empty until all lists were read.
        self.complete_scopes: list[str] = []
        self.is_marked = False
        self.has_profiles_without_entity = False
        # None until it was looked up.
        self.may_adopt: bool | None = None

    @contextmanager
    def open_staging(self) -> Iterator[CursorWrapper]:
        """Open a transaction that stages rows made of staged rows. Raises RunLostError and StagingLostError."""
        with hold_run(self.claim) as cursor:
            self._check_mark(cursor)
            cursor.execute(PLAN_BY_HASH)
            yield cursor

    @contextmanager
    def open_accounts(self) -> Iterator[CursorWrapper]:
        """Open a transaction that changes accounts. Raises RunLostError and StagingLostError."""
        with fence_run(self.claim) as cursor:
            self._check_mark(cursor)
            cursor.execute(PLAN_BY_INDEX)
            yield cursor

    def parameters(self, **more: Any) -> Mapping[str, Any]:
        """Return the parameters that the statements of a sync share."""
        return {
            "run": self.claim.run_id,
            "started_at": self.claim.started_at,
            "connection": self.claim.connection_id,
            "client": self.claim.client_id,
            "user": self.claim.owner_id,
            "complete_regions": self._complete_regions(Account.Source.PROFILES),
            "complete_manager_regions": self._complete_regions(Account.Source.MANAGER_ACCOUNTS),
            "complete_scopes": self.complete_scopes,
            "weights": WEIGHTS,
            **more,
        }

    def _complete_regions(self, source: Account.Source) -> list[str]:
        return [listing.region for listing in self.coverage.listings_of(source) if listing.proves_absence]

    def _check_mark(self, cursor: CursorWrapper) -> None:
        # After a crash the unlogged tables are empty, so the mark is gone with the rows that were staged after it.
        cursor.execute(IS_MARKED, {"run": self.claim.run_id, "listing": MARK_LISTING})
        if cursor.fetchone() != (self.is_marked,):
            raise StagingLostError
