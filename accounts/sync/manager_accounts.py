"""Combining what each region reports about a manager account, and storing its links."""

from typing import Final

from accounts.sync.staging import count_staged
from accounts.sync.store import Store
from amazon_accounts.postgresql.statements import load

COMBINE: Final = load(__file__, "combine_manager_accounts")
MERGE_LINKS: Final = load(__file__, "merge_manager_links")


def combine_manager_accounts(store: Store) -> None:
    with store.open_staging() as cursor:
        cursor.execute(COMBINE, store.parameters())
        count_staged(cursor, store.coverage.listings)


def merge_links(store: Store) -> None:
    with store.open_accounts() as cursor:
        cursor.execute(MERGE_LINKS, store.parameters())
