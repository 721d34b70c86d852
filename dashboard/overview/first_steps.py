"""The first three steps in a new installation. They go away by themselves: when all are done, or after two weeks."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import caches
from django.db.models import Exists
from django.db.models.functions import Now
from django.urls import reverse

from tokens.models import AlertAddress, Connection, Invitation

SHOWN_FOR: Final = timedelta(days=14)
KEY: Final = "first-steps-are-over"
REMEMBERED_SECONDS: Final = 3600


@dataclass(frozen=True, kw_only=True)
class Step:
    is_done: bool
    title: str
    text: str
    action: str
    address: str


def list_first_steps(user: User) -> list[Step]:
    """Return the steps for who installs the console; none when they are over. Costs one query until then."""
    if not user.is_superuser or caches["process"].get(KEY):
        return []
    connected = Connection.objects.order_by()
    found = User.objects.filter(pk=user.pk).values_list(
        Exists(connected),
        Exists(connected.filter(created_at__lt=Now() - SHOWN_FOR)),
        Exists(User.objects.exclude(pk=user.pk).filter(is_active=True)),
        Exists(Invitation.objects.all()),
        Exists(AlertAddress.objects.all()),
    )
    is_connected, is_old, has_colleague, has_invited, has_address = found[0]
    is_told = has_address or settings.EMAIL_IS_SET_UP or bool(settings.ALERT_URLS)
    steps = [
        Step(
            is_done=is_connected,
            title="Connect an Amazon login",
            text="Its accounts appear here in about a minute.",
            action="Connect",
            address=reverse("connect-amazon"),
        ),
        Step(
            is_done=has_colleague or has_invited,
            title="Invite a colleague",
            text="Viewers look, operators also act.",
            action="Invite",
            address=reverse("teams"),
        ),
        Step(
            is_done=is_told,
            title="Say where alerts go",
            text="A mail server (EMAIL_URL) or a chat (ALERT_URLS). Without one, alerts stay on these pages.",
            action="Set up",
            address=reverse("alerts"),
        ),
    ]
    if is_old or all(step.is_done for step in steps):
        caches["process"].set(KEY, "yes", REMEMBERED_SECONDS)
        return []
    return steps
