"""How many accounts some logins have, at a cost that does not grow with them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db import connection as database

from accounts.models import Account

# Of one login. More than so many are "5,000+".
MOST = 5_000
# So many logins are counted; a sum over more of them is "at least".
LOGINS = 50

COUNT = """
SELECT login, (SELECT count(*) FROM (SELECT FROM user_accounts WHERE connection_id = login AND {} LIMIT %(most)s + 1) found)
  FROM unnest(%(logins)s) login
"""


@dataclass(frozen=True)
class AtLeast:
    """A number, or at least so many."""

    number: int
    or_more: bool = False

    def __str__(self) -> str:
        return f"{self.number:,}{'+' if self.or_more else ''} account{'' if self.number == 1 else 's'}"


@dataclass(frozen=True)
class AccountCounts:
    by_login: Mapping[UUID, int]

    def of(self, *logins: UUID) -> AtLeast:
        """Return the number of accounts of these logins together."""
        known = [self.by_login[login] for login in logins if login in self.by_login]
        or_more = len(known) < len(logins) or any(number > MOST for number in known)
        return AtLeast(sum(min(number, MOST) for number in known), or_more)


def count_accounts(logins: Collection[UUID], *, only_live: bool = False) -> AccountCounts:
    """Count the accounts of each login, or only those that are not inactive; one query, of the first LOGINS."""
    if not logins:
        return AccountCounts({})
    condition = f"status <> '{Account.Status.INACTIVE.value}'" if only_live else "true"
    with database.cursor() as cursor:
        cursor.execute(COUNT.format(condition), {"logins": list(logins)[:LOGINS], "most": MOST})
        return AccountCounts(dict(cursor.fetchall()))
