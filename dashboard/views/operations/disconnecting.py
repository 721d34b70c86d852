"""What disconnecting means, for the dialogs that ask: whom it concerns, what becomes inactive, and what stays."""

from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import Account, AccountAccess
from dashboard.lists.account_counts import AtLeast
from tokens.models import Connection

MAX_NAMED: Final = 3
MAX_COUNTED: Final = 5_000


@dataclass(frozen=True)
class Loss:
    """The accounts of connections that are disconnected."""

    # They become inactive.
    lost: AtLeast
    # They stay, because another login sees them.
    kept: AtLeast


def name_first(rows: QuerySet[Any], number: int) -> str:
    """Return "Alder, Birch, Cedar and 4 more" for so many rows."""
    names = [str(row) for row in rows.order_by("pk")[:MAX_NAMED]]
    if number > MAX_NAMED:
        return f"{', '.join(names)} and {number - MAX_NAMED:,} more"
    return " and ".join([*([", ".join(names[:-1])] if names[:-1] else []), *names[-1:]])


def count_loss(connections: Any, *, max_counted: int = MAX_COUNTED) -> Loss:
    """Count the accounts of connections, given by their ids or a query of them. Of many, only the first are looked at.

    Accounts that are inactive already do not count.
    """
    reasons = [Account.InactiveReason.DISCONNECTED, Account.InactiveReason.NOT_VISIBLE]
    accounts = Account.objects.filter(connection__in=connections).exclude(inactive_reason__in=reasons)
    first = accounts.order_by().values("pk")[: max_counted + 1]
    live = Connection.objects.live().exclude(pk__in=connections).order_by()
    others = AccountAccess.objects.filter(account=OuterRef("pk"), connection__in=live.values("pk"))
    found = Account.objects.filter(pk__in=first).order_by().annotate(stays=Exists(others))
    kept = found.filter(stays=True).count()
    number = found.count()
    or_more = number > max_counted
    return Loss(AtLeast(number - kept, or_more), AtLeast(kept, or_more and kept > 0))
