"""Manager accounts: parts that each region reports become one account, with links to what it manages."""

from typing import Final

from accounts.sync.staging import count_staged
from accounts.sync.store import Store
from amazon_accounts.postgresql.statements import load

COMBINE: Final = load(__file__, "combine_manager_accounts")
MERGE_LINKS: Final = load(__file__, "merge_manager_links")


def combine_manager_accounts(store: Store) -> None:
    """Stage each manager account as one row, in the listing of its first region."""
    with store.open_staging() as cursor:
        cursor.execute(COMBINE, store.parameters())
        count_staged(cursor, store.coverage.listings)


def merge_links(store: Store) -> None:
    """Store which manager account manages which accounts."""
    with store.open_accounts() as cursor:
        cursor.execute(MERGE_LINKS, store.parameters())
