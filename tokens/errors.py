"""Why a connection gives no token, other than what Amazon answers. Each is an AmazonError of the fitting kind."""

from typing import Final

from amazon_accounts.amazon_ads.errors import (
    AmazonError,
    ApplicationRefusedError,
    GrantRevokedError,
    PermanentError,
    ThrottledError,
    TransientError,
)
from tokens.models import Connection, TokenRefresh

Outcome = TokenRefresh.Outcome


class NotConnectedError(GrantRevokedError):
    """This connection was disconnected here and has no tokens; connect it again."""


class OtherApplicationError(ApplicationRefusedError):
    """This connection belongs to another Login with Amazon application than the one we run as."""


class UnreadableTokenError(PermanentError):
    """The stored token cannot be decrypted: its key is not among TOKEN_ENCRYPTION_KEYS."""


class ConnectionUnusableError(Exception):
    """This connection can give no token until a person has mended it."""


# The error that a refresh with this outcome would have raised.
ERRORS: Final[dict[str, type[AmazonError]]] = {
    Outcome.TRANSIENT.value: TransientError,
    Outcome.THROTTLED.value: ThrottledError,
    Outcome.POSTPONED.value: ThrottledError,
    Outcome.REAUTHORIZATION_REQUIRED.value: GrantRevokedError,
    Outcome.CONFIG.value: ApplicationRefusedError,
    Outcome.PERMANENT.value: PermanentError,
}


# What Amazon would answer if it were called with a connection in this state. An active connection is unusable only
# because it belongs to another application.
UNUSABLE: Final[dict[str, type[AmazonError]]] = {
    Connection.State.DISCONNECTED.value: NotConnectedError,
    Connection.State.REAUTHORIZATION_REQUIRED.value: GrantRevokedError,
    Connection.State.ACTIVE.value: OtherApplicationError,
}


def raise_if_unusable(connection: Connection) -> None:
    """Raise the AmazonError that fits the state of an unusable connection, with `reason_unusable` as its text."""
    if reason := connection.reason_unusable:
        raise UNUSABLE[connection.state](reason)


def refuse_unusable(connection: Connection) -> None:
    """Raise ConnectionUnusableError, with `reason_unusable` as its text, if a person must mend the connection."""
    if reason := connection.reason_unusable:
        raise ConnectionUnusableError(reason)
