"""What a session remembers of its sign-in."""

from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest

from tokens.models.session import MAX_USER_AGENT_CHARACTERS
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


def listen() -> None:
    user_logged_in.connect(note_sign_in, dispatch_uid="tokens.people.note_sign_in")
