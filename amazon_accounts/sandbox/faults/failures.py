"""Faults that answer a call in Amazon's place: errors, pages, empty, huge and damaged bodies."""

import gzip
from collections.abc import Callable, Mapping
from typing import Any

from amazon_accounts.sandbox import answers
from amazon_accounts.sandbox.answers import Answer
from amazon_accounts.sandbox.calls import Call

Options = Mapping[str, Any]
SERVER_TEXT = {500: "Unexpected error during processing of request.", 503: "Service Unavailable"}


def _family(call: Call) -> str:
    # The lists of the Ads API and Login with Amazon each have an error format of their own.
    if call.area != "api":
        return "lwa"
    if call.path in {"/adsAccounts/list", "/adsAccounts"}:
        return "list"
    if call.path.startswith("/adsAccounts/"):
        return "account"
    if call.path.startswith("/managerAccounts"):
        return "manager"
    if call.path.startswith("/billing/"):
        return call.path
    return "dsp" if call.path.startswith("/dsp/") else "classic"


def failure(call: Call, status: int, code: str, text: str) -> Answer:
    match _family(call):
        case "lwa":
            return answers.lwa(status, "ServerError", text)
        case "list":
            return answers.account_list_error(status, code, text)
        case "account":
            return answers.message(status, text)
        case "manager":
            return Answer(status, {"code": code, "message": text})
        case "/billing/statuses":
            return answers.billing_status_error(status, text)
        case "/billing/notifications":
            return answers.billing_notification_error(status, text)
        case "dsp":
            return answers.dsp(status, text, call.rid)
        case _:
            return answers.classic(status, code, text, call.rid)


def _error_500(call: Call, _options: Options) -> Answer:
    return failure(call, 500, "INTERNAL_SERVICE_ERROR", SERVER_TEXT[500])


def _error_503(call: Call, _options: Options) -> Answer:
    return failure(call, 503, "SERVICE_UNAVAILABLE", SERVER_TEXT[503])


def _busy(call: Call, options: Options) -> Answer:
    return answers.classic(int(options.get("status", 503)), "SERVER_IS_BUSY", "Server is busy.", call.rid)


def _page(status: int, title: str) -> Callable[[Call, Options], Answer]:
    return lambda _call, _options: answers.page(status, title, "The sandbox Amazon was asked to fail.")


def _unauthorized(call: Call, _options: Options) -> Answer:
    return answers.classic(401, "UNAUTHORIZED", "HTTP 401 Unauthorized", call.rid)


def _authentication_failed(call: Call, _options: Options) -> Answer:
    return answers.classic(401, "401", "Authentication failed", call.rid)


def _no_access_to_scope(call: Call, options: Options) -> Answer:
    scope = call.headers.get("amazon-advertising-api-scope", "")
    details = f"Not authorized to access scope {scope}".strip()
    return answers.classic(int(options.get("status", 401)), "401", details, call.rid)


def _no_advertiser_for_scope(call: Call, _options: Options) -> Answer:
    return answers.classic(401, "401", "No matching advertiser found for scope", call.rid)


def _forbidden(call: Call, _options: Options) -> Answer:
    if _family(call) == "list":
        text = "User does not have sufficient access to perform this action."
        return answers.account_list_error(403, "ACCESS_DENIED", text)
    return failure(call, 403, "FORBIDDEN", "Forbidden")


def _stale_page_token(call: Call, _options: Options) -> Answer:
    if _family(call) == "list":
        return answers.account_list_error(400, "INVALID_INPUT", "nextToken is not valid.")
    return failure(call, 400, "BAD_REQUEST", "nextToken is not valid.")


def _lwa_error(_call: Call, options: Options) -> Answer:
    return answers.lwa(
        int(options.get("status", 400)),
        str(options.get("error", "invalid_grant")),
        str(options.get("description", "The request has an invalid grant parameter : refresh_token")),
    )


def _plain_text(_call: Call, _options: Options) -> Answer:
    return Answer(
        400, body=b"Invalid request: the sandbox Amazon was asked to say so.", content_type="text/plain"
    )


def _huge(_call: Call, options: Options) -> Answer:
    # JSON allows blanks, so that only the size is wrong.
    return Answer(200, body=b"[" + b" " * (int(options.get("megabytes", 50)) * 1_000_000) + b"]")


def _gzip_bomb(call: Call, options: Options) -> Answer:
    packed = gzip.compress(_huge(call, options).render(), compresslevel=1)
    return Answer(200, body=packed, headers={"Content-Encoding": "gzip"})


def _gzip_broken(_call: Call, _options: Options) -> Answer:
    return Answer(200, body=b"\x1f\x8b\x08\x00 this is not gzip", headers={"Content-Encoding": "gzip"})


def _given_answer(_call: Call, options: Options) -> Answer:
    """An answer with the options status, json or body, headers and content_type."""
    body = options.get("body")
    return Answer(
        int(options.get("status", 200)),
        options.get("json"),
        body=None if body is None else str(body).encode(),
        content_type=str(options.get("content_type", answers.JSON)),
        headers={str(name): str(value) for name, value in options.get("headers", {}).items()},
    )


FAILURES: dict[str, Callable[[Call, Options], Answer]] = {
    "error_500": _error_500,
    "error_503": _error_503,
    "request_timeout": _page(408, "Request Timeout"),
    "error_500_html": _page(500, "Internal Server Error"),
    "bad_gateway": _page(502, "Bad Gateway"),
    "unavailable_html": _page(503, "Service Temporarily Unavailable"),
    "gateway_timeout": _page(504, "Gateway Timeout"),
    "busy": _busy,
    "empty": lambda _call, _options: Answer(200, body=b""),
    "html": _page(200, "Welcome"),
    "wrong_type": lambda _call, _options: Answer(200, "maintenance"),
    "plain_text": _plain_text,
    "unauthorized": _unauthorized,
    "unauthorized_gateway": lambda _call, _options: answers.message(401, "Unauthorized"),
    "unauthorized_html": _page(401, "Unauthorized"),
    "authentication_failed": _authentication_failed,
    "no_access_to_scope": _no_access_to_scope,
    "no_advertiser_for_scope": _no_advertiser_for_scope,
    "forbidden": _forbidden,
    "stale_page_token": _stale_page_token,
    "lwa_error": _lwa_error,
    "huge": _huge,
    "gzip_bomb": _gzip_bomb,
    "gzip_broken": _gzip_broken,
    "answer": _given_answer,
}
