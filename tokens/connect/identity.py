"""Which Amazon login a grant belongs to, as far as Amazon tells."""

import logging
from dataclasses import dataclass

from django.conf import settings

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import ForbiddenError, PermanentError
from amazon_accounts.amazon_ads.lwa import Grant
from tokens.connect.scopes import tells_identity

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Identity:
    """An Amazon login. Without the `profile` scope all of it is unknown."""

    user_id: str | None = None
    name: str = ""
    email: str = ""

    @property
    def title(self) -> str:
        return self.email or self.name or self.user_id or ""


async def ask_identity(grant: Grant, amazon: AmazonClient, *, scope: str | None = None) -> Identity:
    # Without the `profile` scope, Amazon refuses the question.
    if not tells_identity(scope or settings.AMAZON_SCOPES):
        return Identity()
    try:
        user = await amazon.lwa.user_profile(grant.access_token)
    except (ForbiddenError, PermanentError) as error:
        logger.info("Amazon did not tell which login it is: %s", error)
        return Identity()
    return Identity(user.user_id, user.name, user.email)
