"""Storing what Amazon shows: staged as it comes, then merged by statements that touch only what differs.

A page is copied into an unlogged table, under the run. Every thousand rows, one statement compares them with what is
stored and writes what is new or different, accounts, profiles and access rows alike. A row that is the same is
neither written nor locked: comparing reads it, no more. (ON CONFLICT DO UPDATE would lock every row it meets, and
write a kilobyte of WAL for each.)

Three rules hold for every statement that changes accounts:

  fence   First it makes sure that the run is still ours and that its connection is neither disconnected nor
          reconnected, and holds both so until it commits.
  order   Connection, run, then one merge at a time for each person (an advisory lock), rows sorted by key. Two
          logins of one person see the same accounts; so they can neither collide nor deadlock.
  owner   An account's data comes from its own connection. Another login that sees it only says so in an access
          row, and takes over when that connection is not live or does not see the account any more.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from operator import attrgetter
from typing import Any, Final, TypeVar
from uuid import UUID

from django.db import DataError, IntegrityError, OperationalError, transaction
from django.db import connection as database
from django.db.backends.utils import CursorWrapper

from accounts.models import Account
from accounts.sync.claims import RunClaim, RunLostError
from accounts.sync.listing import Listing
from accounts.sync.rows import MOST_ID_BYTES, StagedAccount, StagedProfile
from accounts.update import MOST_LABELS
from amazon_accounts.amazon_ads.answers import Rejected
from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.postgresql.statements import load

CHUNK: Final = 1000
MOST_TRIES: Final = 3
# The number of no walk: see Store._mark.
MARK: Final = -1
# Any number of our own: it keeps our advisory locks apart from others'.
LOCK_CLASS: Final = 20260

Result = TypeVar("Result")


class StagingLost(Exception):  # noqa: N818 - it reads as the state it reports
    """The database lost what was staged: it crashed and is back."""


@dataclass(frozen=True)
class Merged:
    """What became of some staged rows."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: tuple[Rejected, ...] = ()

    def __add__(self, other: "Merged") -> "Merged":
        return Merged(
            self.created + other.created,
            self.changed + other.changed,
            self.unchanged + other.unchanged,
            self.rejected + other.rejected,
        )


# --- Staging ----------------------------------------------------------------------------------------------


@contextmanager
def held(claim: RunClaim) -> Iterator[CursorWrapper]:
    """A transaction in which the run is ours. RunLostError otherwise: what was staged then, nobody would clear away."""
    with transaction.atomic(), database.cursor() as cursor:
        # What is unlogged does not outlive a crash anyway.
        _hold_run(cursor, claim, "set_config('synchronous_commit', 'off', true)")
        yield cursor


def _hold_run(cursor: CursorWrapper, claim: RunClaim, setting: str) -> None:
    cursor.execute(
        f"SELECT {setting} FROM accounts_syncrun WHERE id = %s AND state = 'running' AND started_at = %s FOR SHARE",  # noqa: S608
        [claim.run_id, claim.started_at],
    )
    if cursor.fetchone() is None:
        raise RunLostError


ACCOUNT_COLUMNS: Final = (
    "amazon_account_id",
    "new_id",
    "source",
    "seen_in",
    "name",
    "account_type",
    "status",
    "amazon_status",
    "countries",
    "errors",
    "metadata",
    "profile_ids",
    "profile_countries",
    "profile_regions",
    "profile_entities",
    "links",
    "cut_regions",
)
PROFILE_COLUMNS: Final = (
    "profile_id",
    "new_account_id",
    "region",
    "country_code",
    "marketplace_id",
    "currency_code",
    "timezone",
    "type",
    "subtype",
    "name",
    "entity_id",
    "access_level",
    "valid_payment_method",
    "daily_budget",
    "raw",
)


