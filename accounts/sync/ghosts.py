"""Merging ghosts: second accounts that were made for profiles of known ads accounts.

A ghost is left when a list of ads accounts missed an account, or showed it before its profiles, and the next list
shows it with them. Then two rows mean one account at Amazon.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.db.backends.utils import CursorWrapper

from amazon_accounts.labels import MAX_LABELS
from amazon_accounts.postgresql.statements import load

FIND: Final = load(__file__, "find_ghosts")
UNITE_LABELS: Final = load(__file__, "unite_labels")
GIVE: Final = load(__file__, "give_to_successors")
# The mark of the default account is unique in a team, so it is taken away first.
TAKE_DEFAULT: Final = (
    "UPDATE user_accounts SET is_default = false WHERE id = ANY(%(accounts)s) AND is_default RETURNING id"
)
GIVE_DEFAULT: Final = """
UPDATE user_accounts account SET is_default = true
 WHERE id = %(successor)s AND NOT EXISTS (
       SELECT FROM user_accounts own WHERE own.team_id = account.team_id AND own.is_default)
"""


def merge_ghosts(cursor: CursorWrapper, team_id: UUID) -> int:
    """Merge the ghosts of this team into their ads accounts, with labels and history; return how many there were.

    The transaction must hold the lock of the team.
    """
    cursor.execute(FIND, {"team": team_id, "max_labels": MAX_LABELS})
    successors = dict(cursor.fetchall())
    # That a ghost vanished, or appeared again, is no change of the ads account.
    merge_accounts(cursor, successors, keeps_all=False)
    return len(successors)


def merge_accounts(cursor: CursorWrapper, successors: Mapping[UUID, UUID], *, keeps_all: bool) -> None:
    """Delete the accounts that are the keys, and give what belongs to them to their successors.

    No connection may see the accounts any more, and no unfinished batch operation may have them. Changes of the kinds
    `vanished` and `appeared` are kept only if `keeps_all`.
    """
    if not successors:
        return
    parameters: dict[str, Any] = {
        "accounts": list(successors),
        "others": list(successors.values()),
        "keeps_all": keeps_all,
    }
    cursor.execute(TAKE_DEFAULT, parameters)
    for (account,) in cursor.fetchall():
        cursor.execute(GIVE_DEFAULT, {"successor": successors[account]})
    cursor.execute(UNITE_LABELS, parameters)
    cursor.execute(GIVE, parameters)
