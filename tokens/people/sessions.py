"""Where Django keeps its sessions: SESSION_ENGINE.

The cookie has a random key, and the row the digest of the key, so nobody can sign in with what a dump of the database
holds. A session ends SESSION_IDLE_SECONDS after its last request and SESSION_MAX_SECONDS after its sign-in.
"""

import hashlib
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import VALID_KEY_CHARS, CreateError, SessionBase, UpdateError
from django.db import IntegrityError, transaction
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.db.models.functions import Now
from django.utils.crypto import get_random_string

from tokens.models.session import Session

# A page costs one query, and one UPDATE in this time.
SEEN_EVERY: Final = timedelta(minutes=5)


def digest_key(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


class SessionStore(SessionBase):
    # The asynchronous methods of SessionBase call the methods here in a thread. Those of Django's own store for the
    # database, which would store the key in clear, are not inherited.

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        # Kept when the key changes.
        self._sign_in: dict[str, Any] = {"address": None, "user_agent": ""}

    def note_sign_in(self, *, address: str | None, user_agent: str) -> None:
        self._sign_in = {"address": address, "user_agent": user_agent}

    def get_session_cookie_age(self) -> int:
        return int(settings.SESSION_MAX_SECONDS)

    def exists(self, session_key: str) -> bool:
        return Session.objects.filter(key_digest=digest_key(session_key)).exists()

    def load(self) -> dict[str, Any]:
        rows = Session.objects.filter(key_digest=digest_key(str(self.session_key)))
        is_due = ExpressionWrapper(Q(seen_at__lt=Now() - SEEN_EVERY), output_field=BooleanField())
        fields = ("data", "address", "user_agent")
        found = rows.live().order_by("id").values_list(*fields, is_due).first()
        if found is None:
            self._session_key = None
            return {}
        data, address, user_agent, is_seen_update_due = found
        if is_seen_update_due:
            rows.filter(seen_at__lt=Now() - SEEN_EVERY).update(seen_at=Now())
        self.note_sign_in(address=address, user_agent=user_agent)
        decoded: dict[str, Any] = self.decode(data)
        return decoded

    def create(self) -> None:
        # Read what the session has before it gets another key.
        self.items()
        self._session_key = get_random_string(32, VALID_KEY_CHARS)
        self.save(must_create=True)
        self.modified = True

    def save(self, must_create: bool = False) -> None:  # noqa: FBT001, FBT002
        """Store the data. Raises UpdateError if the session has ended: a running request cannot revive it."""
        key = self.session_key
        if key is None:
            self.create()
            return
        data = dict(self.items())
        stored = {"data": self.encode(data), "user_id": data.get(SESSION_KEY), **self._sign_in}
        digest = digest_key(key)
        if must_create:
            try:
                with transaction.atomic():
                    Session.objects.create(key_digest=digest, **stored)
            except IntegrityError as error:
                raise CreateError from error
        elif not Session.objects.live().filter(key_digest=digest).update(seen_at=Now(), **stored):
            raise UpdateError

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            Session.objects.filter(key_digest=digest_key(key)).delete()

    @classmethod
    def clear_expired(cls) -> None:
        Session.objects.ended().delete()
