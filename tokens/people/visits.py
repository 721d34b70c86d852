"""When a person has looked at the activity, so that the page can say what is new since then."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import connection

from amazon_accounts.postgresql.statements import load
from tokens.models import ActivityVisit


def find_last_visit(user: User) -> datetime | None:
    """Return when the visit of the person before this one ended."""
    return ActivityVisit.objects.filter(user=user.pk).values_list("previous_at", flat=True).first()


def record_visit(user: User) -> datetime | None:
    """Record that the person looks now; return when their visit before this one ended, None for the first visit."""
    with connection.cursor() as cursor:
        cursor.execute(load(__file__, "record_visit"), {"user": user.pk})
        row: tuple[datetime | None] = cursor.fetchone()
    return row[0]
