"""Client links: making, mailing and revoking them, and finding the one that a browser has opened.

`link_consent.py` has the way of a client to Amazon and back.
"""

import hashlib
import secrets
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from procrastinate.contrib.django import app

from amazon_accounts.configuration.languages import CLIENT_LANGUAGES
from amazon_accounts.postgresql.clock import approximate_now
from amazon_accounts.visible_text import escape_line
from amazon_accounts.web.links import build_link
from tokens.connect.update import clean_label, clean_regions
from tokens.locking import lock_connection
from tokens.mail import PRIORITY, send_or_try_again
from tokens.models import Connection, ConnectLink, Team, all_regions
from tokens.models.connect_link import MAX_ADDRESS_LENGTH, MAX_LIFE
from tokens.people.audit import Action, record_audit
from tokens.permissions import System, get_person, require
from tokens.queues import UPKEEP, defer_once

USUAL_DAYS: Final = 7
MAX_DAYS: Final = MAX_LIFE.days
# Of one team, so that a program that makes links without end is stopped.
MAX_OPEN: Final = 5000
# To one address, from all teams: each one is a mail to somebody who did not ask for it.
MAX_MAILS_A_DAY: Final = 20
MAX_SENDER: Final = 100  # characters


def digest_token(token: str) -> str:
    # The token has 256 random bits, so nobody finds it by its digest, and no slow hash is needed.
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


@transaction.atomic
def make_connect_link(
    user: User | System,
    team: Team,
    *,
    label: Any,
    connection: Connection | None = None,
    email: Any = "",
    regions: Any = None,
    days: Any = USUAL_DAYS,
    language: Any = "en",
    owner: User | None = None,
    mailing: UUID | None = None,
    instead_of: ConnectLink | None = None,
) -> tuple[ConnectLink, str | None]:
    """Make a link; return it and its address, which is shown this once.

    With an e-mail address there is none: the worker that sends the mail makes the token, so that nothing stores it.
    With a connection the link renews that one, and leaves its label and regions. `owner` is for the system. A link of a
    mailing waits until `gather_mailing` puts it into a mail with others. The link `instead_of` ends. Raises PermissionDenied and ValidationError.
    """
    require(user, "tokens.connect_amazon", connection or team)
    values = _clean(label=label, email=email, regions=regions, days=days, language=language)
    person = get_person(user) or owner
    if person is None:
        raise ValidationError("Say who is responsible for what the link connects.")
    if connection is not None:
        # Who moves or disconnects it meanwhile finds the link, and ends it.
        connection = lock_connection(user, "tokens.connect_amazon", connection.pk)
        _check_connection(team, connection)
        values["regions"] = connection.regions
    if mailing is None:
        # Of two requests at once, the second counts the link of the first.
        Team.objects.select_for_update(no_key=True).get(pk=team.pk)
        _check_number(team, values["email"])
    token = None if values["email"] else secrets.token_urlsafe(32)
    link = ConnectLink.objects.create(
        team=team,
        owner=person,
        connection=connection,
        digest=token and digest_token(token),
        ends_at=Now() + timedelta(days=days),
        mailing=mailing,
        **values,
    )
    link.refresh_from_db()
    record_audit(
        user,
        Action.CONNECT_LINK_MAKE,
        link,
        after={
            "owner": person.pk,
            "connection": str(connection.pk) if connection else None,
            "regions": link.regions,
            "days": days,
            "is_mailed": bool(link.email),
            **({"instead_of": str(instead_of.pk)} if instead_of else {}),
        },
    )
    if instead_of is not None:
        ConnectLink.objects.filter(pk=instead_of.pk).revoke()
    if token is None:
        if mailing is None:
            _queue_mail(link)
        return link, None
    return link, build_address(token)


def send_connect_link_again(user: User | System, link: ConnectLink) -> ConnectLink:
    """Mail a new link like this one, which ends. Raises PermissionDenied, and ValidationError as for a new link."""
    require(user, "tokens.connect_amazon", link)
    if not link.email or link.used_at is not None:
        raise ValidationError("Only a link that was mailed, and that nobody has used, can be sent again.")
    made, _address = make_connect_link(
        user,
        link.team,
        label=link.label,
        connection=link.connection,
        email=link.email,
        regions=link.regions,
        days=(link.ends_at - link.created_at).days,
        language=link.language,
        owner=link.owner,
        instead_of=link,
    )
    return made


@transaction.atomic
def revoke_connect_link(user: User | System, link: ConnectLink) -> bool:
    """End the link; return False if it was used or revoked before. Raises PermissionDenied."""
    require(user, "tokens.connect_amazon", link)
    revoked = ConnectLink.objects.filter(pk=link.pk).revoke()
    link.refresh_from_db()
    if revoked:
        record_audit(user, Action.CONNECT_LINK_REVOKE, link)
    return bool(revoked)


def find_link(token: str) -> ConnectLink | None:
    """Return the link to which this token leads, also one that opens nothing any more."""
    links = ConnectLink.objects.select_related("team", "owner", "connection", "connected")
    return links.filter(digest=digest_token(token)).first()


def note_opened(link: ConnectLink) -> None:
    """Note when the page of the link was shown for the first time."""
    if link.opened_at is None:
        ConnectLink.objects.filter(pk=link.pk, opened_at=None).update(opened_at=Now())


def name_sender(link: ConnectLink) -> str:
    """Return how a client reads who asks: no user name, because people sign in with it; "" if there is no other."""
    return escape_line(link.owner.get_full_name().strip())[:MAX_SENDER] if link.owner.is_active else ""


def build_address(token: str) -> str:
    return build_link(reverse("client-link", args=[token]))


