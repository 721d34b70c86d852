"""The cookie by which a browser is known in which a person has signed in before.

It opens nothing. It only lets its person try a password while strangers use up the turns of that person.
"""

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from amazon_accounts.web.cookies import name_cookie, set_cookie
from tokens.sign_in.throttle import digest_name

COOKIE = "known_browser"
SALT = "tokens.sign_in.known_browser"
LIFE = timedelta(days=365)
MAX_PEOPLE = 5


@dataclass
class KnownBrowser:
    id: str = ""
    people: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, request: HttpRequest) -> "KnownBrowser":
        try:
            content: Any = signing.loads(
                request.COOKIES.get(name_cookie(COOKIE), ""), salt=SALT, max_age=LIFE
            )
            return cls(content["id"], content["people"])
        except (signing.BadSignature, ValueError, KeyError, TypeError):
            return cls()

    def id_for(self, name: str) -> str | None:
        """Return the browser's id if the person with this name has signed in here."""
        return self.id if self.id and digest_name(name) in self.people else None

    def remember(self, name: str, response: HttpResponseBase) -> None:
        person = digest_name(name)
        people = [person, *(known for known in self.people if known != person)][:MAX_PEOPLE]
        content = {"id": self.id or secrets.token_urlsafe(12), "people": people}
        set_cookie(response, COOKIE, signing.dumps(content, salt=SALT), life=LIFE)
