"""Consents, codes and tokens.

A token carries its facts, signed with the world's seed. A restarted sandbox therefore accepts the tokens that
it issued before, and the connections of a demo keep working. Codes, revocations and ended tokens are kept in
memory only.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from typing import Literal

from amazon_accounts.sandbox.choices import Choices
from amazon_accounts.sandbox.clock import Clock
from amazon_accounts.sandbox.world.entities import World

Kind = Literal["access", "refresh"]
PREFIX: dict[Kind, str] = {"access": "Atza|", "refresh": "Atzr|"}
#: The minimum length of the part after the prefix, as seen in Amazon's tokens.
LENGTH: dict[Kind, int] = {"access": 380, "refresh": 420}
SIGNATURE_LENGTH = 43  # SHA-256 in base64url without padding
CODE_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True)
class Grant:
    login_id: str
    client_id: str
    scopes: tuple[str, ...]
    #: Grows with every consent. A revocation ends all grants up to a number.
    number: int
    consented_at: float


@dataclass(frozen=True)
class Token:
    kind: Kind
    grant: Grant
    #: Microseconds since 1970; unique.
    issued: int
    expires_at: float


@dataclass
class Code:
    grant: Grant
    redirect_uri: str
    challenge: str
    challenge_method: str
    issued_at: float
    is_used: bool = False


@dataclass
class _Ended:
    """What ended before it expired."""

    grants: dict[tuple[str, str], int] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    by_login: dict[tuple[Kind, str], int] = field(default_factory=dict)


class Grants:
    def __init__(self, world: World, clock: Clock, choices: Choices) -> None:
        self._world = world
        self._clock = clock
        self._choices = choices
        self._last_stamp = 0
        self._codes: dict[str, Code] = {}
        self._ended = _Ended()

    def reset(self) -> None:
        """Forget codes and revocations. Tokens stay valid while the seed and their login exist."""
        self._codes.clear()
        self._ended = _Ended()

    def consent(
        self, login_id: str, client_id: str, scopes: tuple[str, ...], *, consented_at: float | None = None
    ) -> Grant:
        return Grant(
            login_id=login_id,
            client_id=client_id,
            scopes=scopes,
            number=self._stamp(),
            consented_at=self._clock.now() if consented_at is None else consented_at,
        )

    def revoke(self, login_id: str, client_id: str) -> None:
        """End every consent given so far, as when the person removes the application."""
        self._ended.grants[login_id, client_id] = self._stamp()

    def is_revoked(self, grant: Grant) -> bool:
        return grant.number <= self._ended.grants.get((grant.login_id, grant.client_id), 0)

    def new_code(self, grant: Grant, *, redirect_uri: str, challenge: str, challenge_method: str) -> str:
        value = "AN" + "".join(secrets.choice(CODE_ALPHABET) for _ in range(18))
        self._codes[value] = Code(grant, redirect_uri, challenge, challenge_method, self._clock.now())
        return value

    def find_code(self, value: str) -> Code | None:
        """The code if it was issued, is unused and has not expired."""
        code = self._codes.get(value)
        if code is None or code.is_used or self._clock.now() - code.issued_at > self._choices.code_seconds:
            return None
        return code

    def login_of_code(self, value: str) -> str | None:
        code = self._codes.get(value)
        return code.grant.login_id if code else None

    def new_refresh_token(self, grant: Grant) -> str:
        return self._sign("refresh", grant, expires_at=0.0)

    def new_access_token(self, grant: Grant) -> str:
        return self._sign("access", grant, expires_at=self._clock.now() + self._choices.access_token_seconds)

    def read(self, value: str, kind: Kind) -> Token | None:
        """The facts of a token of this sandbox, expired or not, or None for any other text."""
        if not value.startswith(PREFIX[kind]):
            return None
        text = value.removeprefix(PREFIX[kind])
        payload, signature = text[:-SIGNATURE_LENGTH], text[-SIGNATURE_LENGTH:]
        if not hmac.compare_digest(
            signature.encode("utf-8", "replace"), self._signature(kind, payload).encode()
        ):
            return None
        try:
            facts = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except (binascii.Error, ValueError):
            return None
        grant = Grant(
            login_id=facts["login"],
            client_id=facts["client"],
            scopes=tuple(facts["scopes"]),
            number=facts["number"],
            consented_at=facts["consented_at"],
        )
        # New stamps must exceed the stamps from before a restart, or a revocation would miss old tokens.
        self._last_stamp = max(self._last_stamp, facts["issued"])
        return Token(kind, grant, facts["issued"], self._expiry(kind, grant, facts["expires_at"]))

    def is_alive(self, value: str, token: Token) -> bool:
        """Whether the token has neither expired nor been ended. A revoked grant is checked by `is_revoked`."""
        return (
            self._clock.now() < token.expires_at
            and fingerprint(value) not in self._ended.tokens
            and token.issued > self._ended.by_login.get((token.kind, token.grant.login_id), 0)
            and token.issued > self._ended.by_login.get((token.kind, ""), 0)
        )

    def end_token(self, value: str) -> None:
        self._ended.tokens.add(fingerprint(value))

    def end_tokens(self, kind: Kind, login_id: str = "") -> None:
        """End the tokens issued so far to one login, or to every login."""
        self._ended.by_login[kind, login_id] = self._stamp()

    def _stamp(self) -> int:
        self._last_stamp = max(self._last_stamp + 1, int(self._clock.now() * 1_000_000))
        return self._last_stamp

    def _expiry(self, kind: Kind, grant: Grant, expires_at: float) -> float:
        if kind == "access":
            return expires_at
        days = self._choices.refresh_token_days
        return grant.consented_at + days * 86_400 if days else float("inf")

    def _sign(self, kind: Kind, grant: Grant, *, expires_at: float) -> str:
        facts = {
            "login": grant.login_id,
            "client": grant.client_id,
            "scopes": grant.scopes,
            "number": grant.number,
            "consented_at": grant.consented_at,
            "issued": self._stamp(),
            "expires_at": expires_at,
        }
        text = json.dumps(facts, separators=(",", ":"))
        # Amazon's tokens are longer. JSON allows blanks at its end.
        text += " " * ((LENGTH[kind] - SIGNATURE_LENGTH) * 3 // 4 + 1 - len(text))
        payload = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        return PREFIX[kind] + payload + self._signature(kind, payload)

    def _signature(self, kind: str, payload: str) -> str:
        key = hashlib.sha256(f"made-up Amazon {self._world.seed} {kind}".encode()).digest()
        digest = hmac.digest(key, payload.encode("utf-8", "surrogatepass"), "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def sign_page_token(self, login_id: str, position: int | str) -> str:
        """A nextToken that works for this login only: from an offset, or behind the record with an id."""
        facts = {"o": position, "l": login_id, "t": self._clock.now()}
        payload = base64.urlsafe_b64encode(json.dumps(facts).encode()).decode().rstrip("=")
        return f"{payload}.{self._signature('page', payload)}"

    def read_page_token(self, value: str, login_id: str) -> int | str | None:
        """The position, or None if the token is invalid, expired or of another login."""
        payload, _, signature = value.partition(".")
        if not hmac.compare_digest(
            signature.encode("utf-8", "replace"), self._signature("page", payload).encode()
        ):
            return None
        facts = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        life = self._choices.next_token_seconds
        if facts["l"] != login_id or (life and self._clock.now() - facts["t"] > life):
            return None
        position: int | str = facts["o"]
        return position


def fingerprint(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:12]
