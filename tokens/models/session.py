"""Who is signed in, in which browser."""

from datetime import timedelta
from typing import Self

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from tokens.permissions import Actor, System, may_everything

MAX_USER_AGENT_CHARACTERS = 200


class SessionQuerySet(models.QuerySet["Session"]):
    def visible_to(self, user: Actor) -> Self:
        """Keep the person's own sessions. Superusers see every session, so that they can end it."""
        if isinstance(user, System):
            return self
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        return self if may_everything(user) else self.filter(user=user)

    def live(self) -> Self:
        # The database's clock decides for all processes.
        return self.filter(seen_at__gt=_idle_since(), started_at__gt=_oldest_start())

    def ended(self) -> Self:
        return self.filter(models.Q(seen_at__lte=_idle_since()) | models.Q(started_at__lte=_oldest_start()))


def _idle_since() -> models.expressions.CombinedExpression:
    return Now() - timedelta(seconds=settings.SESSION_IDLE_SECONDS)


def _oldest_start() -> models.expressions.CombinedExpression:
    return Now() - timedelta(seconds=settings.SESSION_MAX_SECONDS)


class Session(models.Model):
    """One browser's session. The cookie has the key; the row has only the digest of the key."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    key_digest = models.CharField(max_length=64, unique=True, editable=False)
    # What Django keeps in a session, signed.
    data = models.TextField(editable=False)
    # A browser that is not signed in has a session too when something is kept for it.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    # No index: an index would make each UPDATE of seen_at write it too, and the table is small.
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now(), help_text="Exact to five minutes")
    # Of the sign-in.
    address = models.GenericIPAddressField(null=True, blank=True)
    user_agent = models.CharField(max_length=MAX_USER_AGENT_CHARACTERS, blank=True, default="")

    objects = SessionQuerySet.as_manager()

    class Meta:
        ordering = ["-seen_at", "-id"]

    def __str__(self) -> str:
        return f"{self.browser} of {self.user or 'nobody'}"

    @property
    def browser(self) -> str:
        return name_browser(self.user_agent)


# The first word that a user agent has names it: Edge and Opera say "Chrome" too, and Chrome says "Safari".
BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser": "Samsung Internet",
    "Firefox": "Firefox",
    "FxiOS": "Firefox",
    "CriOS": "Chrome",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
PLATFORMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Macintosh": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


def name_browser(user_agent: str) -> str:
    """Return "Firefox on Windows", or the beginning of what the browser says if we do not know it."""
    browser = _first_known(BROWSERS, user_agent)
    platform = _first_known(PLATFORMS, user_agent)
    if browser and platform:
        return f"{browser} on {platform}"
    return browser or user_agent[:40] or "Unknown browser"


def _first_known(names: dict[str, str], user_agent: str) -> str:
    return next((name for word, name in names.items() if word in user_agent), "")
