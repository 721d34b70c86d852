"""Keeping the index that accounts are found by: what triggers wrote down is indexed here, some at a time."""

from django.db import connection

CHUNK = 2_000  # accounts

# Rows that somebody else writes at the moment are left for the next time: nobody waits for this.
INDEX_SOME = """
UPDATE accounts_accountsearch SET is_indexed = true
 WHERE account_id IN (
    SELECT account_id FROM accounts_accountsearch WHERE NOT is_indexed
     ORDER BY account_id LIMIT %s FOR UPDATE SKIP LOCKED
 )
"""


def index_some() -> int:
    """Put the texts of some accounts that are new or have a new name into the index; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(INDEX_SOME, [CHUNK])
        return int(cursor.rowcount)
