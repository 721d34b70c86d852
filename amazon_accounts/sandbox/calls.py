"""One request: which API it is for, and which login and client it comes from."""

import base64
import binascii
import random
import string
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal, get_args
from urllib.parse import parse_qsl

from amazon_accounts.sandbox.login_with_amazon.grants import Grants, Token, fingerprint
from amazon_accounts.sandbox.world.entities import Login, World
from amazon_accounts.sandbox.world.geography import REGIONS, Region

Area = Literal["api", "authorize", "token", "profile", "tokeninfo"]
Credential = Literal["none", "unknown", "expired", "valid"]
RID_ALPHABET = string.ascii_uppercase + string.digits


@dataclass
class Call:
    area: Area
    method: str
    #: Amazon's path, without `/{region}/api` or `/{region}`.
    path: str
    region: Region | None
    url: str
    query: dict[str, str]
    #: By names in lower case.
    headers: Mapping[str, str]
    body: bytes
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    rid: str = field(default_factory=lambda: "".join(random.choices(RID_ALPHABET, k=20)))
    form: dict[str, str] | None = None
    #: The login that the token or code belongs to, even if the call is refused later.
    login: Login | None = None
    client_id: str = ""
    token: Token | None = None
    credential: Credential = "none"
    fingerprint: str = ""
    #: Of a list that is read in pages: the range of records on this page, and the token that asked for it.
    page_range: tuple[int, int] | None = None
    page_token: str = ""
    #: Names of the faults that hit this call.
    faults: list[str] = field(default_factory=list)

    def identify(self, world: World, grants: Grants) -> None:
        """Find the token and its login for faults, limits and the journal. Nothing is refused here."""
        if self.area == "token":
            self._identify_form(world, grants)
        else:
            self._identify_bearer(world, grants)

    def is_at(self, *, area: str, path: str, region: str, login: str) -> bool:
        """Whether the call matches all four. An empty value matches every call; the path may be a pattern."""
        return (
            area in {"", self.area}
            and (not path or fnmatchcase(self.path, path))
            and region in {"", self.region}
            and (not login or (self.login is not None and self.login.login_id == login))
        )

    def bearer(self) -> str:
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        return value if scheme == "Bearer" else ""

    @property
    def ads_account_id(self) -> str:
        return self.headers.get("amazon-ads-accountid", "")

    def _identify_bearer(self, world: World, grants: Grants) -> None:
        self.client_id = self.headers.get("amazon-advertising-api-clientid", "")
        value = self.bearer()
        if self.area in {"profile", "tokeninfo"}:
            value = value or self.headers.get("x-amz-access-token", "") or self.query.get("access_token", "")
        if value:
            self._know(value, grants.read(value, "access"), world, grants)

    def _identify_form(self, world: World, grants: Grants) -> None:
        self.form = read_form(self.headers.get("content-type", ""), self.body)
        if self.form is None:
            return
        self.client_id = self.form.get("client_id", "") or basic_credentials(self.headers)[0]
        if value := self.form.get("refresh_token"):
            self._know(value, grants.read(value, "refresh"), world, grants)
        elif code := self.form.get("code"):
            self.fingerprint = fingerprint(code)
            self.login = world.logins.get(grants.login_of_code(code) or "")

    def _know(self, value: str, token: Token | None, world: World, grants: Grants) -> None:
        self.fingerprint = fingerprint(value)
        self.token = token
        if token is None or token.grant.login_id not in world.logins:
            self.credential = "unknown"
            return
        self.login = world.logins[token.grant.login_id]
        self.credential = "valid" if grants.is_alive(value, token) else "expired"


def check_place(area: str, region: str) -> None:
    """Raise ValueError unless both are known or empty."""
    for value, known in ((area, get_args(Area)), (region, REGIONS)):
        if value and value not in known:
            raise ValueError(f"There is no {value!r}; there are {', '.join(known)}.")


def read_form(content_type: str, body: bytes) -> dict[str, str] | None:
    """The fields of a form-encoded body, or None if the body is not form-encoded."""
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return None
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=100))
    except ValueError:
        return None


def basic_credentials(headers: Mapping[str, str]) -> tuple[str, str]:
    """Client id and secret from HTTP Basic, or two empty strings."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return user, password
