"""The provider of OIDC_SERVER_URL: its addresses, what is sent along, and what its tokens must say."""

import base64
import hashlib
import hmac
import math
import re
import unicodedata
from typing import Any, Final
from urllib.parse import urlsplit

import jwt
from allauth.account.internal.emailkit import valid_email_or_none
from allauth.socialaccount.models import SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.core.cache import caches
from django.http import HttpRequest
from django.urls import reverse

from amazon_accounts.amazon_ads.foreign_text import clean_explanation
from amazon_accounts.web.links import build_link
from tokens.sign_in.oidc.calls import ProviderSession
from tokens.sign_in.oidc.errors import UselessAnswerError

Claims = dict[str, Any]

DISCOVERY_CACHE_SECONDS: Final = 600
MAX_CLOCK_DIFFERENCE_SECONDS: Final = 60
ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
# OpenID Connect allows 255 characters of ASCII; allauth stores 191.
SUBJECT: Final = re.compile(r"[\x20-\x7e]{1,191}")
# It is sent in a header.
BEARER_TOKEN: Final = re.compile(r"[\x21-\x7e]+")


class ProviderAdapter(OpenIDConnectOAuth2Adapter):
    """allauth's flow, which checks the state, with the checks that allauth leaves out."""

    _nonce = ""

    @property
    def openid_config(self) -> Claims:
        return read_discovery_document()

    def get_callback_url(self, _request: HttpRequest, _app: object) -> str:
        return build_link(reverse("single_sign_on_callback"))

    def get_access_token_data(
        self, request: HttpRequest, app: object, client: object, pkce_code_verifier: str | None = None
    ) -> Claims:
        self._nonce = make_nonce(pkce_code_verifier or "")
        data: Claims = super().get_access_token_data(request, app, client, pkce_code_verifier)
        return data

    def parse_token(self, data: Claims) -> SocialToken:
        token = data["access_token"]
        if not isinstance(token, str) or not BEARER_TOKEN.fullmatch(token):
            raise UselessAnswerError("the provider's access token is malformed")
        return SocialToken(token=token)

    def complete_login(
        self, request: HttpRequest, app: SocialApp, token: SocialToken, **options: Any
    ) -> SocialLogin:
        id_token = options["response"].get("id_token")
        if not isinstance(id_token, str):
            raise UselessAnswerError("the provider sent no ID token")
        claims = self._decode_id_token(app, id_token)
        if not hmac.compare_digest(str(claims.get("nonce")).encode(errors="replace"), self._nonce.encode()):
            raise UselessAnswerError("the ID token is for another sign-in: its nonce is wrong")
        provider = self.get_provider()
        provider.signed_in_at = read_auth_time(claims)
        if "userinfo_endpoint" in self.openid_config:
            info = self._fetch_user_info(token.token)
            if info.get("sub") != claims.get("sub"):
                raise UselessAnswerError("the provider's user info is about another person than its ID token")
            claims |= info
        provider.groups = read_groups(claims)
        return provider.sociallogin_from_response(request, claims)

    def _decode_id_token(self, app: SocialApp, id_token: str) -> Claims:
        # The token came straight from the provider, so OpenID Connect asks for no check of its signature. allauth would
        # keep the token's id against a second use, which the nonce prevents already.
        try:
            claims: Claims = jwt.decode(
                id_token,
                options={
                    "verify_signature": False,
                    "verify_exp": True,
                    "verify_iss": True,
                    "verify_aud": True,
                    "require": ["exp", "iss", "aud", "sub"],
                },
                issuer=self.openid_config["issuer"],
                audience=app.client_id,
                leeway=MAX_CLOCK_DIFFERENCE_SECONDS,
            )
        except (jwt.PyJWTError, TypeError, OverflowError, RecursionError) as error:
            raise UselessAnswerError(
                f"the provider's ID token is not valid ({type(error).__name__})"
            ) from None
        # A token for several clients names the one that asked.
        if claims.get("azp", app.client_id) != app.client_id or (
            isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and "azp" not in claims
        ):
            raise UselessAnswerError("the provider's ID token was made for another client")
        return claims


