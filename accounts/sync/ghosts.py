"""Merging ghosts: second accounts that were made for profiles of known ads accounts.

A ghost is left when a list of ads accounts missed an account, or showed it before its profiles, and the next list
shows it with them. Then two rows mean one account at Amazon.
"""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from django.db.backends.utils import CursorWrapper

from accounts.update import MAX_LABELS
from amazon_accounts.postgresql.statements import load

FIND: Final = load(__file__, "find_ghosts")
MERGE: Final = load(__file__, "merge_ghosts")
# The mark of the default account is unique, so it is taken away first.
TAKE_DEFAULT: Final = (
    "UPDATE user_accounts SET is_default = false WHERE id = ANY(%(ghosts)s) AND is_default RETURNING id"
)
GIVE_DEFAULT: Final = "UPDATE user_accounts SET is_default = true WHERE id = %(successor)s"


def merge_ghosts(cursor: CursorWrapper, team_id: UUID) -> int:
    """Merge the ghosts of this team into their ads accounts, with labels and history; return how many there were.

    The transaction must hold the lock of the team.
    """
    cursor.execute(FIND, {"team": team_id, "max_labels": MAX_LABELS})
    successors = dict(cursor.fetchall())
    merge_accounts(cursor, successors)
    return len(successors)


def merge_accounts(cursor: CursorWrapper, successors: Mapping[UUID, UUID]) -> None:
    """Delete the accounts that are the keys, and give what belongs to them to their successors.

    No connection may see the accounts any more, and no unfinished batch operation may have them.
    """
    if not successors:
        return
    ghosts = list(successors)
    cursor.execute(TAKE_DEFAULT, {"ghosts": ghosts})
    for (ghost,) in cursor.fetchall():
        cursor.execute(GIVE_DEFAULT, {"successor": successors[ghost]})
    cursor.execute(MERGE, {"ghosts": ghosts, "successors": list(successors.values())})
