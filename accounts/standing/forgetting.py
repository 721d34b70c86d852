"""Forgets what Amazon's billing said long ago."""

import logging
from datetime import timedelta
from typing import Any, Final

from django.db import connection as database
from django.db import transaction
from procrastinate.contrib.django import app

from accounts.standing.answers import settle_accounts
from amazon_accounts.postgresql.statements import load
from tokens.queues import TOKENS

logger = logging.getLogger(__name__)

FORGET_OLD_ANSWERS: Final = load(__file__, "forget_old_answers")
# An answer that no login can renew says nothing after this time.
MAX_AGE: Final = timedelta(days=7)


@app.task(queue=TOKENS, name="accounts.forget_old_standings")
@transaction.atomic
def forget_old_standings() -> int:
    """Make the standing of profiles with an old answer unknown, and settle their accounts. Return their number."""
    with database.cursor() as cursor:
        parameters: dict[str, Any] = {"max_age": MAX_AGE}
        cursor.execute(FORGET_OLD_ANSWERS, parameters)
        (accounts,) = cursor.fetchone()
        if accounts:
            settle_accounts(cursor, accounts)
            logger.info(
                "The standing of %d accounts is unknown now, because its answers are old.", len(accounts)
            )
    return len(accounts)
