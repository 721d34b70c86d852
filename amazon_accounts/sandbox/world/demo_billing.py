"""The billing of the demo's world: most accounts are valid, and every published code can be seen on some account."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count

from amazon_accounts.sandbox.world.billing import VALID, Notification
from amazon_accounts.sandbox.world.entities import Login, Profile, World

#: Of the logins with many accounts, one of so many accounts has something to tell.
STEP = 5
#: Days between the date when an invoice is due and the suspension.
GRACE = 30
#: Login, account, country, code, and the notice's name, title and impact, if there is one.
PROBLEMS = (
    (
        *("bruno", "Birchline Outdoor", "UK", "ACCOUNT_BILLING_ISSUE"),
        *("SELLER_ACCOUNT_PAYMENT_FAILURE_CAUSED_SUSPENSION", "We could not charge your seller account"),
        "CAMPAIGNS_SUSPENDED",
    ),
    ("bruno", "Birchline Living", "IT", "INVALID_PAYMENT_REGISTRATION"),
    ("bruno", "Birchline Kitchen", "DE", "PAYMENT_METHOD_VERIFICATION_FAILED"),
    (
        *("bruno", "Birchline Toys", "FR", "STORED_VALUE_BALANCE_TOO_LOW"),
        *("PREPAY_INSUFFICIENT_BALANCE", "Your prepaid balance is too low"),
    ),
    ("bruno", "Birchline Garden", "PL", "PENDING_TAX_REGISTRATION"),
    (
        *("bruno", "Birchline Japan", "JP", "RESERVE_ORDER_BALANCE_TOO_LOW"),
        *("RO_INSUFFICIENT_BALANCE", "The balance of your order is too low"),
    ),
    ("bruno", "Birchline Türkiye", "TR", VALID, "POLICY_VIOLATIONS", "Some of your ads break a policy"),
    (
        *("emil", "Inkwell Print", "UK", "PAYMENT_METHOD_EXPIRED"),
        *("CREDIT_CARD_EXPIRED", "Your credit card has expired"),
    ),
    ("dana", "Yarrow Home", "US", "PENDING_BILLING_REGISTRATION"),
    ("dana", "Yarrow Outdoor", "US", "PENDING_PAYMENT_REGISTRATION"),
    ("dana", "Yarrow Living", "US", "PENDING_TAX_REGISTRATION"),
)
#: Login, account and country whose card ends soon.
CARDS = (("bruno", "Birchline Canada", "CA"), ("emil", "Inkwell Editions", "US"))


class Notices:
    """Makes Amazon's notices with dates that are some days before or after today."""

    def __init__(self, today: datetime) -> None:
        self._today = today

    def _write(self, days: int) -> str:
        return (self._today + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def unpaid(self, *, suspended: int) -> Notification:
        """An invoice for which Amazon stopped the campaigns, `suspended` days from today."""
        return Notification(
            "PAY_BY_INVOICE_OVERDUE_PAYMENT_CAUSED_SUSPENSION",
            "ALERT",
            "CAMPAIGNS_SUSPENDED",
            title="Your campaigns are suspended because of an unpaid invoice",
            description="Pay the overdue invoice to start your campaigns again.",
            payment_due_date=self._write(suspended - GRACE),
            suspension_date=self._write(suspended),
        )

    def overdue(self, *, suspended: int) -> Notification:
        """An invoice for which Amazon will stop the campaigns, `suspended` days from today."""
        return Notification(
            "PAY_BY_INVOICE_OVERDUE_PAYMENT_PENDING_SUSPENSION",
            "ALERT",
            title="Your payment is overdue",
            description="Pay the invoice before the suspension date, or your campaigns will be suspended.",
            payment_due_date=self._write(suspended - GRACE),
            suspension_date=self._write(suspended),
        )

    def upcoming(self, *, due: int) -> Notification:
        return Notification(
            "PAY_BY_INVOICE_UPCOMING_PAYMENT",
            priority=3,
            title="Your payment is due soon",
            description="Your next invoice is due.",
            payment_due_date=self._write(due),
        )


def add_billing(world: World, now: datetime) -> None:
    """Set what billing says about some accounts of each login. All dates count from the day of `now`."""
    _add_invoices(world, Notices(now.replace(hour=0, minute=0, second=0, microsecond=0)))
    for login_id, name, country, code, *notice in PROBLEMS:
        _set_problem(world, _find(world, login_id, name, country), code, *notice)
    for login_id, name, country in CARDS:
        card = Notification(
            "CREDIT_CARD_EXPIRES_SOON",
            "WARNING",
            priority=2,
            title="Your credit card expires soon",
            description="Update the card, or add another one, so that your campaigns are not interrupted.",
        )
        world.set_billing(_find(world, login_id, name, country), VALID, card)
    _add_hostile_billing(world)


def _find(world: World, login_id: str, name: str, country: str) -> Profile:
    profiles = (world.profiles[each] for each in world.logins[login_id].profiles)
    return next(each for each in profiles if (each.name, each.country_code) == (name, country))


def _set_problem(
    world: World, profile: Profile, code: str, name: str = "", title: str = "", impact: str = "NO_IMPACT"
) -> None:
    notice = Notification(name, "ALERT", impact, title=title, description="Check your payment settings.")
    world.set_billing(profile, code, *([notice] if name else []))


def _spread(world: World, login: Login) -> Iterator[list[Profile]]:
    """The profiles of each STEP-th account that the login is told the billing of."""
    place = count()
    for each in login.ads_accounts:
        account = world.ads_accounts[each]
        profiles = [
            world.profiles[alternate.profile_id]
            for alternate in account.alternates
            if alternate.profile_id is not None
        ]
        is_told = all(
            profile.has_campaigns and login.profiles[profile.profile_id] == "edit" for profile in profiles
        )
        if profiles and is_told and account.status == "CREATED" and next(place) % STEP == 0:
            yield profiles


def _add_invoices(world: World, notices: Notices) -> None:
    for login_id, stopped, announced, due in (
        ("ana", (-2, -9), (1, 3, 12, 26), (5, 20)),
        ("chiyo", (-5,), (6,), (9,)),
    ):
        accounts = _spread(world, world.logins[login_id])
        for days in stopped:
            for profile in next(accounts):
                world.set_billing(profile, "ACCOUNT_BILLING_ISSUE", notices.unpaid(suspended=days))
        for days in announced:
            world.set_billing(next(accounts)[0], VALID, notices.overdue(suspended=days))
        for days in due:
            world.set_billing(next(accounts)[0], VALID, notices.upcoming(due=days))


def _add_hostile_billing(world: World) -> None:
    # Words that Amazon may use later, and texts that want to break pages.
    first, second, third, *_ = (world.profiles[each] for each in world.logins["grim"].profiles)
    markup = Notification(
        "<b>NAME</b>",
        "ALERT",
        title="<script>alert('notice')</script>" + "x" * 10_000,
        description='"><img src=x onerror=alert(1)> {{ 7 * 7 }} \u202egnp.exe \ud83d',
    )
    world.set_billing(first, VALID, markup, message="<i>Valid</i>")
    new = Notification(
        "NEW_NOTICE", "NEW_SEVERITY", "NEW_IMPACT", "high", extra={"newField": {"since": 2027}}
    )
    world.set_billing(second, "NEW_BILLING_STATUS", new, message="")
    odd_dates = (None, "2026-12-01T00:00:00", "9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "soon", 7)
    notices = [Notification("ODD_DATE", suspension_date=each, payment_due_date=each) for each in odd_dates]
    world.set_billing(third, VALID, *notices * 84)