def end_links_of(connection: Connection) -> None:
    """Revoke the open links that renew this connection, in the transaction of the caller, who takes it away."""
    ConnectLink.objects.filter(connection=connection).revoke()


def erase_links_of(connection: Connection, label: str) -> None:
    """Revoke the links that renew or gave this connection, and erase what names people in them."""
    links = ConnectLink.objects.filter(Q(connection=connection) | Q(connected=connection))
    links.revoke()
    links.update(label=label, email="", mailed_at=None, came_back_as="")


def _clean(*, label: Any, email: Any, regions: Any, days: Any, language: Any) -> dict[str, Any]:
    cleaned: dict[str, Any] = {}
    errors: dict[str, list[str]] = {}
    for name, value, clean in (
        ("label", label, clean_label),
        ("email", email, _clean_address),
        ("regions", regions or all_regions(), clean_regions),
        ("days", days, _clean_days),
        ("language", language, _clean_language),
    ):
        try:
            cleaned[name] = clean(value)
        except ValidationError as error:
            errors[name] = error.messages
    if errors:
        raise ValidationError(errors)
    del cleaned["days"]
    return cleaned


def _clean_address(value: Any) -> str:
    # Not the line breaks at its ends: they are no slip of a person.
    address = value.strip(" ") if isinstance(value, str) else "\n"
    if not address:
        return ""
    try:
        validate_email(address)
    except ValidationError:
        raise ValidationError("It must be one e-mail address.") from None
    if len(address) > MAX_ADDRESS_LENGTH:
        raise ValidationError(f"An address has at most {MAX_ADDRESS_LENGTH} characters.")
    return address


def _clean_days(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_DAYS:
        raise ValidationError(f"A link works for 1 to {MAX_DAYS} days.")
    return value


def _clean_language(value: Any) -> str:
    known = dict(CLIENT_LANGUAGES)
    if value not in known:
        raise ValidationError(f"It must be one of: {', '.join(known)}.")
    return str(value)


def _check_connection(team: Team, connection: Connection) -> None:
    if connection.team_id != team.pk:
        raise ValidationError({"connection": f"It must be a connection of the team “{team}”."})
    if connection.is_forgotten:
        raise ValidationError({"connection": "The login was forgotten, so it cannot be renewed."})
    if not connection.is_of_this_application:
        raise ValidationError({"connection": connection.reason_unusable})


def _check_number(team: Team, email: str) -> None:
    # A person gets one mail a day with all links of mailings and reminders, so these are not counted.
    counted = ConnectLink.objects.filter(mailing=None, mail=None)
    if counted.open().filter(team=team).count() >= MAX_OPEN:
        raise ValidationError(
            f"“{team}” has {MAX_OPEN:,} open links. Revoke those that are not needed first."
        )
    if not email:
        return
    today = counted.filter(email__iexact=email, created_at__gt=Now() - timedelta(days=1))
    if today.count() >= MAX_MAILS_A_DAY:
        raise ValidationError(
            {
                "email": f"{MAX_MAILS_A_DAY} links were made for this address within a day. Wait a day, or leave the "
                "address out and pass the link on yourself."
            }
        )


def _queue_mail(link: ConnectLink) -> None:
    defer_once(
        mail_connect_link, f"{mail_connect_link.name}:{link.pk}", priority=PRIORITY, link_id=str(link.pk)
    )


# The token is made here, so that the queue stores none. Each try has another one, and the last link works.
@app.task(queue=UPKEEP, name="tokens.mail_connect_link", priority=PRIORITY)
def mail_connect_link(link_id: str, failures: int = 0) -> None:
    links = ConnectLink.objects.open().filter(pk=link_id).exclude(email="")
    link = links.select_related("team", "owner").first()
    if link is None:
        return
    token = secrets.token_urlsafe(32)
    message = write_mail(link, token)
    # Before the mail, which may be opened at once.
    if not links.update(digest=digest_token(token), mailed_at=None):
        return
    if send_or_try_again(message, mail_connect_link, failures, link_id=link_id):
        ConnectLink.objects.filter(pk=link_id, digest=digest_token(token)).update(mailed_at=Now())


def write_mail(link: ConnectLink, token: str) -> EmailMessage:
    """Return the mail in the language of the link."""
    with translation.override(link.language):
        team, label, sender = escape_line(link.team.name), escape_line(link.label), name_sender(link)
        values = {
            "team": team,
            "label": label,
            "who": _("{person} of {team}").format(person=sender, team=team) if sender else team,
            "address": build_address(token),
            "date": date_format(link.ends_at, "DATE_FORMAT"),
        }
        is_renewal = link.connection_id is not None
        subject = (
            _("{team} asks you to renew the access to your Amazon Ads account")
            if is_renewal
            else _("{team} asks for access to your Amazon Ads account")
        )
        why = (
            _(
                "{who} looks after the ad accounts of {label}. Amazon ends this access from time to time, so please "
                "renew it."
            )
            if is_renewal
            else _("{who} asks to look after the ad accounts of {label}.")
        )
        ends_at = link.connection.consent_ends_at if link.connection else None
        if ends_at is not None and ends_at > approximate_now():
            why = f"{why} " + _("The present access ends on {end}.")
            values["end"] = date_format(ends_at, "DATE_FORMAT")
        how = _(
            "Open this page, read what it is about, and continue to Amazon. It takes about a minute:\n\n"
            "{address}\n\n"
            "The link works once, until {date}. Nobody here ever sees your Amazon password.\n\n"
            "If you do not know {team}, delete this mail."
        )
        text = f"{why}\n\n{how}\n"
        return EmailMessage(subject=subject.format(**values), body=text.format(**values), to=[link.email])
