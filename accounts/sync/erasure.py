"""Erasing the names of the accounts of a forgotten login."""

from django.db import connection as database
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, TextField, Value
from django.db.models.functions import Cast, Concat, Now

from accounts.models import Account, AccountAccess, AccountChange, Profile, SyncRun
from accounts.models.changes import change_in_the_name_of
from accounts.sync.fences import lock_person
from amazon_accounts.postgresql.statements import load
from tokens.models import Alert, Connection
from tokens.models.alert import AlertQuerySet

Kind = AccountChange.Kind

# What Amazon reports about an account may name it or its owner.
KINDS_WITH_NAMES = [Kind.NAME, Kind.ERRORS]


@transaction.atomic
def erase_names(connection: Connection) -> None:
    """Erase the names of the accounts that no other connection sees. Their status, labels and history stay."""
    with database.cursor() as cursor:
        lock_person(cursor, connection.owner_id)
        change_in_the_name_of(connection.forgotten_by_id)
        cursor.execute(load(__file__, "delete_staged_rows"), {"connection": connection.pk})
    # The connection is disconnected, so every access belongs to another connection.
    is_seen = Exists(AccountAccess.objects.filter(account=OuterRef("pk")))
    accounts = Account.objects.filter(~is_seen, connection=connection)
    accounts.update(name="", metadata={}, errors={}, updated_at=Now())
    Profile.objects.filter(account__in=accounts).update(name="")
    changes = AccountChange.objects.filter(account__in=accounts)
    # After the update above, whose triggers have recorded what it erased.
    changes.filter(kind__in=KINDS_WITH_NAMES).update(old=None, new=None)
    _find_alerts(changes).erase_texts()
    SyncRun.objects.filter(connection=connection).exclude(error="").update(error="")


def _find_alerts(changes: QuerySet[AccountChange]) -> AlertQuerySet:
    # The key of an alert about a suspended account is the id of the change.
    kind = Alert.Kind.ACCOUNT_SUSPENDED
    keys = changes.annotate(
        alert_key=Concat(Value(f"{kind}:"), Cast("pk", TextField()), output_field=TextField())
    ).values("alert_key")
    return Alert.objects.filter(kind=kind, key__in=keys)
