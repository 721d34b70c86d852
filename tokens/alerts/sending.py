"""Sending one message to one recipient: by mail, or by Apprise."""

import logging
import re
from contextlib import suppress
from contextvars import ContextVar
from smtplib import SMTPException
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

# Whether Apprise parses an address in this thread.
_parsing_address: ContextVar[bool] = ContextVar("parsing an address", default=False)


class _AddressFilter(logging.Filter):
    """Drops what Apprise logs about an address that it does not understand: it logs the address with its secrets."""

    def filter(self, _record: logging.LogRecord) -> bool:
        return not _parsing_address.get()


logging.getLogger("apprise").addFilter(_AddressFilter())


class DeliveryError(Exception):
    """The message could not be sent. The text names no address."""


class Mailer:
    """Sends mail over one connection to the mail server. A server that is down is not tried for each recipient."""

    def __init__(self) -> None:
        self._server = get_connection()
        self._down: DeliveryError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def send(self, address: str, title: str, body: str, *, message_id: str) -> None:
        """Raises DeliveryError."""
        if self._down is not None:
            raise self._down
        host = urlsplit(settings.PUBLIC_URL).hostname or "localhost"
        message = EmailMessage(
            subject=title, body=body, to=[address], headers={"Message-ID": f"<{message_id}@{host}>"}
        )
        try:
            self._server.open()
        except OSError as error:
            raise self._give_up(error) from error
        try:
            self._server.send_messages([message])
        except (SMTPException, ValueError) as error:
            self._close()
            # The server's answer names the address.
            answer = re.sub(re.escape(address), "…", str(error), flags=re.IGNORECASE)
            raise DeliveryError(
                f"The mail server did not take it for some people ({type(error).__name__}: {answer})."
            ) from None
        except OSError as error:
            self._close()
            raise self._give_up(error) from error

    def _give_up(self, error: OSError) -> DeliveryError:
        self._down = DeliveryError(f"The mail server did not take it ({type(error).__name__}: {error}).")
        return self._down

    def _close(self) -> None:
        with suppress(OSError):
            self._server.close()


def understand(address: str) -> Any:
    """Return what Apprise makes of an address, or None if it makes nothing of it. Nothing is sent or logged."""
    # Imported here, because Apprise loads over a hundred plugins, and most processes never send an alert.
    import apprise

    token = _parsing_address.set(True)
    try:
        return apprise.Apprise.instantiate(address)
    finally:
        _parsing_address.reset(token)


def notify(address: str, name: str, title: str, body: str) -> None:
    """Send by Apprise. The name stands for the address in an error. Raises DeliveryError."""
    import apprise

    plugin = understand(address)
    if plugin is None:
        raise DeliveryError(f"Apprise does not understand {name}.")
    notifier = apprise.Apprise()
    # Not the address itself: Apprise would look for several addresses in it.
    notifier.add(plugin)
    if not notifier.notify(title=title, body=body):
        raise DeliveryError(f"Apprise could not reach {name}.")
