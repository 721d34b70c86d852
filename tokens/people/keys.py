"""API tokens that have expired are of no use to anybody."""

from django.utils import timezone
from knox.models import AuthToken


def prune() -> int:
    """Delete expired API tokens; return how many."""
    deleted, _ = AuthToken.objects.filter(expiry__lt=timezone.now()).delete()
    return int(deleted)
