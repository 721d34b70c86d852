"""How often a password or a second factor may be tried, asked before it is checked.

Three limits hold together for a password: the person from one address, the address, and the person from everywhere. The
last limit is wide, because anybody can use it up and so keep a person out. A second factor has a narrow limit for the
person, because only somebody with the password reaches it. A browser in which the person has signed in before passes
these limits: its own limit holds instead.
"""

import hashlib
import ipaddress
import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from amazon_accounts.postgresql.statements import load


@dataclass(frozen=True)
class Pace:
    """The first `burst` turns are free; after them there is one turn for each pause."""

    burst: int
    pause: timedelta


PERSON_AT_ADDRESS = Pace(burst=5, pause=timedelta(seconds=60))
ADDRESS = Pace(burst=30, pause=timedelta(seconds=5))
PERSON = Pace(burst=50, pause=timedelta(seconds=60))
KNOWN_BROWSER = Pace(burst=5, pause=timedelta(seconds=60))
SECOND_FACTOR = Pace(burst=5, pause=timedelta(seconds=60))
# No password is tried. Each start stores a session, and a whole company may have one address.
START = Pace(burst=60, pause=timedelta(seconds=2))


@dataclass(frozen=True)
class Attempt:
    """One try of a password, a second factor or a link, or one start of a sign-in, with the keys that limit it."""

    paces: tuple[tuple[str, Pace], ...]

    @classmethod
    def make(cls, name: str, address: str | None, browser: str | None) -> "Attempt":
        person = digest_name(name)
        if browser:
            return cls((_pace(KNOWN_BROWSER, "browser", person, browser),))
        network = _network(address)
        return cls(
            (
                _pace(PERSON_AT_ADDRESS, "person at address", person, network),
                _pace(ADDRESS, "address", network),
                _pace(PERSON, "person", person),
            )
        )

    @classmethod
    def make_for_second_factor(cls, user_id: int, address: str | None, browser: str | None) -> "Attempt":
        if browser:
            return cls((_pace(KNOWN_BROWSER, "second factor in browser", str(user_id), browser),))
        return cls(
            (
                _pace(SECOND_FACTOR, "second factor", str(user_id)),
                _pace(ADDRESS, "second factors at address", _network(address)),
            )
        )

    @classmethod
    def make_for_start(cls, kind: str, address: str | None) -> "Attempt":
        return cls((_pace(START, kind, _network(address)),))

    @classmethod
    def make_for_link(cls, kind: str, address: str | None) -> "Attempt":
        """A try of a link whose secret may be guessed. Give it back if the link is right."""
        return cls((_pace(ADDRESS, kind, _network(address)),))

    @property
    def _keys(self) -> list[str]:
        return [key for key, _ in self.paces]

    def seconds_to_wait(self, *, takes_turn: bool = True) -> int:
        """Return 0 and take a turn, or return how long the person must wait. Without `takes_turn`, only look."""
        parameters: dict[str, Any] = {
            "keys": self._keys,
            "pauses": [pace.pause for _, pace in self.paces],
            "allowed": [pace.pause * pace.burst for _, pace in self.paces],
        }
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(load(__file__, "take_turns"), parameters)
            too_early = float(cursor.fetchone()[0])
            # A refused try takes no turn: else somebody who goes on trying would keep a person out for good.
            transaction.set_rollback(too_early > 0 or not takes_turn)
        return max(math.ceil(too_early), 0)

    def give_back(self) -> None:
        """Forget the turn, because the password or the second factor was right."""
        with connection.cursor() as cursor:
            cursor.execute(load(__file__, "give_turns_back"), {"keys": self._keys})


def digest_name(name: str) -> str:
    """Return a digest that is the same however the name was typed. Unknown names have one too."""
    return _digest([unicodedata.normalize("NFKC", name).strip().casefold()])


def _pace(pace: Pace, *parts: str) -> tuple[str, Pace]:
    return _digest(parts), pace


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()


def _network(address: str | None) -> str:
    # One customer of a provider has a whole network of IPv6.
    if not address:
        return ""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address
