"""Erasing the names of the accounts of a forgotten login."""

from django.db import connection as database
from django.db import transaction
from django.db.models import Exists, F, Func, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Now

from accounts.models import Account, AccountAccess, AccountChange, Note, Profile, Standing, SyncRun
from accounts.models.changes import change_in_the_name_of
from accounts.standing.alerts import KINDS
from accounts.sync.fences import lock_team
from amazon_accounts.postgresql.statements import load
from tokens.models import Alert, Connection, Event
from tokens.models.alert import AlertQuerySet

Kind = AccountChange.Kind

# What Amazon reports about an account may name it or its owner.
KINDS_WITH_NAMES = [Kind.NAME, Kind.ERRORS]


@transaction.atomic
def erase_names(connection: Connection) -> None:
    """Erase the names of the accounts that no other connection sees. Their status, labels and history stay; notes are deleted."""
    with database.cursor() as cursor:
        lock_team(cursor, connection.team_id)
        change_in_the_name_of(connection.forgotten_by_id)
        cursor.execute(load(__file__, "delete_staged_rows"), {"connection": connection.pk})
    # The connection is disconnected, so every access belongs to another connection.
    is_seen = Exists(AccountAccess.objects.filter(account=OuterRef("pk")))
    accounts = Account.objects.filter(~is_seen, connection=connection)
    accounts.update(name="", metadata={}, errors={}, updated_at=Now())
    # Amazon's words about the billing may name the advertiser.
    Profile.objects.filter(account__in=accounts).update(
        name="", billing_message="", notices=None, standing=Standing.UNKNOWN, suspension_at=None
    )
    changes = AccountChange.objects.filter(account__in=accounts)
    # After the update above, whose triggers have recorded what it erased.
    changes.filter(kind__in=KINDS_WITH_NAMES).update(old=None, new=None)
    _find_alerts(accounts, changes).erase_texts()
    Event.objects.all().erase_accounts(accounts)
    # A note may name the login or the advertiser.
    Note.objects.filter(Q(connection=connection) | Q(account__in=accounts)).delete()
    SyncRun.objects.filter(connection=connection).exclude(error="").update(error="")


def _find_alerts(accounts: QuerySet[Account], changes: QuerySet[AccountChange]) -> AlertQuerySet:
    # The keys of alerts about accounts begin with the id of the account. Earlier versions used the id of the change.
    accounts_as_text = accounts.annotate(as_text=Cast("pk", TextField())).values("as_text")
    changes_as_text = changes.annotate(as_text=Cast("pk", TextField())).values("as_text")
    named = Func(F("key"), Value(":"), Value(2), function="split_part", output_field=TextField())
    alerts = Alert.objects.filter(kind__in=KINDS).annotate(named=named)
    return alerts.filter(Q(named__in=accounts_as_text) | Q(named__in=changes_as_text))
