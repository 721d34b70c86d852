"""What has changed among the accounts that a person sees, in sentences for the daily mail."""

from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.db.models import Count

from accounts.models import Account, AccountChange

_WORDS: Final[dict[str, tuple[str, str]]] = {
    AccountChange.Kind.APPEARED: ("account appeared again", "accounts appeared again"),
    AccountChange.Kind.VANISHED: ("account is not visible any more", "accounts are not visible any more"),
    AccountChange.Kind.STATUS: ("account changed its status", "accounts changed their status"),
    AccountChange.Kind.STANDING: ("account changed its standing", "accounts changed their standing"),
    AccountChange.Kind.PAYMENT: (
        "account changed its payment method",
        "accounts changed their payment methods",
    ),
    AccountChange.Kind.ERRORS: (
        "account changed its errors at Amazon",
        "accounts changed their errors at Amazon",
    ),
    AccountChange.Kind.NAME: ("account changed its name", "accounts changed their names"),
    AccountChange.Kind.COUNTRIES: ("account changed its countries", "accounts changed their countries"),
}


def describe_changes(user: User, since: datetime, until: datetime) -> list[str]:
    found = Account.objects.visible_to(user).filter(first_seen_at__gt=since, first_seen_at__lte=until).count()
    changes = AccountChange.objects.visible_to(user).filter(changed_at__gt=since, changed_at__lte=until)
    counts = changes.order_by().values_list("kind").annotate(number=Count("account", distinct=True))
    numbers = dict(counts)
    lines = [_count(found, "new account was found", "new accounts were found")]
    lines += [_count(numbers.get(kind, 0), *words) for kind, words in _WORDS.items()]
    return [line for line in lines if line]


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}." if number else ""
