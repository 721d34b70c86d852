"""The kinds of alerts about which a person gets mail, and when."""

from collections.abc import Collection
from typing import Final

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction

from tokens.alerts.times import Times, read_times, store_times
from tokens.models import Alert, MutedAlertKind
from tokens.people.audit import Action, record_audit

# Alerts about the installation, which only superusers get.
OF_INSTALLATION: Final = frozenset(
    {
        Alert.Kind.APPLICATION_REFUSED,
        Alert.Kind.APPLICATION_ACCEPTED,
        Alert.Kind.SERVICE_FAILING,
        Alert.Kind.SERVICE_WORKING,
    }
)


def list_kinds(user: User) -> list[Alert.Kind]:
    """Return the kinds between which the person can choose."""
    return [kind for kind in Alert.Kind if user.is_superuser or kind not in OF_INSTALLATION]


def list_chosen_kinds(user: User) -> list[Alert.Kind]:
    muted = set(MutedAlertKind.objects.filter(user=user).values_list("kind", flat=True))
    return [kind for kind in list_kinds(user) if kind not in muted]


@transaction.atomic
def choose_alerts(user: User, kinds: Collection[str], times: Times | None = None) -> bool:
    """Let the person get mail about these kinds alone, and at these times; return whether that changed anything.

    Without `times` the times stay. Raises ValidationError for a kind that the person cannot choose, and for times that
    make no sense. Kinds that are made later are on.
    """
    if times is not None:
        times.check()
    offered = list_kinds(user)
    if not set(kinds) <= set(offered):
        raise ValidationError("These are not all kinds of alerts.")
    # Of two forms that are sent at once, the second finds what the first stored.
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    before = list_chosen_kinds(user)
    after = [kind for kind in offered if kind in kinds]
    times_before = read_times(user)
    times = times_before if times is None else times
    # Without times, the zone says nothing.
    if before == after and times_before.as_data() == times.as_data():
        return False
    muted = MutedAlertKind.objects.filter(user=user)
    muted.filter(kind__in=after).delete()
    MutedAlertKind.objects.bulk_create(
        [MutedAlertKind(user=user, kind=kind) for kind in offered if kind in before and kind not in after]
    )
    if times_before.as_data() != times.as_data():
        store_times(user, times)
    record_audit(
        user,
        Action.ALERTS_CHOOSE,
        user,
        before={"kinds": before, **times_before.as_data()},
        after={"kinds": after, **times.as_data()},
    )
    return True
