"""Everything that can go wrong between us and Amazon.

    AmazonError
    ├── TransientError            it will pass: try again                                    transient
    │   ├── UnreachableError           no answer: DNS, TLS, reset, timeout
    │   ├── UnreadableAnswerError      an answer that is not what was asked for
    │   └── PaceUnavailableError       our own database, which keeps the shared pace, is away
    ├── ThrottledError            slow down                                                  throttled
    ├── GrantRevokedError         this grant is dead: its owner must sign in again         reauthorise
    ├── ForbiddenError            the grant is fine, one right is missing                    forbidden
    │   └── UnauthorizedError     401 even with a token that was just issued
    ├── ApplicationRefusedError   our application is refused, whoever the user is               config
    └── PermanentError            our request is wrong, or the thing is gone                 permanent
        ├── NotFoundError
        ├── InvalidGrantCodeError the code of a consent is used, expired or not ours
        ├── EndlessListingError      the pages of a list go round in a circle
        └── StalePageTokenError   the next page was refused, twice

    PostponedError                not an answer of Amazon: there is no slot within the time allowed  postponed

The text of an error is one sentence that may be shown and logged: nothing secret is in it.
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
        #: Seconds that Amazon asked us to wait; None when it named none.
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
    """Amazon no longer accepts this login's grant; its owner must sign in again."""

    kind = "reauthorise"


class ForbiddenError(AmazonError):
    """The login has no right to this."""

    kind = "forbidden"


class UnauthorizedError(ForbiddenError):
    """Amazon refuses an access token that it has just issued."""


class ApplicationRefusedError(AmazonError):
    """Amazon refuses our application (client id, secret or approval), whoever the user is."""

    kind = "config"


class PermanentError(AmazonError):
    """Amazon refuses this request, and would refuse it again."""

    kind = "permanent"


class NotFoundError(PermanentError):
    """What was asked for does not exist at Amazon."""


class InvalidGrantCodeError(PermanentError):
    """The authorization code was used before, has expired or does not belong to this request."""


class EndlessListingError(PermanentError):
    """The pages of Amazon's list lead in a circle."""


class StalePageTokenError(PermanentError):
    """Amazon refused the next page of its own list, also after a fresh start."""


class PostponedError(Exception):
    """There is no slot for this call within the time the caller can wait; try again at `until`."""

    kind: ClassVar[Kind] = "postponed"

    def __init__(self, until: datetime, reason: str = "", *, is_for_one_login: bool = False) -> None:
        super().__init__(f"{reason or 'Amazon has to be left alone'} until {until:%Y-%m-%d %H:%M:%S} UTC.")
        self.until = until
        #: Amazon sent this login away; others may go on.
        self.is_for_one_login = is_for_one_login
