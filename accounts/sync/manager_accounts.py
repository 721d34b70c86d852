"""Combining what each region reports about a manager account, and storing its links."""

from typing import Final

from accounts.sync.run_context import RunContext
from accounts.sync.staging import count_staged
from amazon_accounts.postgresql.statements import load

COMBINE: Final = load(__file__, "combine_manager_accounts")
MERGE_LINKS: Final = load(__file__, "merge_manager_links")


def combine_manager_accounts(context: RunContext) -> None:
    with context.open_staging() as cursor:
        cursor.execute(COMBINE, context.parameters())
        count_staged(cursor, context.coverage.listings)


def merge_links(context: RunContext) -> None:
    with context.open_accounts() as cursor:
        cursor.execute(MERGE_LINKS, context.parameters())
