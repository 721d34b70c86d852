"""Inviting people into a team by mail: inviting, sending again, revoking, accepting.

An invitation opens the team for whoever has the link in the mail: somebody new, who chooses a user name and a password,
or somebody who signs in as they always do.
"""

import hashlib
import math
import secrets
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.http import urlencode
from procrastinate.contrib.django import app

from amazon_accounts.postgresql.clock import database_now
from amazon_accounts.visible_text import escape_line
from amazon_accounts.web.links import build_link
from tokens.mail import PRIORITY, send_or_try_again
from tokens.models import AuditEntry, Invitation, Team
from tokens.models.invitation import MAX_ADDRESS_LENGTH
from tokens.people.audit import Action, AuditedObject, record_audit
from tokens.people.roles import Role
from tokens.people.teams import check_role, give_role_at_least, name_member, refuse_above
from tokens.permissions import System, get_person, may, require
from tokens.queues import UPKEEP, defer_once

LIFE: Final = timedelta(days=7)
# Each one is a mail to somebody who did not ask for it.
MAX_OPEN: Final = 200
# Of one person, to all their teams: new invitations, and links that are sent again.
MAX_MAILS_PER_HOUR: Final = 20
HOUR: Final = timedelta(hours=1)
MIN_PAUSE: Final = timedelta(minutes=5)
MAX_FIRST_NAME: Final = 60  # characters

TEXT = """\
{inviter} invites you to the team “{team}” at {site}, as {role}.

Open this link to accept. It works once, for seven days:

{link}

If you do not know what this is about, delete this mail.
"""


class InvitationVoidError(Exception):
    """The invitation opens nothing: it was accepted, revoked or has ended, or who invited may not invite any more."""


def digest_link(secret: str) -> str:
    # The secret has 256 random bits, so nobody finds it by its digest, and no slow hash is needed.
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


@transaction.atomic
def invite(user: User | System, team: Team, address: Any, role: Any) -> Invitation:
    """Invite whoever reads mail at this address to the team, with this role, for seven days.

    Raises PermissionDenied, and ValidationError for a malformed address, a role above that of the user, an address that
    is invited already, and for a person who has invited too many people in the last hour. Whether somebody with this address has a login here makes no difference.
    """
    require(user, "tokens.manage_members", team)
    check_role(role)
    refuse_above(user, team, role)
    cleaned = _clean_address(address)
    invitations = Invitation.objects.filter(team=team)
    if invitations.open().count() >= MAX_OPEN:
        raise ValidationError(
            f"{MAX_OPEN} people are invited to “{team}” already. Revoke an invitation first."
        )
    _refuse_too_many_mails(user)
    # One that has ended makes room.
    invitations.filter(email__iexact=cleaned, ends_at__lte=Now()).delete()
    try:
        with transaction.atomic():
            invitation = Invitation.objects.create(
                team=team, email=cleaned, role=role, invited_by=get_person(user), ends_at=Now() + LIFE
            )
    except IntegrityError:
        # The constraint one_invitation_per_team_and_address.
        raise ValidationError(
            {"email": f"{cleaned} is invited to “{team}” already. Send or revoke that invitation."}
        ) from None
    record_audit(user, Action.INVITATION_MAKE, invitation, after={"role": role})
    _queue_mail(invitation)
    return invitation


@transaction.atomic
def send_invitation_again(user: User | System, invitation: Invitation) -> None:
    """Mail a new link, which works for seven days, in the name of the user. The link that was sent before ends.

    Raises PermissionDenied, Invitation.DoesNotExist, and ValidationError for a role above that of the user, for an
    invitation whose last mail is not old enough, and as `invite` for too many mails.
    """
    require(user, "tokens.manage_members", invitation.team)
    refuse_above(user, invitation.team, invitation.role)
    _refuse_too_many_mails(user)
    # It ends so long after its last mail was asked for. Of parallel requests one finds it old enough.
    is_old_enough = Q(ends_at__lte=Now() + (LIFE - MIN_PAUSE))
    found = Invitation.objects.filter(pk=invitation.pk)
    changed = found.filter(is_old_enough).update(
        digest=None, mailed_at=None, invited_by=get_person(user), ends_at=Now() + LIFE
    )
    if not changed:
        ends_at = found.values_list("ends_at", flat=True).first()
        if ends_at is None:
            raise Invitation.DoesNotExist
        when = _describe_wait(ends_at - LIFE + MIN_PAUSE)
        raise ValidationError(f"A mail to {invitation.email} was just asked for. Send it again {when}.")
    record_audit(user, Action.INVITATION_SEND_AGAIN, invitation, after={"role": invitation.role})
    _queue_mail(invitation)


@transaction.atomic
def revoke_invitation(user: User | System, invitation: Invitation) -> bool:
    """End the invitation; return False if it was accepted or revoked before. Raises PermissionDenied."""
    require(user, "tokens.manage_members", invitation.team)
    named = AuditedObject.of(invitation)
    deleted, _ = Invitation.objects.filter(pk=invitation.pk).delete()
    if deleted:
        record_audit(user, Action.INVITATION_REVOKE, named, before={"role": invitation.role})
    return bool(deleted)


def find_invitation(digest: str) -> Invitation | None:
    """Return the invitation to which the link with this digest leads, if it can be accepted now."""
    if not digest:
        return None
    invitation = Invitation.objects.open().select_related("team", "invited_by").filter(digest=digest).first()
    return invitation if invitation and is_still_meant(invitation) else None


