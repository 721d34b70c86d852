"""Ending sessions. `keys.py` ends API keys.

The trigger end_access in `sql/` ends both too: all sessions of a person whose password changes, and sessions and API
keys of a person who is deactivated or no longer staff. It is in the database, because a signal of Django misses
`QuerySet.update` and SQL.
"""

import logging

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from tokens.models.session import Session
from tokens.people.audit import Action, record_many

logger = logging.getLogger(__name__)


@transaction.atomic
def end_sessions(user: User, sessions: QuerySet[Session]) -> int:
    """End those of the sessions that the person may see; return how many were ended."""
    visible = sessions.filter(pk__in=Session.objects.visible_to(user).values("pk"))
    people = list(User.objects.filter(pk__in=visible.values("user")).order_by("pk"))
    number: int = visible.delete()[0]
    if number:
        record_many(user, Action.SESSION_END, people, after={"sessions": number})
        logger.info("User %s ended %d sessions.", user.pk, number)
    return number


def end_own_sessions(user: User) -> int:
    return end_sessions(user, Session.objects.filter(user=user))
