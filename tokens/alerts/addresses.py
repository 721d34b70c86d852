"""The addresses of a team that get the alerts about its connections.

An administrator of a team is not the operator of the machine. So an address of a team leads only to services with hosts of
their own: to any other host, the console would post into the network of the company. ALERT_URLS may name every host.
"""

import logging
import re
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from amazon_accounts.visible_text import escape_line
from tokens.alerts.sending import understand
from tokens.encryption import DecryptionError, Secret, context_of, reseal
from tokens.models import AlertAddress, Team
from tokens.models.team import MAX_NAME_LENGTH
from tokens.people.audit import Action, AuditedObject, record_audit
from tokens.permissions import System, require

logger = logging.getLogger(__name__)

MANAGE: Final = "tokens.manage_alert_addresses"
MAX_ADDRESSES: Final = 10
MAX_CHARACTERS: Final = 1000

# By the scheme that Apprise has for it. The host is not in the address, so nobody can choose it.
SERVICES: Final = {
    "discord": "Discord",
    "gchat": "Google Chat",
    "opsgenie": "Opsgenie",
    "pagerduty": "PagerDuty",
    "slack": "Slack",
    "tgram": "Telegram",
    "workflow": "Microsoft Teams",
}
# The host is in the address.
TEAMS: Final = "workflow"
TEAMS_HOSTS: Final = (".logic.azure.com", ".api.powerplatform.com")
# Apprise has options that read files and post to other hosts. These are parts of webhooks, and the region of a service.
OPTIONS: Final = frozenset({"api-version", "key", "region", "sig", "sp", "sv", "threadkey", "token"})
# A blank or a comma could begin another address.
_PLAIN: Final = re.compile(r"[!#-+\--;=?-\[\]_a-z~]+", re.IGNORECASE)


@transaction.atomic
def add_alert_address(user: User | System, team: Team, *, name: Any, address: Any) -> AlertAddress:
    """Let the alerts about connections of the team go to this address too.

    Raises PermissionDenied, and ValidationError for a name that is malformed or taken, an address that leads to no
    known service, and too many addresses. No message contains the address.
    """
    require(user, MANAGE, team)
    made = AlertAddress(team=team, name=_clean_name(name), service=find_service(address))
    made.address = address.strip()
    # Of two forms that are sent at once, the second counts what the first stored.
    Team.objects.select_for_update(no_key=True).get(pk=team.pk)
    if AlertAddress.objects.filter(team=team).count() >= MAX_ADDRESSES:
        raise ValidationError(f"“{team}” has {MAX_ADDRESSES} addresses. Remove one that is not needed first.")
    try:
        with transaction.atomic():
            made.save()
    except IntegrityError:
        # The constraint one_alert_address_per_team_and_name.
        raise ValidationError({"name": f"“{team}” has an address with this name already."}) from None
    record_audit(user, Action.ALERT_ADDRESS_ADD, made, after={"service": made.service})
    return made


@transaction.atomic
def remove_alert_address(user: User | System, address: AlertAddress) -> bool:
    """Send no more alerts to the address; return False if it was removed before. Raises PermissionDenied."""
    require(user, MANAGE, address)
    named = AuditedObject.of(address)
    removed = bool(AlertAddress.objects.filter(pk=address.pk).delete()[0])
    if removed:
        record_audit(user, Action.ALERT_ADDRESS_REMOVE, named, before={"service": address.service})
    return removed


def find_service(address: Any) -> str:
    """Return the service to which the address leads. Raises ValidationError."""
    malformed = ValidationError(
        {
            "address": f"It must be the webhook of one of these services: {', '.join(sorted(SERVICES.values()))}."
        }
    )
    if not isinstance(address, str) or len(address) > MAX_CHARACTERS:
        raise malformed
    address = address.strip()
    if not _PLAIN.fullmatch(address):
        raise malformed
    try:
        parts = urlsplit(address)
        names = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    except ValueError:
        raise malformed from None
    # Apprise finds options behind a "#" too.
    if parts.scheme.lower() not in {"https", *SERVICES} or "?" in parts.fragment or not names <= OPTIONS:
        raise malformed
    plugin = understand(address)
    scheme = next((each for each in _schemes_of(plugin) if each in SERVICES), None)
    if (
        scheme is None
        or getattr(plugin, "template", None)
        or (scheme == TEAMS and not _is_host_of_teams(plugin))
    ):
        raise malformed
    return SERVICES[scheme]


def rotate_alert_addresses() -> dict[str, int]:
    """Encrypt the addresses again with the first key; return counts as the tokens have them."""
    counts = {"rotated": 0, "current": 0, "unreadable": 0}
    for pk in AlertAddress.objects.values_list("pk", flat=True):
        with transaction.atomic():
            row = AlertAddress.objects.select_for_update().filter(pk=pk).first()
            if row is not None and row.address is not None:
                counts[_rotate(row, row.address.ciphertext)] += 1
    return counts


def _rotate(row: AlertAddress, sealed: str) -> str:
    context = context_of(AlertAddress, "address", row.pk)
    try:
        fresh = reseal(sealed, context)
    except DecryptionError as error:
        logger.warning("The address %s for alerts was left. %s", row.pk, error)
        return "unreadable"
    if fresh is None:
        return "current"
    row.address = Secret(fresh, context)
    row.save(update_fields=["address"])
    return "rotated"


def _schemes_of(plugin: Any) -> tuple[str, ...]:
    schemes = getattr(plugin, "secure_protocol", None) or ()
    return (schemes,) if isinstance(schemes, str) else tuple(schemes)


def _is_host_of_teams(plugin: Any) -> bool:
    return plugin.port in {None, 443} and str(plugin.host).lower().endswith(TEAMS_HOSTS)


def _clean_name(name: Any) -> str:
    cleaned = " ".join(name.split()) if isinstance(name, str) else ""
    if not 0 < len(cleaned) <= MAX_NAME_LENGTH:
        raise ValidationError({"name": f"It must have 1 to {MAX_NAME_LENGTH} characters."})
    if escape_line(cleaned) != cleaned:
        raise ValidationError({"name": "It must have no control characters."})
    return cleaned
