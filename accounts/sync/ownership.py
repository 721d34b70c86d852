"""Giving the accounts of a person to another person, together with the connections that see them."""

from collections.abc import Iterable
from uuid import UUID

from django.db import connection as database
from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.db.models.functions import Now

from accounts.models import Account, BatchItem
from accounts.sync.claims import close_unfinished_runs
from accounts.sync.fences import lock_person
from accounts.sync.ghosts import merge_accounts
from tokens.connect.hand_over import HandOverRefusedError
from tokens.models import Connection

MOVE_ACCESS = """
    UPDATE accounts_accountaccess access SET account_id = twin.own
      FROM unnest(%(others)s::uuid[], %(own)s::uuid[]) AS twin (other, own)
     WHERE access.account_id = twin.other
"""


@transaction.atomic
def hand_over_accounts(connections: Iterable[Connection], person_id: int, heir_id: int) -> None:
    """Give all accounts of the person to the heir.

    An account that the heir has too becomes one with it: the heir's goes on, with its own settings, and gets what
    belongs to the other. The caller has locked the connections. Raises HandOverRefusedError.
    """
    for connection in connections:
        close_unfinished_runs(connection, "The connection was handed over to another person.")
    with database.cursor() as cursor:
        for user_id in sorted((person_id, heir_id)):
            lock_person(cursor, user_id)
        twins = _find_twins(person_id, heir_id)
        if BatchItem.objects.filter(batch__finished_at=None, account__in=twins.keys()).exists():
            raise HandOverRefusedError(
                "An operation with accounts that both have is under way. Try again when it has ended."
            )
        accounts = Account.objects.filter(user=person_id)
        if Account.objects.filter(user=heir_id, is_default=True).exists():
            accounts.filter(is_default=True).update(is_default=False)
        cursor.execute(MOVE_ACCESS, {"others": list(twins), "own": list(twins.values())})
        merge_accounts(cursor, twins)
        accounts.update(user=heir_id, updated_at=Now())


def _find_twins(person_id: int, heir_id: int) -> dict[UUID, UUID]:
    """Return the accounts of the person that the heir has too, and those of the heir."""
    same = Account.objects.filter(user=heir_id, amazon_account_id=OuterRef("amazon_account_id"))
    pairs = Account.objects.filter(user=person_id).annotate(twin=Subquery(same.values("pk")[:1]))
    return dict(pairs.filter(twin__isnull=False).values_list("pk", "twin"))
