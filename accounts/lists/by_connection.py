"""The filters that depend on the state of connections: `connection`, `sync_status`, `health`."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q

from accounts.errors import UnknownObjectError
from accounts.models import Account, Standing
from tokens.models import BROKEN, FAILING, Connection, where_late
from tokens.permissions import Actor

# The same rule as `Account.sync_off_reason` says of an account that is not inactive.
IS_READ = Q(sync_enabled=True, unread_regions=[])
# What `Account.is_followed` denies. The status is named for the index.
GONE = Q(
    status=Account.Status.INACTIVE,
    inactive_reason__in=[Account.InactiveReason.DISCONNECTED, Account.InactiveReason.NOT_VISIBLE],
)
FAILED_REGISTRATION = Q(
    status=Account.Status.INACTIVE, inactive_reason=Account.InactiveReason.REGISTRATION_FAILED
)
AT_RISK = Q(standing=Standing.AT_RISK)
FOLLOWED = ~Q(status=Account.Status.INACTIVE) | FAILED_REGISTRATION


def select_by_connection(user: Actor, filters: Mapping[str, Any]) -> Q:
    """Return the condition of the three filters. Costs one query.

    Raises UnknownObjectError for a connection that does not exist or that the person may not see.
    """
    # The condition holds the ids of connections, not a sub-select. PostgreSQL then knows how many accounts each
    # connection has, and takes the right index for one broken connection of a thousand as well as for all.
    wanted = {UUID(value) for value in filters.get("connection") or ()}
    states = _ConnectionStates(user, wanted)
    if wanted - states.ids:
        raise UnknownObjectError({"connection": "There is no such connection."})
    condition = Q(connection__in=wanted) if wanted else Q()
    if filters.get("sync_status"):
        condition &= _any_of(map(states.select_sync_status, filters["sync_status"]))
    if filters.get("health"):
        condition &= _any_of(map(states.select_health, filters["health"]))
    return condition


def _any_of(conditions: Iterable[Q]) -> Q:
    # An empty Q would match every row.
    either = Q(pk__in=[])
    for condition in conditions:
        either |= condition
    return either


class _ConnectionStates:
    """The connections with trouble, or the connections that the filter names.

    The conditions say in SQL what `Account.sync_status` and `Account.health` say of one row.
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
            unwell = FAILING | Q(last_synced_at__isnull=True) | where_late() | BROKEN
            connections = connections.filter(unwell)
        is_late = ExpressionWrapper(where_late(), output_field=BooleanField())
        rows = list(connections.values_list("pk", "state", "sync_failures", "last_synced_at", is_late))
        self.ids = {pk for pk, *_ in rows}
        self.broken = [pk for pk, state, *_ in rows if state == Connection.State.REAUTHORIZATION_REQUIRED]
        self.failing = [pk for pk, _, failures, *_ in rows if failures]
        self.never = [pk for pk, _, failures, synced, _ in rows if not failures and synced is None]
        self.stale = [pk for pk, *_, is_late in rows if is_late]

    def select_sync_status(self, word: str) -> Q:
        synced = FOLLOWED & IS_READ
        match word:
            case Account.SyncStatus.OFF:
                return GONE | ~IS_READ
            case Account.SyncStatus.FAILING:
                return synced & Q(connection__in=self.failing)
            case Account.SyncStatus.NEVER:
                return synced & Q(connection__in=self.never)
            case Account.SyncStatus.STALE:
                return synced & Q(connection__in=self.stale)
            case _:
                return synced & ~Q(connection__in=[*self.failing, *self.never, *self.stale])

    def select_health(self, word: str) -> Q:
        failing = IS_READ & Q(connection__in=self.failing)
        late = IS_READ & Q(connection__in=[*self.never, *self.stale])
        broken = Q(connection__in=self.broken)
        match word:
            case Account.Health.OFF:
                return GONE
            case Account.Health.PROBLEM:
                return Q(status=Account.Status.SUSPENDED) | FOLLOWED & (failing | broken)
            case Account.Health.ATTENTION:
                unready = Q(status__in=[Account.Status.PENDING, Account.Status.UNKNOWN]) | FAILED_REGISTRATION
                unready |= Q(status=Account.Status.ACTIVE) & (late | AT_RISK)
                return unready & ~failing & ~broken
            case _:
                return Q(status=Account.Status.ACTIVE) & ~AT_RISK & ~failing & ~late & ~broken
