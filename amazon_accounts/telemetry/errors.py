"""Errors for Sentry, without secrets and without what people are called.

An event is built anew from the parts that are known to be harmless. Whatever else a version of the library may add is left out.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import sentry_sdk
from django.conf import settings
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.integrations.excepthook import ExcepthookIntegration
from sentry_sdk.integrations.logging import LoggingIntegration, ignore_logger
from sentry_sdk.integrations.threading import ThreadingIntegration
from sentry_sdk.types import Event, Hint

from amazon_accounts import __version__
from amazon_accounts.amazon_ads.foreign_text import MASK, mask_secrets
from amazon_accounts.configuration.environment import SECRET_NAMES
from amazon_accounts.logs.trace import read_trace

KEPT: Final = (
    "event_id",
    "timestamp",
    "level",
    "logger",
    "platform",
    "release",
    "environment",
    "transaction",
)
KEPT_OF_FRAME: Final = ("filename", "module", "function", "lineno", "context_line", "in_app")
MAX_CHARACTERS = 500
# E-mail addresses, addresses of hosts, and what stands in quotes: names and values of people.
_PERSONAL: Final = re.compile(
    r"[^\s@'\"<>()]+@[^\s@'\"<>()]+|\b\d{1,3}(?:\.\d{1,3}){3}\b|'[^']*'|\"[^\"]*\"|“[^”]*”"
)


def send_errors(dsn: str) -> None:
    # It names the error page that somebody was shown. The exception behind it is an event of its own.
    ignore_logger("dashboard.views.errors")
    proxy = settings.HTTPS_PROXY
    sentry_sdk.init(
        dsn=dsn,
        release=__version__,
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            DjangoIntegration(middleware_spans=False, signals_spans=False),
            # The log has the rest.
            LoggingIntegration(level=None, event_level=logging.ERROR),
            ExcepthookIntegration(),
            ThreadingIntegration(),
            DedupeIntegration(),
        ],
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        send_client_reports=False,
        auto_session_tracking=False,
        before_send=_rebuild,
        https_proxy=proxy.url_with_password if proxy else None,
        ca_certs=settings.CA_BUNDLE or None,
    )


def _rebuild(event: Event, hint: Hint) -> Event:
    given: Mapping[str, Any] = event
    kept: dict[str, Any] = {name: given[name] for name in KEPT if name in given}
    record = hint.get("log_record")
    if isinstance(record, logging.LogRecord):
        # The words of the program; the values in them are in the log.
        kept["logentry"] = {"message": _mask(str(record.msg))}
    if values := given.get("exception", {}).get("values"):
        kept["exception"] = {"values": [_rebuild_exception(value) for value in values]}
    trace = read_trace()
    kept["tags"] = {name: value for name, value in vars(trace).items() if value}
    rebuilt: Event = kept  # type: ignore[assignment] # a TypedDict of the library
    return rebuilt


def _rebuild_exception(value: Mapping[str, Any]) -> dict[str, Any]:
    frames = (value.get("stacktrace") or {}).get("frames", [])
    return {
        "type": value.get("type"),
        "module": value.get("module"),
        "mechanism": value.get("mechanism"),
        # What follows the first line are rows of the database, as PostgreSQL repeats them.
        "value": _mask((value.get("value") or "").partition("\n")[0]),
        "stacktrace": {
            "frames": [{name: frame.get(name) for name in KEPT_OF_FRAME} for frame in frames],
        },
    }


def _mask(text: str) -> str:
    return _PERSONAL.sub(MASK, mask_secrets(text, _read_secrets()))[:MAX_CHARACTERS]


def _read_secrets() -> Iterable[str]:
    for name in SECRET_NAMES:
        value = getattr(settings, name, None)
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from (str(part) for part in value)
