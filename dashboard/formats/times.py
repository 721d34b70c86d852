"""How moments and lengths of time are written."""

from datetime import datetime, timedelta

from django.utils import timezone

from amazon_accounts.postgresql.clock import approximate_now


def relative(moment: datetime) -> str:
    """Return "4 min ago", "in 12 min", or the date if the moment is a week or more away."""
    distance = approximate_now() - moment
    if abs(distance) < timedelta(minutes=1):
        return "just now" if distance >= timedelta(0) else "in less than a minute"
    if abs(distance) >= timedelta(days=7):
        return format_date(moment)
    return f"{format_span(distance)} ago" if distance > timedelta(0) else f"in {format_span(-distance)}"


def format_span(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    hours, days = minutes // 60, minutes // 1440
    if days:
        return "1 day" if days == 1 else f"{days} days"
    if hours:
        return f"{hours} h {minutes % 60} min" if hours < 10 and minutes % 60 else f"{hours} h"
    return f"{minutes} min"


def format_date(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%-d %b %Y}"


def format_moment(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%-d %b %Y, %H:%M %Z}"
