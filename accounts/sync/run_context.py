"""What the storing modules share during one run: its claim, progress, parameters and transactions."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from django.db.backends.utils import CursorWrapper

from accounts.models import Account
from accounts.sync.claims import RunClaim
from accounts.sync.coverage import Coverage
from accounts.sync.fences import fence_run, hold_run
from accounts.sync.listing import Outcome
from amazon_accounts.postgresql.statements import load

# The mark is a row that is staged before all others, under the number of a listing that does not exist.
MARK_LISTING: Final = -1

# When two sources show one account, the data of the earlier source in this list is stored.
SOURCE_PRECEDENCE: Final = [
    str(source)
    for source in (
        Account.Source.ADS_ACCOUNTS,
        Account.Source.PROFILES,
        Account.Source.DSP_ADVERTISERS,
        Account.Source.MANAGER_ACCOUNTS,
    )
]

# An ads account that the list misses stays for this number of readings while its profiles are shown.
MAX_HELD_READINGS: Final = 2

# PostgreSQL's planner misjudges the sizes of the staging tables, which are filled and emptied all day, and
# picks nested loops for ten thousand rows. Therefore, statements read staged rows through functions that
# declare a number of rows, and PLAN_BY_HASH joins the rows of a whole run by hash. PLAN_BY_INDEX looks up
# rows of large tables by index, one after the other; LATERAL with OFFSET forces the planner to do so.
# Compiling a statement (jit) would take longer than it saves.
PLAN_BY_HASH: Final = "SET LOCAL work_mem = '32MB'; SET LOCAL jit = off; SET LOCAL enable_nestloop = off"
PLAN_BY_INDEX: Final = (
    "SET LOCAL work_mem = '32MB'; SET LOCAL jit = off; SET LOCAL enable_nestloop = on;"
    " SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_mergejoin = off"
)
IS_MARKED: Final = load(__file__, "is_staging_marked")


class StagingLostError(Exception):
    """The database crashed, and the staged rows of the run are lost."""


class RunContext:
    """The claim, the coverage, the SQL parameters and the transactions of one run. Not thread-safe."""

    def __init__(self, claim: RunClaim, coverage: Coverage) -> None:
        self.claim = claim
        self.coverage = coverage
        # The scopes whose lists were read to their end; empty until all lists have been read.
        self.complete_scopes: list[str] = []
        self.is_marked = False
        self.has_profiles_without_entity = False
        # The number of stored ads accounts that only their profiles show.
        self.held_accounts = 0
        # Whether merges may find profile-only accounts to adopt; None until it is looked up.
        self.may_adopt: bool | None = None

    @contextmanager
    def open_staging(self) -> Iterator[CursorWrapper]:
        """Open a transaction that stages rows from staged rows. Raises RunLostError and StagingLostError."""
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
        return {
            "run": self.claim.run_id,
            "started_at": self.claim.started_at,
            "connection": self.claim.connection_id,
            "client": self.claim.client_id,
            "team": self.claim.team_id,
            "user": self.claim.owner_id,
            "complete_regions": self._complete_regions(Account.Source.PROFILES),
            "complete_manager_regions": self._complete_regions(Account.Source.MANAGER_ACCOUNTS),
            "complete_scopes": self.complete_scopes,
            # An incomplete list of ads accounts may miss the account that names a profile.
            "list_is_complete": self.coverage.ads_accounts.proves_absence,
            "precedence": SOURCE_PRECEDENCE,
            "max_held_readings": MAX_HELD_READINGS,
            "doubtful_regions": self._doubtful_regions(),
            **more,
        }

    def _complete_regions(self, source: Account.Source) -> list[str]:
        return [listing.region for listing in self.coverage.listings_of(source) if listing.proves_absence]

    def _doubtful_regions(self) -> list[str]:
        # A region that Amazon refuses to this login has been answered.
        return [
            listing.region
            for listing in self.coverage.listings_of(Account.Source.PROFILES)
            if not listing.proves_absence and listing.outcome != Outcome.FORBIDDEN
        ]

    def _check_mark(self, cursor: CursorWrapper) -> None:
        # A crash empties the unlogged tables, so the mark disappears with all rows that were staged after it.
        cursor.execute(IS_MARKED, {"run": self.claim.run_id, "listing": MARK_LISTING})
        if cursor.fetchone() != (self.is_marked,):
            raise StagingLostError
