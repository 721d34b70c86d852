"""The filters that depend on connections: `connection` and its labels, `sync_status`, `health`, `health_reason`."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q

from accounts.errors import UnknownObjectError
from accounts.lists.labels import where_labels
from accounts.models import Account, AccountAccess, HealthReason, Standing
from tokens.models import BROKEN, FAILING, PAUSED, Connection, where_late
from tokens.permissions import Actor

# The same rule as `Account.sync_off_reason` says of an account that is not inactive, and whose connection is not paused.
IS_READ = Q(sync_enabled=True, unread_regions=[])
# In these words, because PostgreSQL has an index for each of the two.
IS_NOT_READ = Q(sync_enabled=False) | ~Q(unread_regions=[])
# What `Account.is_followed` denies. The status is named for the index.
GONE = Q(
    status=Account.Status.INACTIVE,
    inactive_reason__in=[Account.InactiveReason.DISCONNECTED, Account.InactiveReason.NOT_VISIBLE],
)
FAILED_REGISTRATION = Q(
    status=Account.Status.INACTIVE, inactive_reason=Account.InactiveReason.REGISTRATION_FAILED
)
FOLLOWED = ~Q(status=Account.Status.INACTIVE) | FAILED_REGISTRATION
# The same rule as `Account.has_billing`.
HAS_BILLING = Q(source__in=[Account.Source.ADS_ACCOUNTS, Account.Source.PROFILES])
PROBLEMS = (HealthReason.SUSPENDED, HealthReason.LOGIN_REFUSED, HealthReason.SYNC_FAILING)
UNREADY = (
    HealthReason.AT_RISK,
    HealthReason.SET_UP,
    HealthReason.REGISTRATION_FAILED,
    HealthReason.LATE,
    HealthReason.FIRST_SYNC,
)
# Up to this number, labelled connections are named in the query, so that PostgreSQL takes the index by connection.
MAX_LABELLED = 1_000
# Up to this number, accounts that a login sees and another one syncs are named in the query, for the same reason.
MAX_SHARED = 1_000
# What `health_reason` is called in a filter when all is well.
NO_REASON = "none"


def select_by_connection(
    user: Actor,
    filters: Mapping[str, Any],
    *,
    max_labelled: int = MAX_LABELLED,
    max_shared: int = MAX_SHARED,
) -> Q:
    """Return the condition of the five filters. Costs one query, one or two for connections, and one for labels.

    Raises UnknownObjectError for a connection that does not exist or that the person may not see.
    """
    # The condition holds the ids of connections, not a sub-select. PostgreSQL then knows how many accounts each
    # connection has, and takes the right index for one broken connection of a thousand as well as for all.
    wanted = {UUID(value) for value in filters.get("connection") or ()}
    # What a login sees and another one syncs is in the state of the other one.
    condition, others = _select_seen(wanted, max_shared) if wanted else (Q(), set())
    states = _ConnectionStates(user, wanted | others)
    if wanted - states.ids:
        raise UnknownObjectError({"connection": "There is no such connection."})
    if filters.get("connection_labels"):
        condition &= _select_labelled(user, filters["connection_labels"], max_labelled)
    if filters.get("sync_status"):
        condition &= _any_of(map(states.select_sync_status, filters["sync_status"]))
    if filters.get("health"):
        condition &= _any_of(map(states.select_health, filters["health"]))
    if filters.get("health_reason"):
        condition &= _any_of(map(states.select_health_reason, filters["health_reason"]))
    return condition


def count_health_reasons(user: Actor, statuses: Mapping[str, int]) -> dict[str, int]:
    """Return how many accounts each reason has, and NO_REASON; `statuses` has the number of accounts by status.

    Costs eleven queries. Each takes as long as it finds accounts.
    """
    states = _ConnectionStates(user, ())
    accounts = Account.objects.visible_to(user).order_by()
    unregistered = accounts.filter(FAILED_REGISTRATION).count()
    known = {
        HealthReason.SUSPENDED: statuses.get(Account.Status.SUSPENDED, 0),
        HealthReason.INACTIVE: statuses.get(Account.Status.INACTIVE, 0) - unregistered,
    }
    counts = {
        reason.value: known[reason]
        if reason in known
        else accounts.filter(states.select_health_reason(reason)).count()
        for reason in HealthReason
    }
    return {**counts, NO_REASON: sum(statuses.values()) - sum(counts.values())}


def _select_seen(wanted: Collection[UUID], max_shared: int) -> tuple[Q, set[UUID]]:
    """Return the condition that one of the connections syncs the account or sees it, and the others that sync such accounts.

    Costs one query, or two if many accounts are seen so.
    """
    own = Q(connection__in=wanted)
    shared = (
        AccountAccess.objects.filter(connection__in=wanted).exclude(account__connection__in=wanted).order_by()
    )
    found = list(shared.values_list("account", "account__connection")[: max_shared + 1])
    if not found:
        return own, set()
    if len(found) <= max_shared:
        return own | Q(pk__in={account for account, _ in found}), {owner for _, owner in found}
    owners = shared.values_list("account__connection", flat=True).distinct()
    return own | Q(Exists(shared.filter(account=OuterRef("pk")))), set(owners)


def _select_labelled(user: Actor, labels: Mapping[str, Any], max_labelled: int) -> Q:
    labelled = Connection.objects.visible_to(user).filter(where_labels(labels)).order_by()
    ids = list(labelled.values_list("pk", flat=True)[: max_labelled + 1])
    if len(ids) <= max_labelled:
        return Q(connection__in=ids)
    # Many accounts match, so they are read in the order of the list.
    return Q(Exists(labelled.filter(pk=OuterRef("connection"))))


def _any_of(conditions: Iterable[Q]) -> Q:
    # An empty Q would match every row.
    either = Q(pk__in=[])
    for condition in conditions:
        either |= condition
    return either


class _ConnectionStates:
    """The connections with trouble, or the connections that the filter names.

    The conditions say in SQL what `Account.sync_status`, `Account.health` and `find_health_reason` say of one row.
    """

    def __init__(self, user: Actor, wanted: Collection[UUID]) -> None:
        connections = Connection.objects.all()
        if wanted:
            connections = connections.filter(pk__in=wanted)
            # A person who sees all accounts sees in each account which connection it has.
            accounts = Account.objects.visible_to(user).filter(connection=OuterRef("pk"))
            visible = Connection.objects.visible_to(user).values("pk")
            connections = connections.filter(Q(pk__in=visible) | Exists(accounts))
        else:
            unwell = FAILING | Q(last_synced_at__isnull=True) | where_late() | BROKEN | PAUSED
            connections = connections.filter(unwell)
        is_late = ExpressionWrapper(where_late(), output_field=BooleanField())
        # The conditions below ask first whether an account is read, so a paused connection may be in several lists.
        columns = ("pk", "state", "sync_failures", "last_synced_at", is_late, "paused")
        rows = list(connections.values_list(*columns))
        self.ids = {pk for pk, *_ in rows}
        self.broken = [pk for pk, state, *_ in rows if state == Connection.State.REAUTHORIZATION_REQUIRED]
        self.failing = [pk for pk, _, failures, *_ in rows if failures]
        self.never = [pk for pk, _, failures, synced, *_ in rows if not failures and synced is None]
        self.stale = [pk for pk, *_, is_late, _ in rows if is_late]
        self.is_read, self.is_not_read = IS_READ, IS_NOT_READ
        if paused := [pk for pk, *_, is_paused in rows if is_paused]:
            self.is_read &= ~Q(connection__in=paused)
            self.is_not_read |= Q(connection__in=paused)

    def select_sync_status(self, word: str) -> Q:
        synced = FOLLOWED & self.is_read
        match word:
            case Account.SyncStatus.OFF:
                return GONE | self.is_not_read
            case Account.SyncStatus.FAILING:
                return synced & Q(connection__in=self.failing)
            case Account.SyncStatus.NEVER:
                return synced & Q(connection__in=self.never)
            case Account.SyncStatus.STALE:
                return synced & Q(connection__in=self.stale)
            case _:
                return synced & ~Q(connection__in=[*self.failing, *self.never, *self.stale])

    def select_health(self, word: str) -> Q:
        troubles = self._troubles()
        is_problem = _any_of(troubles[reason] for reason in PROBLEMS)
        is_unready = _any_of(troubles[reason] for reason in UNREADY) | Q(status=Account.Status.UNKNOWN)
        match word:
            case Account.Health.OFF:
                return GONE
            case Account.Health.PROBLEM:
                return FOLLOWED & is_problem
            case Account.Health.ATTENTION:
                return FOLLOWED & is_unready & ~is_problem
            case _:
                return FOLLOWED & ~is_unready & ~is_problem

    def select_health_reason(self, word: str) -> Q:
        if word == HealthReason.INACTIVE:
            return GONE
        condition = FOLLOWED
        for reason, holds in self._troubles().items():
            if reason == word:
                return condition & holds
            condition &= ~holds
        return condition

    def _troubles(self) -> dict[HealthReason, Q]:
        """Return what each reason is, without regard to the others, of an account that is followed."""
        # The status is named for the index: other accounts have a worse reason.
        not_told = Q(status=Account.Status.ACTIVE, standing=Standing.UNKNOWN) & HAS_BILLING & self.is_read
        return {
            HealthReason.SUSPENDED: Q(status=Account.Status.SUSPENDED),
            HealthReason.LOGIN_REFUSED: Q(connection__in=self.broken),
            HealthReason.SYNC_FAILING: self.is_read & Q(connection__in=self.failing),
            HealthReason.AT_RISK: Q(standing=Standing.AT_RISK),
            HealthReason.SET_UP: Q(status=Account.Status.PENDING),
            HealthReason.REGISTRATION_FAILED: FAILED_REGISTRATION,
            HealthReason.LATE: self.is_read & Q(connection__in=self.stale),
            HealthReason.FIRST_SYNC: self.is_read & Q(connection__in=self.never),
            HealthReason.UNKNOWN: Q(status=Account.Status.UNKNOWN) | not_told,
            HealthReason.PAUSED: self.is_not_read,
        }
