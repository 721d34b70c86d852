"""Which Amazon login a grant belongs to, as far as Amazon tells."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from django.conf import settings

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import AmazonError, ForbiddenError, PermanentError, PostponedError
from amazon_accounts.amazon_ads.lwa import Grant
from tokens.connect.scopes import tells_identity

logger = logging.getLogger(__name__)

INVALID: Final = "invalid_token"
MAX_TRIES: Final = 3
# Short enough that a question that hangs is asked again while the person waits.
MAX_TRY_SECONDS: Final = 3.0


@dataclass(frozen=True)
class Identity:
    """An Amazon login. Without the `profile` scope all of it is unknown."""

    user_id: str | None = None
    name: str = ""
    email: str = ""
    # Amazon was asked and gave no answer, so it is asked again later.
    is_pending: bool = False

    @property
    def title(self) -> str:
        return self.email or self.name or self.user_id or ""


PENDING: Final = Identity(is_pending=True)


async def ask_identity(
    grant: Grant, amazon: AmazonClient, *, scope: str | None = None, max_seconds: float | None = None
) -> Identity:
    """Ask whose login it is, again if Amazon has a fault, and for at most `max_seconds` in all.

    The caller may hold the only copy of the grant, so a question without an answer is no error.
    """
    # Without the `profile` scope, Amazon refuses the question.
    if not tells_identity(scope or settings.AMAZON_SCOPES):
        return Identity()
    seconds = settings.OAUTH_CALLBACK_SECONDS if max_seconds is None else max_seconds
    try:
        async with asyncio.timeout(seconds):
            user = await amazon.lwa.user_profile(
                grant.access_token, attempts=MAX_TRIES, max_seconds=min(MAX_TRY_SECONDS, seconds)
            )
    except (ForbiddenError, PermanentError) as error:
        # A refused access token tells nothing about the login; a newer token is asked with.
        if error.code == INVALID:
            return PENDING
        logger.info("Amazon did not tell which login it is: %s", error)
        return Identity()
    except (AmazonError, PostponedError, TimeoutError) as error:
        reason = str(error) or f"no answer in {seconds:.1f} seconds"
        logger.warning("Amazon has not told yet which login it is: %s", reason)
        return PENDING
    return Identity(user.user_id, user.name, user.email)
