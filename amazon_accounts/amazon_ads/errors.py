"""Everything that can go wrong between us and Amazon.

    AmazonError
    ├── TransientError            it passes: try again                                       transient
    │   ├── UnreachableError           no answer: DNS, TLS, reset, timeout
    │   ├── UnreadableAnswerError      an answer that is not what was asked for
    │   └── PaceUnavailableError       our own database, which keeps the shared pace, is away
    ├── ThrottledError            slow down                                                  throttled
    ├── GrantRevokedError         Amazon refuses the login: it must be reconnected           reauthorise
    ├── ForbiddenError            the grant is good, but one right is missing                    forbidden
    │   └── UnauthorizedError     401 even with a token that was just issued
    ├── ApplicationRefusedError   our application is refused, for every user               config
    └── PermanentError            our request is wrong, or its object is gone                 permanent
        ├── NotFoundError
        ├── InvalidGrantCodeError the code of a consent is used, expired or not ours
        ├── EndlessListingError      the pages of a list never end
        └── StalePageTokenError   the next page was refused, twice

    PostponedError                not an answer of Amazon: there is no slot within the time allowed  postponed

The text of an error is one sentence without secrets, which may be shown and logged.
"""

from datetime import datetime
from typing import ClassVar, Literal

Kind = Literal["transient", "throttled", "reauthorise", "forbidden", "config", "permanent", "postponed"]


class AmazonError(Exception):
    """Amazon did not do what we asked."""

    kind: ClassVar[Kind] = "permanent"

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        code: str = "",
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        sentence = message or type(self).__doc__ or ""
        super().__init__(f"{sentence} (Amazon's request id: {request_id})" if request_id else sentence)
        self.status = status
        self.code = code
        self.request_id = request_id
        # Seconds that Amazon asked us to wait, if it did.
        self.retry_after = retry_after


class TransientError(AmazonError):
    """Amazon could not answer just now."""

    kind = "transient"


class UnreachableError(TransientError):
    """Amazon could not be reached."""


class UnreadableAnswerError(TransientError):
    """Amazon's answer could not be read."""


class PaceUnavailableError(TransientError):
    """The database that keeps the shared pace does not answer, so nothing may be sent to Amazon."""


class ThrottledError(AmazonError):
    """Amazon asked us to slow down."""

    kind = "throttled"


class GrantRevokedError(AmazonError):
    """Amazon refuses this login. It must be reconnected."""

    kind = "reauthorise"


class ForbiddenError(AmazonError):
    """The login has no right to this."""

    kind = "forbidden"


class UnauthorizedError(ForbiddenError):
    """Amazon refuses an access token that it has just issued."""


class ApplicationRefusedError(AmazonError):
    """Amazon refuses our application (client id, secret or approval), for every user."""

    kind = "config"


class PermanentError(AmazonError):
    """Amazon refuses this request, and would refuse it again."""

    kind = "permanent"


class NotFoundError(PermanentError):
    """Amazon does not have what we asked for."""


class InvalidGrantCodeError(PermanentError):
    """The authorization code was used before, has expired or does not belong to this request."""


class EndlessListingError(PermanentError):
    """The pages of Amazon's list never end."""


class StalePageTokenError(PermanentError):
    """Amazon refused the next page of its own list, also when the listing started again."""


class PostponedError(Exception):
    """No slot comes within the time the caller can wait. Try again at `until`."""

    kind: ClassVar[Kind] = "postponed"

    def __init__(self, until: datetime, reason: str = "", *, is_for_one_login: bool = False) -> None:
        super().__init__(
            f"{reason or 'This call to Amazon has to wait'} until {until:%Y-%m-%d %H:%M:%S} UTC."
        )
        self.until = until
        # Amazon paused this login only; calls of other logins may continue.
        self.is_for_one_login = is_for_one_login