class Provider(OpenIDConnectProvider):
    oauth2_adapter_class = ProviderAdapter
    # When the person last showed the provider that it is them, if its ID token says so.
    signed_in_at: float | None = None
    # What the provider says of this person, if it says it.
    groups: frozenset[str] | None = None

    def get_pkce_params(self) -> dict[str, str]:
        params: dict[str, str] = super().get_pkce_params()
        # The verifier stays in the session until the return, so the nonce needs no place of its own.
        return {**params, "nonce": make_nonce(params["code_verifier"])}

    def extract_uid(self, data: Claims) -> str:
        subject = data.get("sub")
        if not isinstance(subject, str) or not SUBJECT.fullmatch(subject):
            raise UselessAnswerError("the provider names no person: the claim sub is missing or malformed")
        return subject

    def extract_extra_data(self, _data: Claims) -> Claims:
        # Claims are data about people, and nothing here reads them later.
        return {}

    def extract_common_fields(self, data: Claims) -> dict[str, str]:
        is_doubted = str(data.get("email_verified")).lower() == "false"
        return {
            # As Django writes the names that are typed: a look-alike of a known name is the same name.
            "username": unicodedata.normalize("NFKC", clean_explanation(data.get("preferred_username"))),
            "email": "" if is_doubted else clean_explanation(data.get("email")),
            "name": clean_explanation(data.get("name")),
            "first_name": clean_explanation(data.get("given_name")),
            "last_name": clean_explanation(data.get("family_name")),
        }

    def extract_email_addresses(self, _data: Claims) -> list[Any]:
        return []

    def cleanup_email_addresses(self, email: str | None, addresses: list[Any], **_: object) -> str | None:
        # The rows of addresses find people. An address of the provider finds nobody.
        addresses.clear()
        valid: str | None = valid_email_or_none(email)
        return valid


def read_auth_time(claims: Claims) -> float | None:
    """Return when the person last showed the provider that it is them, or None if the ID token does not say it."""
    value = claims.get("auth_time")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value < math.inf else None


def read_groups(claims: Claims) -> frozenset[str] | None:
    """Return the groups of the person, or None if the claim is missing or is no list of texts."""
    value = claims.get(settings.OIDC_GROUPS_CLAIM)
    if not isinstance(value, list) or not all(isinstance(group, str) for group in value):
        return None
    return frozenset(value)


def make_nonce(code_verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(f"nonce {code_verifier}".encode()).digest()).decode()


def read_discovery_document() -> Claims:
    """Return the addresses of the provider. They are kept for some minutes, because each sign-in asks twice."""
    key = f"oidc-discovery:{settings.OIDC_SERVER_URL}"
    known: Claims | None = caches["process"].get(key)
    if known is None:
        with ProviderSession() as session:
            known = session.get(f"{settings.OIDC_SERVER_URL}/.well-known/openid-configuration").json()
        _check_discovery_document(known)
        caches["process"].set(key, known, DISCOVERY_CACHE_SECONDS)
    return known


def _check_discovery_document(document: Claims) -> None:
    issuer = document.get("issuer")
    if not isinstance(issuer, str) or issuer.rstrip("/") != settings.OIDC_SERVER_URL:
        raise UselessAnswerError("the issuer that the provider names is not OIDC_SERVER_URL")
    for name in (*ENDPOINTS, *({"userinfo_endpoint"} & document.keys())):
        if not _is_address(document.get(name)):
            raise UselessAnswerError(f"the provider's {name} is missing, malformed or not https")
    if not isinstance(document.get("token_endpoint_auth_methods_supported", []), list):
        raise UselessAnswerError("the provider's token_endpoint_auth_methods_supported is no list")


def _is_address(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        address = urlsplit(value)
        host = address.hostname
    except ValueError:
        return False
    # A provider that is reached over https sends nobody, and no secret, over http.
    schemes = {"https", urlsplit(settings.OIDC_SERVER_URL).scheme}
    return bool(host) and address.scheme in schemes
