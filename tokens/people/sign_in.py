"""What a session remembers of its sign-in, and what the audit trail has of sign-ins, passwords and second factors.

The libraries send a signal when they have done it. So these entries are written right after it, and not in the same
transaction.
"""

from typing import Any

from allauth.account.signals import password_changed, password_reset, password_set
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added, authenticator_removed, authenticator_reset
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.http import HttpRequest

from tokens.models.session import MAX_USER_AGENT_CHARACTERS
from tokens.people.audit import Action, record_audit
from tokens.people.sessions import SessionStore
from tokens.sign_in.remote_address import read_remote_address


def note_sign_in(request: HttpRequest, **_: Any) -> None:
    if not isinstance(request.session, SessionStore):
        return
    user_agent = request.headers.get("User-Agent", "")[:MAX_USER_AGENT_CHARACTERS]
    request.session.note_sign_in(
        address=read_remote_address(request),
        # PostgreSQL refuses NUL, and a terminal obeys control characters.
        user_agent="".join(character for character in user_agent if character.isprintable()),
    )


def record_sign_out(user: User | None, **_: Any) -> None:
    if user is not None:
        record_audit(user, Action.SESSION_SIGN_OUT, user)


def record_password_change(user: User, **_: Any) -> None:
    record_audit(user, Action.PASSWORD_CHANGE, user)


def record_password_reset(user: User, **_: Any) -> None:
    # By a link in a mail, so the person is not signed in.
    record_audit(user, Action.PASSWORD_RESET, user)


def record_factor_added(user: User, authenticator: Authenticator, **_: Any) -> None:
    _record_factor(user, Action.SECOND_FACTOR_ADD, authenticator)


def record_factor_removed(user: User, authenticator: Authenticator, **_: Any) -> None:
    _record_factor(user, Action.SECOND_FACTOR_REMOVE, authenticator)


def record_codes_renewed(user: User, authenticator: Authenticator, **_: Any) -> None:
    record_audit(user, Action.SECOND_FACTOR_RENEW, authenticator)


def _record_factor(user: User, action: Action, factor: Authenticator) -> None:
    # Recovery codes come with the first factor and go with the last.
    if factor.type != Authenticator.Type.RECOVERY_CODES:
        record_audit(user, action, factor)


def listen() -> None:
    receivers = [
        (user_logged_in, note_sign_in),
        (user_logged_out, record_sign_out),
        (password_changed, record_password_change),
        (password_set, record_password_change),
        (password_reset, record_password_reset),
        (authenticator_added, record_factor_added),
        (authenticator_removed, record_factor_removed),
        (authenticator_reset, record_codes_renewed),
    ]
    for signal, receiver in receivers:
        signal.connect(receiver, dispatch_uid=f"tokens.people.{receiver.__name__}")
