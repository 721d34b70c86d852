"""One reader for every shape in which Amazon says no, and one table of what each means.

Decisions are made by status and code. Text decides only where Amazon gives nothing else: at the four kinds of 401
(https://advertising.amazon.com/API/docs/en-us/reference/concepts/errors).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from amazon_accounts.amazon_ads.errors import (
    AmazonError,
    ApplicationRefusedError,
    ForbiddenError,
    GrantRevokedError,
    InvalidGrantCodeError,
    NotFoundError,
    PermanentError,
    ThrottledError,
    TransientError,
    UnauthorizedError,
)
from amazon_accounts.amazon_ads.foreign_text import clean_explanation, clean_identifier
from amazon_accounts.amazon_ads.json_body import NotJsonError, decode_json
from amazon_accounts.amazon_ads.retry_after import parse_retry_after

REQUEST_ID_HEADERS = ("x-amzn-requestid", "x-amz-request-id", "x-amz-rid")


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """What Amazon said, whichever shape it had."""

    status: int
    code: str
    text: str
    request_id: str
    retry_after: float | None
    #: False for HTML, plain text and nothing at all: then something before the service has spoken.
    is_json: bool


def find_request_id(headers: Mapping[str, str], body: object = None, secrets: Iterable[str] = ()) -> str:
    """The id that Amazon's support asks for: the body's own, else that of the headers."""
    candidates: list[object] = []
    if isinstance(body, dict):
        candidates += [body.get("requestId"), body.get("request_id")]
    candidates += [headers.get(name) for name in REQUEST_ID_HEADERS]
    return next((found for candidate in candidates if (found := clean_identifier(candidate, secrets))), "")


def read_refusal(
    status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[str] = ()
) -> Refusal:
    """Read an answer that is no success. `secrets` are what the request carried, in case it is echoed."""
    secrets = tuple(secrets)
    try:
        value = decode_json(body)
    except NotJsonError:
        value = body.decode("utf-8", errors="replace")
    code, text = _code_and_text(value)
    return Refusal(
        status=status,
        code=clean_identifier(code, secrets),
        text=clean_explanation(text, secrets),
        request_id=find_request_id(headers, value, secrets),
        retry_after=parse_retry_after(headers.get("retry-after"), headers.get("date")),
        is_json=isinstance(value, dict | list),
    )


def _code_and_text(value: object) -> tuple[object, object]:
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return None, value
    errors = value.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    # classic and manager | list of ads accounts | DSP | Login with Amazon
    code = _first(value.get("code"), first.get("errorCode"), first.get("errorType"), value.get("error"))
    text = _first(
        value.get("details"),
        value.get("description"),
        value.get("error_description"),
        first.get("errorMessage"),
        value.get("message"),
        first.get("message"),
    )
    return code, text


def _first(*candidates: object) -> object:
    return next((candidate for candidate in candidates if candidate not in (None, "", [], {})), None)


def build_api_error(refusal: Refusal, asked: str) -> AmazonError:
    """The error that an answer of the Ads API means. `asked` names the request, for the sentence."""
    return _as(_api_class(refusal), refusal, asked)


def _api_class(refusal: Refusal) -> type[AmazonError]:
    status, text = refusal.status, refusal.text.lower()
    if status == 429 or refusal.code == "SERVER_IS_BUSY":
        return ThrottledError
    if status == 408 or status >= 500:
        return TransientError
    if status == 401:
        return _kind_of_401(text)
    if status == 403:
        # The gateway's words for a path or method that it does not know.
        return PermanentError if "missing authentication token" in text else ForbiddenError
    if status == 404:
        return NotFoundError
    return PermanentError


def _kind_of_401(text: str) -> type[AmazonError]:
    if "scope header is missing" in text:
        return PermanentError
    if "no matching advertiser found for scope" in text or "not authorized to access scope" in text:
        return ForbiddenError
    return UnauthorizedError


def build_lwa_error(refusal: Refusal, asked: str, *, with_code: bool) -> AmazonError:
    """The error that an answer of Login with Amazon means, for a code (`with_code`) or a refresh token."""
    return _as(_lwa_class(refusal, with_code=with_code), refusal, asked)


def _lwa_class(refusal: Refusal, *, with_code: bool) -> type[AmazonError]:
    status, code = refusal.status, refusal.code.lower()
    if status == 429:
        return ThrottledError
    if status == 408 or status >= 500 or code == "servererror":
        return TransientError
    if code == "invalid_grant":
        return InvalidGrantCodeError if with_code else GrantRevokedError
    if code in {"invalid_client", "unauthorized_client", "invalid_scope"}:
        return ApplicationRefusedError
    # Without a code it was not the token service that spoke: no reason to give anything up.
    return PermanentError if code and refusal.is_json else TransientError


def build_profile_error(refusal: Refusal, asked: str) -> AmazonError:
    """The error that an answer of Login with Amazon's user profile means."""
    if refusal.status == 429:
        return _as(ThrottledError, refusal, asked)
    if refusal.status >= 500 or refusal.code.lower() == "servererror" or not refusal.code:
        return _as(TransientError, refusal, asked)
    return _as(PermanentError if refusal.code == "invalid_request" else ForbiddenError, refusal, asked)


def _as(error_class: type[AmazonError], refusal: Refusal, asked: str) -> AmazonError:
    said = ": ".join(part for part in (refusal.code, refusal.text) if part)
    return error_class(
        f"Amazon answered {refusal.status} to {asked}" + (f": {said}" if said else ""),
        status=refusal.status,
        code=refusal.code,
        request_id=refusal.request_id,
        retry_after=refusal.retry_after,
    )