def is_still_meant(invitation: Invitation) -> bool:
    """Return whether the person who invited could invite with this role at this moment."""
    inviter = invitation.invited_by
    if inviter is None:
        return True
    if not (inviter.is_staff and may(inviter, "tokens.manage_members", invitation.team)):
        return False
    try:
        refuse_above(inviter, invitation.team, invitation.role)
    except ValidationError:
        return False
    return True


def has_login(invitation: Invitation) -> bool:
    """Return whether somebody with the invited address has a login here, also one that is turned off."""
    return User.objects.filter(email__iexact=invitation.email).exists()


@transaction.atomic
def accept_invitation(person: User, digest: str) -> Team:
    """Make the person a member of staff and of the team. Who has a higher role there keeps it.

    Raises InvitationVoidError, also for a person who is not active.
    """
    # The right of the person who invited does not end between its check and the end of this transaction.
    locked = Team.objects.select_for_update(no_key=True)
    team = locked.filter(pk__in=Invitation.objects.filter(digest=digest).values("team")).first()
    invitation = find_invitation(digest)
    if team is None or invitation is None:
        raise InvitationVoidError
    # Of several who accept, revoke or send again at the same time, one finds the row.
    deleted, _ = Invitation.objects.open().filter(pk=invitation.pk, digest=digest).delete()
    # By an update, so that nothing else that this object of the person holds is stored.
    is_staff = User.objects.filter(pk=person.pk, is_active=True).update(is_staff=True)
    if not (deleted and is_staff):
        raise InvitationVoidError
    before, role = give_role_at_least(team, person, invitation.role)
    inviter = invitation.invited_by
    record_audit(
        person,
        Action.INVITATION_ACCEPT,
        name_member(team, person),
        before={"role": before} if before else None,
        after={
            "role": role,
            "invited_by": inviter.get_username() if inviter else None,
            "invitation": str(invitation.pk),
        },
    )
    return team


@transaction.atomic
def accept_as_new_person(digest: str, name: str, password: str) -> User:
    """Make the person whom the invitation asks for, with the invited address.

    The caller has validated the name and the password. Raises InvitationVoidError, also if somebody with this address
    has a login, and IntegrityError if the name was taken a moment ago.
    """
    invitation = find_invitation(digest)
    if invitation is None or has_login(invitation):
        raise InvitationVoidError
    person = User.objects.create_user(name, invitation.email, password)
    record_audit(person, Action.PERSON_MAKE, person, after={"by": "invitation"})
    accept_invitation(person, digest)
    return User.objects.get(pk=person.pk)


def _refuse_too_many_mails(user: User | System) -> None:
    if isinstance(user, System):
        return
    # Locked, so that parallel requests of the person count each other. The trail has what was sent, also what was
    # revoked since.
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    sent = AuditEntry.objects.filter(
        actor_name=user.get_username(),
        actor_id=user.pk,
        action__in=[Action.INVITATION_MAKE, Action.INVITATION_SEND_AGAIN],
        at__gt=Now() - HOUR,
    )
    times = list(sent.order_by("-at").values_list("at", flat=True)[:MAX_MAILS_PER_HOUR])
    if len(times) == MAX_MAILS_PER_HOUR:
        when = _describe_wait(times[-1] + HOUR)
        raise ValidationError(
            f"One person sends at most {MAX_MAILS_PER_HOUR} invitations in an hour. You can send the next one {when}."
        )


def _describe_wait(until: datetime) -> str:
    minutes = max(math.ceil((until - database_now()).total_seconds() / 60), 1)
    return f"in {minutes} minute{'' if minutes == 1 else 's'}"


def _clean_address(value: Any) -> str:
    address = value.strip() if isinstance(value, str) else ""
    try:
        validate_email(address)
    except ValidationError:
        raise ValidationError({"email": "It must be an e-mail address."}) from None
    if len(address) > MAX_ADDRESS_LENGTH:
        raise ValidationError({"email": f"An address has at most {MAX_ADDRESS_LENGTH} characters."})
    return address


def _queue_mail(invitation: Invitation) -> None:
    defer_once(
        mail_invitation,
        f"{mail_invitation.name}:{invitation.pk}",
        priority=PRIORITY,
        invitation_id=str(invitation.pk),
    )


# The secret is made here, so that the queue stores none. Each try has another one, and the last link works.
@app.task(queue=UPKEEP, name="tokens.mail_invitation", priority=PRIORITY)
def mail_invitation(invitation_id: str, failures: int = 0) -> None:
    invitations = Invitation.objects.open().filter(pk=invitation_id)
    invitation = invitations.select_related("team", "invited_by").first()
    if invitation is None or not is_still_meant(invitation):
        return
    secret = secrets.token_urlsafe(32)
    # In the query, because logs have paths.
    link = build_link(f"{reverse('invitation')}?{urlencode({'key': secret})}")
    text = TEXT.format(
        inviter=name_inviter(invitation),
        team=invitation.team,
        site=settings.PUBLIC_URL,
        role=Role(invitation.role).label.lower(),
        link=link,
    )
    message = EmailMessage(subject="An invitation to Amazon Accounts", body=text, to=[invitation.email])
    digest = digest_link(secret)
    # Before the mail, which may be opened at once.
    if not invitations.update(digest=digest, mailed_at=None):
        return
    if send_or_try_again(message, mail_invitation, failures, invitation_id=invitation_id):
        Invitation.objects.filter(pk=invitation_id, digest=digest).update(mailed_at=Now())


def name_inviter(invitation: Invitation) -> str:
    """Return how a stranger reads who has invited them: no user name, because people sign in with it."""
    first_name = invitation.invited_by.first_name if invitation.invited_by else ""
    return escape_line(first_name.strip())[:MAX_FIRST_NAME] or "An administrator"
