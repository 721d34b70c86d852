"""The calls to the provider. What comes back is a JSON object that can be stored, or a SignOnError."""

import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import requests
from django.conf import settings
from django.core.cache import caches

from amazon_accounts.amazon_ads.foreign_text import clean_identifier
from amazon_accounts.amazon_ads.json_body import NotJsonError, decode_json
from amazon_accounts.outgoing.deadline import run_within
from amazon_accounts.outgoing.sessions import OutgoingSession
from tokens.sign_in.oidc.errors import ProviderDownError, SignOnError, UnknownAnswerError, UselessAnswerError

MAX_ANSWER_BYTES: Final = 1024 * 1024
# For each address of the provider, so that there is time for the next one.
CONNECT_SECONDS: Final = 3
# After a call that failed, further calls of this process are refused at once, so that a provider that hangs does not
# hold the threads of web.
PAUSE_SECONDS: Final = 10
_PAUSE_KEY: Final = "oidc-provider-is-down"


# When the time for the calls of this request of a browser is over.
_ends_at: ContextVar[float | None] = ContextVar("ends_at", default=None)


@contextmanager
def one_deadline() -> Iterator[None]:
    """Give all calls in this block together SOCIALACCOUNT_REQUESTS_TIMEOUT. Elsewhere each call has this time."""
    token = _ends_at.set(time.monotonic() + settings.SOCIALACCOUNT_REQUESTS_TIMEOUT)
    try:
        yield
    finally:
        _ends_at.reset(token)


class ProviderSession(OutgoingSession):
    """allauth reads the answers. It would pass a broken answer on, wait for ever, or follow a redirect."""

    def request(self, *args: Any, **options: Any) -> requests.Response:
        if caches["process"].get(_PAUSE_KEY):
            raise ProviderDownError("the provider did not answer some seconds ago")
        ends_at = _ends_at.get() or time.monotonic() + settings.SOCIALACCOUNT_REQUESTS_TIMEOUT
        seconds = max(ends_at - time.monotonic(), 0.001)
        options |= {
            "timeout": (min(CONNECT_SECONDS, seconds), seconds),
            "allow_redirects": False,
            "stream": True,
        }
        call = partial(super().request, *args, **options)
        try:
            status, content = run_within(seconds, lambda: _read(call))
        except (requests.RequestException, TimeoutError) as error:
            caches["process"].set(_PAUSE_KEY, "down", PAUSE_SECONDS)
            # Only the text for a failing proxy is ours, and may be shown.
            is_proxy = isinstance(error, requests.exceptions.ProxyError)
            reason = str(error) if is_proxy else type(error).__name__
            raise ProviderDownError(f"the provider does not answer ({reason})") from None
        try:
            body = decode_json(content)
        except NotJsonError:
            body = None
        if status != HTTPStatus.OK:
            raise _explain(status, body)
        if not isinstance(body, dict):
            raise UselessAnswerError("the provider answered something that is no JSON object")
        return _answer(body)


def _read(call: Callable[[], requests.Response]) -> tuple[int, bytes]:
    content = b""
    with call() as response:
        for part in response.iter_content(65_536):
            content += part
            if len(content) > MAX_ANSWER_BYTES:
                raise UselessAnswerError(f"the provider answered more than {MAX_ANSWER_BYTES} bytes")
    return response.status_code, content


def _explain(status: int, body: object) -> SignOnError:
    code = clean_identifier(body.get("error")) if isinstance(body, dict) else ""
    said = f"the provider answered {status} {code}".rstrip()
    # The code that the browser brought is unknown, used or of another client. Everything else is the provider's.
    return UnknownAnswerError(said) if code == "invalid_grant" else UselessAnswerError(said)


def _answer(body: dict[str, Any]) -> requests.Response:
    answer = requests.Response()
    answer.status_code = HTTPStatus.OK
    answer.headers["Content-Type"] = "application/json"
    answer.encoding = "utf-8"
    answer.raw = io.BytesIO(json.dumps(body).encode())
    return answer