def _account_values(account: StagedAccount) -> tuple[Any, ...]:
    return (
        account.amazon_account_id,
        account.new_id,
        account.source.value,
        _array(account.seen_in),
        account.name,
        account.account_type and account.account_type.value,
        account.status.value,
        account.amazon_status,
        _array(account.countries),
        account.errors,
        account.metadata,
        _array(account.profile_ids),
        _array(account.profile_countries),
        _array(account.profile_regions),
        _array(account.profile_entities),
        account.links,
        None if account.cut_regions is None else _array(account.cut_regions),
    )


_profile_values = attrgetter(*PROFILE_COLUMNS)


def _array(values: Sequence[str]) -> str:
    """An array of texts as PostgreSQL writes it: several times faster than the driver's own way."""
    if not values:
        return "{}"
    text = "".join(values)
    if '"' in text or "\\" in text:
        values = [value.replace("\\", "\\\\").replace('"', '\\"') for value in values]
    return '{"' + '","'.join(values) + '"}'


def _copy(
    claim: RunClaim, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> list[tuple[int, str]]:
    """Copy the rows; return the places of those that the database refuses, each with its reason.

    COPY takes all or nothing, so what it refuses is halved until the guilty row stands alone.
    """
    if not rows:
        return []
    try:
        with held(claim) as cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    except (DataError, OperationalError) as error:
        if not _is_about_data(error):
            raise
        if len(rows) == 1:
            return [(0, _reason(error))]
        half = len(rows) // 2
        behind = _copy(claim, table, columns, rows[half:])
        before = _copy(claim, table, columns, rows[:half])
        return before + [(half + index, reason) for index, reason in behind]
    return []


def _is_about_data(error: Exception) -> bool:
    """Whether one row is to blame: a value that does not fit (22, 23) or passes a limit (54)."""
    return _sqlstate(error)[:2] in {"22", "23", "54"}


def _sqlstate(error: Exception) -> str:
    return getattr(error.__cause__, "sqlstate", None) or ""


def _reason(error: Exception) -> str:
    """What the database says, without the values that its details would quote."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return f"The database refused it: {getattr(diagnosis, 'message_primary', None) or 'no reason given'}."


# --- Merging ----------------------------------------------------------------------------------------------


@contextmanager
def fenced(claim: RunClaim) -> Iterator[CursorWrapper]:
    """A transaction in which the run is ours and its connection the one we asked Amazon as. RunLostError otherwise."""
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM tokens_connection"
            " WHERE id = %s AND grant_version = %s AND state <> 'disconnected' FOR SHARE",
            [claim.connection_id, claim.grant_version],
        )
        if cursor.fetchone() is None:
            raise RunLostError
        # The triggers that write down changes ask which run makes them.
        _hold_run(cursor, claim, "set_config('amazon_accounts.sync_run', id::text, true)")
        lock_person(cursor, claim.owner_id)
        yield cursor


def lock_person(cursor: CursorWrapper, user_id: int) -> None:
    """One at a time, until the transaction ends, of all that rewrite this person's accounts."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_CLASS, user_id])


ADOPT: Final = load(__file__, "adopt_profile_only_accounts")
SEES_LONE: Final = load(__file__, "sees_profile_only_accounts")
MERGE: Final = load(__file__, "merge_accounts")
STAGE_PROFILE_ACCOUNTS: Final = load(__file__, "stage_profile_only_accounts")
NAMELESS_PROFILES: Final = load(__file__, "find_profiles_without_entity")
STAGE_MANAGER_ACCOUNTS: Final = load(__file__, "stage_manager_accounts")
MERGE_LINKS: Final = load(__file__, "merge_manager_links")
COUNT_ACCOUNTS: Final = load(__file__, "count_accounts")
TAKE_AWAY: Final = load(__file__, "remove_access")
SEEN_AGAIN: Final = load(__file__, "clear_missing_marks")
REPARENT: Final = load(__file__, "reassign_parents")
HAND_OVER: Final = load(__file__, "hand_over_unseen_accounts")
INHERIT_LABELS: Final = load(__file__, "inherit_labels")
HAND_OVER_TO_LIVE: Final = load(__file__, "hand_over_to_live_connections")
# Which list tells when two show the same account.
WEIGHTS: Final = [
    str(source)
    for source in (
        Account.Source.ADS_ACCOUNTS,
        Account.Source.PROFILES,
        Account.Source.DSP_ADVERTISERS,
        Account.Source.MANAGER_ACCOUNTS,
    )
]


@dataclass(frozen=True)
class Taken:
    """What a run took away, by list: access rows that went, and those that wait for a second walk to agree.

    `heirs` are the connections to which accounts went that this one does not see any more.
    """

    gone: Mapping[str, int]
    unconfirmed: Mapping[str, int]
    heirs: Sequence[UUID]


# How the planner is helped. It knows nothing true of the staging tables, which are filled and emptied all day, and
# would join ten thousand rows with ten thousand others one by one, taking them for a few. So a chunk comes out of a
# function that says how large it is; what concerns a whole run is joined by hashing; and tables that may be large are
# looked up row by row: a LATERAL with OFFSET leaves no other way, and with one key alone in it, no other index. (Of a
# table that has just been filled the planner knows as little.) Nothing of ours is worth compiling.
PLANNED: Final = "SET LOCAL work_mem = '32MB'; SET LOCAL jit = off; SET LOCAL enable_nestloop = off"
PLANNED_BY_INDEX: Final = (
    "SET LOCAL work_mem = '32MB'; SET LOCAL jit = off; SET LOCAL enable_nestloop = on;"
    " SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_mergejoin = off"
)


class Store:
    """The stored picture of one connection, as one run rewrites it."""

    def __init__(self, claim: RunClaim) -> None:
        self.claim = claim
        # Where the absence of a profile, or of what a manager account had to say, means that it is not there.
        self.complete_regions: list[str] = []
        self.complete_manager_regions: list[str] = []
        # Lists walked to their end, as access rows remember them.
        self.walked: list[str] = []
        self._is_marked = False
        self._has_nameless = False
        self._may_adopt: bool | None = None

    def stage_accounts(
        self, walk: Listing, accounts: Sequence[StagedAccount], *, to_combine: bool = False
    ) -> list[Rejected]:
        """Stage accounts in the order they came; return those that the database does not take.

        `to_combine`: they are parts of accounts, which `stage_manager_accounts` puts together.
        """
        positions = count(-len(accounts)) if to_combine else count(walk.staged + 1)
        rows = [
            self._row(walk.number, position, account)
            for position, account in zip(positions, accounts, strict=False)
        ]
        refused = self._copy_accounts(rows)
        if not to_combine:
            walk.staged += len(rows)
        return [Rejected(accounts[index].amazon_account_id, reason) for index, reason in refused]

    def stage_as_shown(self, walk: Listing, scopes: Mapping[str, Iterable[str]]) -> None:
        """Note the lists that show accounts, by their ids, although they cannot be stored: so they are not gone."""
        shown = [
            StagedAccount(key, Account.Source(walk.source), sorted(seen_in), "", None, Account.Status.ACTIVE)
            for key, seen_in in scopes.items()
            if 0 < len(key.encode()) <= MOST_ID_BYTES
        ]
        self._copy_accounts([self._row(walk.number, 0, account) for account in shown])

    def _row(self, walk: int, position: int, account: StagedAccount) -> tuple[Any, ...]:
        return (self.claim.run_id, walk, position, *_account_values(account))

    def _copy_accounts(self, rows: Sequence[tuple[Any, ...]]) -> list[tuple[int, str]]:
        self._mark()
        return _copy(
            self.claim, "accounts_staged_account", ("run_id", "walk", "position", *ACCOUNT_COLUMNS), rows
        )

    def _mark(self) -> None:
        """Stage a row of no account before all others. When it is gone, so is what was staged after it."""
        if not self._is_marked:
            self._is_marked = True
            mark = StagedAccount("mark", Account.Source.ADS_ACCOUNTS, [], "", None, Account.Status.ACTIVE)
            self._copy_accounts([self._row(MARK, 0, mark)])

    def stage_profiles(self, walk: Listing, profiles: Sequence[StagedProfile]) -> list[Rejected]:
        rows = [(self.claim.run_id, walk.number, *_profile_values(profile)) for profile in profiles]
        self._mark()
        refused = _copy(self.claim, "accounts_staged_profile", ("run_id", "walk", *PROFILE_COLUMNS), rows)
        self._has_nameless = self._has_nameless or not all(profile.entity_id for profile in profiles)
        return [Rejected(profiles[index].profile_id, reason) for index, reason in refused]

    def merge(self, walk: Listing, *, upto: int) -> Merged:
        """Merge what was staged in this walk up to there. Rows that cannot be stored are named, the others stored."""
        merged = self._merge(walk, walk.merged, upto)
        walk.merged = upto
        return merged

    def _merge(self, walk: Listing, after: int, upto: int) -> Merged:
        try:
            return _again_after_deadlock(lambda: self._merge_once(walk, after, upto))
        except (DataError, IntegrityError, OperationalError) as error:
            if not _is_about_data(error):
                raise
            if upto - after == 1:
                return Merged(rejected=(Rejected(self._key_at(walk, upto), _reason(error)),))
        middle = (after + upto) // 2
        return self._merge(walk, after, middle) + self._merge(walk, middle, upto)

    def _merge_once(self, walk: Listing, after: int, upto: int) -> Merged:
        parameters = self._parameters(listing=walk.number, after=after, up_to=upto)
        with fenced(self.claim) as cursor:
            self._check_mark(cursor)
            cursor.execute(PLANNED_BY_INDEX)
            if walk.is_list and self._sees_lone(cursor):
                cursor.execute(ADOPT, parameters)
            cursor.execute(MERGE, parameters)
            created, changed, seen = cursor.fetchone()
        return Merged(created, changed, seen - created - changed)

    def _sees_lone(self, cursor: CursorWrapper) -> bool:
        if self._may_adopt is None:
            scopes = [f"{Account.Source.PROFILES}:{region}" for region in Region.values]
            cursor.execute(SEES_LONE, self._parameters(profile_scopes=scopes))
            self._may_adopt = cursor.fetchone() == (True,)
        return self._may_adopt

    def stage_profile_accounts(self, walks: Sequence[Listing], *, list_is_complete: bool) -> None:
        """Stage the accounts that only profiles show, each in the walk of its first region.

        A list that misses too much to be believed does not make profiles stand alone.
        """
        by_number = {walk.number: walk for walk in walks}
        with held(self.claim) as cursor:
            self._check_mark(cursor)
            cursor.execute(PLANNED)
            parameters = self._parameters(list_is_complete=list_is_complete)
            cursor.execute(STAGE_PROFILE_ACCOUNTS, parameters)
            _count_staged(cursor, by_number)
            if not self._has_nameless:
                return
            cursor.execute(NAMELESS_PROFILES, parameters)
            for number, profile_id, scope, account_id in cursor.fetchall():
                by_number[number].reject(
                    [
                        Rejected(
                            profile_id, "It does not say whose profile it is: its `accountInfo.id` is empty."
                        )
                    ]
                )
                if account_id is not None:
                    self.stage_as_shown(by_number[number], {account_id: [scope]})

    def stage_manager_accounts(self, walks: Sequence[Listing]) -> None:
        """Put what the regions say of each manager account together, each in the walk of its first region."""
        with held(self.claim) as cursor:
            self._check_mark(cursor)
            cursor.execute(STAGE_MANAGER_ACCOUNTS, self._parameters())
            _count_staged(cursor, {walk.number: walk for walk in walks})

    def merge_links(self) -> None:
        """Store which manager account manages which accounts."""
        with fenced(self.claim) as cursor:
            self._check_mark(cursor)
            cursor.execute(PLANNED_BY_INDEX)
            cursor.execute(MERGE_LINKS, self._parameters())

    def scopes(self) -> list[str]:
        """The lists that show accounts to this connection, as its access rows remember them."""
        with database.cursor() as cursor:
            cursor.execute(
                "SELECT DISTINCT unnest(seen_in) FROM accounts_accountaccess WHERE connection_id = %s",
                [self.claim.connection_id],
            )
            return [scope for (scope,) in cursor.fetchall()]

    def count_accounts(self) -> Mapping[int, int]:
        """How many accounts each walk showed, by its number. Pages and lists may show one more than once."""
        with database.cursor() as cursor:
            cursor.execute(COUNT_ACCOUNTS, self._parameters())
            return dict(cursor.fetchall())

    def take_away(self, *, with_rejected: bool) -> Taken:
        """Take away what the lists that were walked to their end do not show any more.

        `with_rejected`: some of what they show could not be stored.
        """
        parameters = self._parameters(include_unsynced=False)
        with fenced(self.claim) as cursor:
            self._check_mark(cursor)
            cursor.execute(PLANNED)
            cursor.execute(TAKE_AWAY, parameters)
            counts: dict[str, dict[str, int]] = {"removed": {}, "marked": {}, "reduced": {}}
            with_fewer: list[Any] = []
            for what, scope, count, accounts in cursor.fetchall():
                counts[what][scope] = count
                with_fewer += accounts or []
            if with_rejected:
                cursor.execute(SEEN_AGAIN, parameters)
            cursor.execute(PLANNED_BY_INDEX)
            if with_fewer:
                cursor.execute(REPARENT, {**parameters, "accounts": with_fewer})
            cursor.execute(HAND_OVER, parameters)
            lost, heirs = cursor.fetchone()
            if lost:
                cursor.execute(INHERIT_LABELS, {**parameters, "accounts": lost, "max_labels": MOST_LABELS})
        return Taken(gone=counts["removed"], unconfirmed=counts["marked"], heirs=heirs)

    def _check_mark(self, cursor: CursorWrapper) -> None:
        """Make sure that the database has not crashed since the run began: then an unlogged table is empty."""
        cursor.execute(
            "SELECT EXISTS (SELECT FROM accounts_staged_account WHERE run_id = %s AND walk = %s AND position = 0)",
            [self.claim.run_id, MARK],
        )
        if cursor.fetchone() != (self._is_marked,):
            raise StagingLost

    def _parameters(self, **more: Any) -> Mapping[str, Any]:
        return {
            "run": self.claim.run_id,
            "started_at": self.claim.started_at,
            "connection": self.claim.connection_id,
            "client": self.claim.client_id,
            "user": self.claim.owner_id,
            "complete_regions": self.complete_regions,
            "complete_manager_regions": self.complete_manager_regions,
            "complete_scopes": self.walked,
            "weights": WEIGHTS,
            **more,
        }

    def _key_at(self, walk: Listing, position: int) -> str:
        with database.cursor() as cursor:
            cursor.execute(
                "SELECT amazon_account_id FROM accounts_staged_account"
                " WHERE run_id = %s AND walk = %s AND position = %s",
                [self.claim.run_id, walk.number, position],
            )
            found = cursor.fetchone()
        return found[0] if found else f"item {position}"


def _count_staged(cursor: CursorWrapper, walks: Mapping[int, Listing]) -> None:
    """Note how many rows a statement has staged in each walk."""
    for number, found in Counter(number for (number,) in cursor.fetchall()).items():
        walks[number].staged = found


def _again_after_deadlock(function: Callable[[], Result]) -> Result:
    """Others, such as a batch operation, write accounts in an order of their own."""
    for tries in range(1, MOST_TRIES + 1):
        try:
            return function()
        except OperationalError as error:
            if _sqlstate(error) not in {"40P01", "40001"} or tries == MOST_TRIES:
                raise
    raise AssertionError
