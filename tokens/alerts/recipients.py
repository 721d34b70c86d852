"""Who gets which alerts: the addresses in ALERT_URLS all of them, the addresses of a team those about its connections, and
people by mail those that concern them.

An alert about a connection concerns everybody who may see it, one about many connections everybody who may see one of
them, an alert about the installation the superusers. An alert
about an API key concerns the owner of the key, or the administrators of its team, one about a webhook the administrators
of its team. If none of them has an e-mail address, it concerns the superusers. Nobody gets mail about a kind that they have turned off.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q, prefetch_related_objects
from django.utils.crypto import salted_hmac

from tokens.encryption import Secret
from tokens.models import Alert, AlertAddress, MutedAlertKind
from tokens.models.team import find_teams, read_members, read_roles, set_roles
from tokens.permissions import may


@dataclass(frozen=True)
class Recipient:
    """Somebody who gets a message, with the alerts that it is about."""

    # What is stored when the recipient has taken the message.
    key: str
    # An e-mail address, or an address for Apprise with its secrets.
    address: str | Secret = field(repr=False)
    alerts: Sequence[Alert]
    # How an error names an address for Apprise: never by the address itself.
    name: str = ""

    # Set for a person, who gets mail.
    person_id: int | None = None


@dataclass(frozen=True)
class Audience:
    """What becomes of the alerts of one message."""

    recipients: list[Recipient]
    # There is no way to anybody.
    unreachable: list[Alert]
    # Nobody wants it: those whom it concerns have turned off its kind.
    unwanted: list[Alert]


def find_audience(alerts: Sequence[Alert]) -> Audience:
    """Return who gets these alerts, which are of one kind."""
    prefetch_related_objects(alerts, "connection", "api_key", "webhook")
    # A key that was revoked a moment ago has taken its alert with it.
    alerts = [alert for alert in alerts if alert.api_key_id is None or alert.api_key is not None]
    people, concerning_somebody = _find_people(alerts)
    recipients = [*_find_installation_addresses(alerts), *_find_team_addresses(alerts), *people]
    reached = {alert.pk for recipient in recipients for alert in recipient.alerts}
    left = [alert for alert in alerts if alert.pk not in reached]
    return Audience(
        recipients,
        unreachable=[alert for alert in left if alert.pk not in concerning_somebody],
        unwanted=[alert for alert in left if alert.pk in concerning_somebody],
    )


def _find_installation_addresses(alerts: Sequence[Alert]) -> list[Recipient]:
    return [
        Recipient(
            key=f"address:{salted_hmac('tokens.delivery.address', address, algorithm='sha256').hexdigest()}",
            address=address,
            alerts=alerts,
            name=f"address number {number} in ALERT_URLS",
        )
        for number, address in enumerate(settings.ALERT_URLS, start=1)
        if alerts
    ]


def _find_team_addresses(alerts: Sequence[Alert]) -> list[Recipient]:
    of_team: dict[UUID, list[Alert]] = defaultdict(list)
    for alert in alerts:
        for team_id in alert.all_team_ids:
            of_team[team_id].append(alert)
    return [
        Recipient(
            key=f"team:{address.pk}",
            address=address.address,
            alerts=of_team[address.team_id],
            name=f"the address “{address.name}” of its team",
        )
        for address in AlertAddress.objects.filter(team__in=of_team)
        if address.address is not None
    ]


def _find_people(alerts: Sequence[Alert]) -> tuple[list[Recipient], set[UUID]]:
    """Return the people who get mail, and which alerts concern anybody whom mail can reach."""
    if not settings.MAIL_ALERTS or not alerts:
        return [], set()
    people = _read_people(alerts)
    muted = set(MutedAlertKind.objects.filter(kind=alerts[0].kind).values_list("user", flat=True))
    of_person: dict[int, list[Alert]] = defaultdict(list)
    for subject in _group_by_subject(alerts):
        concerned = [person for person in people if _concerns(subject[0], person)]
        if not concerned and (subject[0].api_key or subject[0].webhook):
            concerned = [person for person in people if person.is_superuser]
        for person in concerned:
            of_person[person.pk] += subject
    recipients = [
        Recipient(
            key=f"person:{person.pk}",
            address=person.email,
            alerts=sorted(of_person[person.pk], key=lambda alert: (alert.created_at, alert.pk)),
            person_id=person.pk,
        )
        for person in people
        if person.pk in of_person and person.pk not in muted
    ]
    return recipients, {alert.pk for each in of_person.values() for alert in each}


def _read_people(alerts: Sequence[Alert]) -> list[User]:
    """Return the people whom these alerts may concern, with their roles."""
    keys = [alert.api_key for alert in alerts if alert.api_key is not None]
    teams = {team for alert in alerts for team in alert.all_team_ids}
    members = read_members(teams | {key.team_id for key in keys if key.team_id is not None})
    concerned = Q(is_superuser=True) | Q(pk__in=[*members, *(key.user_id for key in keys if key.user_id)])
    people = User.objects.filter(concerned, is_active=True, is_staff=True).exclude(email="")
    found = list(people.order_by("email", "pk"))
    for person in found:
        set_roles(person, members.get(person.pk, {}))
    return found


def gets_mail(person: User) -> bool:
    return person.is_active and person.is_staff and bool(person.email)


def _group_by_subject(alerts: Sequence[Alert]) -> Iterable[list[Alert]]:
    """Group the alerts that concern the same people."""
    groups: dict[tuple[tuple[UUID, ...], UUID | None], list[Alert]] = defaultdict(list)
    for alert in alerts:
        groups[alert.all_team_ids, alert.api_key_id].append(alert)
    return groups.values()


def _concerns(alert: Alert, person: User) -> bool:
    key = alert.api_key
    if alert.webhook is not None:
        return alert.webhook.team_id in read_roles(person) and may(
            person, "tokens.manage_webhooks", alert.webhook
        )
    if key is None and alert.team_ids:
        teams = find_teams(person, "tokens.view_alert")
        return any(team_id in teams for team_id in alert.team_ids)
    if key is None:
        return may(person, "tokens.view_alert", alert)
    if key.user_id is not None:
        return key.user_id == person.pk
    return key.team_id in read_roles(person) and may(person, "tokens.manage_keys", key)
