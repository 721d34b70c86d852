"""Reads the errors of all Amazon's services, and decides what each error means.

Status and code decide. Text decides only between the kinds of 401, for which Amazon gives nothing else
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
    status: int
    code: str
    text: str
    request_id: str
    retry_after: float | None
    # False for HTML, plain text and an empty body, which do not come from the service itself.
    is_json: bool


def find_request_id(headers: Mapping[str, str], body: object = None, secrets: Iterable[str] = ()) -> str:
    # Amazon's support asks for this id.
    candidates: list[object] = []
    if isinstance(body, dict):
        candidates += [body.get("requestId"), body.get("request_id")]
    candidates += [headers.get(name) for name in REQUEST_ID_HEADERS]
    return next((found for candidate in candidates if (found := clean_identifier(candidate, secrets))), "")


def read_refusal(
    status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[str] = ()
) -> Refusal:
    """Read an answer whose status is an error. `secrets` of the request are masked if Amazon repeats them."""
    secrets = tuple(secrets)
    try:
        value = decode_json(body)
    except NotJsonError:
        value = body.decode("utf-8", errors="replace")
    code, text = _find_code_and_text(value)
    return Refusal(
        status=status,
        code=clean_identifier(code, secrets),
        text=clean_explanation(text, secrets),
        request_id=find_request_id(headers, value, secrets),
        retry_after=parse_retry_after(headers.get("retry-after"), headers.get("date")),
        is_json=isinstance(value, dict | list),
    )


def _find_code_and_text(value: object) -> tuple[object, object]:
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return None, value
    errors = value.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    # In this order: profiles and manager accounts, list of ads accounts, DSP, Login with Amazon.
    code = _pick_first(value.get("code"), first.get("errorCode"), first.get("errorType"), value.get("error"))
    text = _pick_first(
        value.get("details"),
        value.get("description"),
        value.get("error_description"),
        first.get("errorMessage"),
        value.get("message"),
        first.get("message"),
    )
    return code, text


def _pick_first(*candidates: object) -> object:
    return next((candidate for candidate in candidates if candidate not in (None, "", [], {})), None)


def build_api_error(refusal: Refusal, description: str) -> AmazonError:
    return _build(_classify_api(refusal), refusal, description)


def _classify_api(refusal: Refusal) -> type[AmazonError]:
    status, text = refusal.status, refusal.text.lower()
    if status == 429 or refusal.code == "SERVER_IS_BUSY":
        return ThrottledError
    if status == 408 or status >= 500:
        return TransientError
    if status == 401:
        return _classify_401(text)
    if status == 403:
        # Amazon's gateway answers so to an unknown path or method.
        return PermanentError if "missing authentication token" in text else ForbiddenError
    if status == 404:
        return NotFoundError
    return PermanentError


def _classify_401(text: str) -> type[AmazonError]:
    if "scope header is missing" in text:
        return PermanentError
    if "no matching advertiser found for scope" in text or "not authorized to access scope" in text:
        return ForbiddenError
    return UnauthorizedError


def build_lwa_error(refusal: Refusal, description: str, *, with_code: bool) -> AmazonError:
    return _build(_classify_lwa(refusal, with_code=with_code), refusal, description)


def _classify_lwa(refusal: Refusal, *, with_code: bool) -> type[AmazonError]:
    status, code = refusal.status, refusal.code.lower()
    if status == 429:
        return ThrottledError
    if status == 408 or status >= 500 or code == "servererror":
        return TransientError
    if code == "invalid_grant":
        return InvalidGrantCodeError if with_code else GrantRevokedError
    if code in {"invalid_client", "unauthorized_client", "invalid_scope"}:
        return ApplicationRefusedError
    # An answer without a code does not come from the token service, so the grant is not to blame.
    return PermanentError if code and refusal.is_json else TransientError


def build_profile_error(refusal: Refusal, description: str) -> AmazonError:
    if refusal.status == 429:
        return _build(ThrottledError, refusal, description)
    if refusal.status >= 500 or refusal.code.lower() == "servererror" or not refusal.code:
        return _build(TransientError, refusal, description)
    error_class = PermanentError if refusal.code == "invalid_request" else ForbiddenError
    return _build(error_class, refusal, description)


def _build(error_class: type[AmazonError], refusal: Refusal, description: str) -> AmazonError:
    said = ": ".join(part for part in (refusal.code, refusal.text) if part)
    return error_class(
        f"Amazon answered {refusal.status} to {description}" + (f": {said}" if said else ""),
        status=refusal.status,
        code=refusal.code,
        request_id=refusal.request_id,
        retry_after=refusal.retry_after,
    )
