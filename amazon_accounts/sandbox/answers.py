"""The answers of the sandbox Amazon: JSON, the error formats of each API, and pages."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

JSON = "application/json"
LWA_JSON = "application/json;charset=UTF-8"
HTML = "text/html;charset=UTF-8"
BILLING_STATUS_ERROR = "application/vnd.bulkgetbillingstatuserrorresponse.v1+json"


@dataclass
class Answer:
    """The body is `body`, or `payload` as JSON."""

    status: int
    payload: Any = None
    body: bytes | None = None
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    #: Close the connection after this number of bytes of the body.
    cut_after: int | None = None
    #: The number of seconds over which the body is sent.
    dribble: float = 0.0

    def render(self) -> bytes:
        if self.body is not None:
            return self.body
        return json.dumps(self.payload, separators=(",", ":")).encode()


def empty(status: int, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, body=b"", headers=dict(headers or {}))


def page(status: int, title: str, text: str = "") -> Answer:
    body = (
        '<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\n'
        f"<html><head><title>{status} {escape(title)}</title></head>\n"
        f"<body><h1>{escape(title)}</h1><p>{escape(text)}</p></body></html>\n"
    )
    return Answer(status, body=body.encode(), content_type="text/html")


def classic(status: int, code: str, details: str, rid: str) -> Answer:
    """The error format of /v2/profiles and of everything about authorization."""
    return Answer(status, {"code": code, "details": details, "requestId": rid})


def message(status: int, text: str) -> Answer:
    """The error format of the gateway and of GET /adsAccounts/{id}."""
    return Answer(status, {"message": text})


def account_list_error(status: int, code: str, text: str) -> Answer:
    """The error format of POST /adsAccounts/list."""
    return Answer(status, {"errors": [{"errorId": status, "errorCode": code, "errorMessage": text}]})


def dsp(status: int, text: str, rid: str, *errors: dict[str, str]) -> Answer:
    payload: dict[str, Any] = {"requestId": rid, "message": text}
    if errors:
        payload["errors"] = list(errors)
    return Answer(status, payload)


def billing_status_error(status: int, text: str) -> Answer:
    """The error format of /billing/statuses."""
    return Answer(status, {"message": text}, content_type=BILLING_STATUS_ERROR)


def billing_notification_error(status: int, text: str) -> Answer:
    """The error format of /billing/notifications."""
    return Answer(status, {"code": str(status), "message": text})


def lwa(status: int, error: str, description: str) -> Answer:
    """The error format of Login with Amazon."""
    return Answer(
        status,
        {"error": error, "error_description": description},
        content_type=LWA_JSON,
        headers={"Cache-Control": "no-cache, no-store, must-revalidate", "Pragma": "no-cache"},
    )


def missing_authentication_token() -> Answer:
    """The gateway's answer to an unknown path or method."""
    return message(403, "Missing Authentication Token")
