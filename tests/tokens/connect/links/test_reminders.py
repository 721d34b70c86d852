"""Reminders before a consent ends."""

import re
from collections import Counter
from datetime import date, timedelta

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core import mail
from django.db.models import F
from django.db.models.functions import Now
from django.test import override_settings
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from tests.teams import join, team_of
from tests.tokens.conftest import new_connection
from tests.tokens.connect.links.days import a_day_later
from tests.tokens.connect.links.mail_servers import DYING, REFUSING, Killed
from tokens.connect.consent import warn_of_consent_ends
from tokens.connect.disconnect import disconnect_connection
from tokens.connect.links import digest_token
from tokens.connect.reminders import REMINDER_DAYS, send_renewal_mails, switch_reminders
from tokens.connect.renewal_mails import gather_mailing, mail_renewal_links
from tokens.connect.renewals import send_renewal_link
from tokens.models import Alert, AuditEntry, Connection, ConnectLink, ConsentState, RenewalMail, where_consent
from tokens.people.roles import Role
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db(transaction=True)

CONTACT = "ads@copperleaf.example"
ADDRESS = re.compile(r"https://ads.example.com/c/([\w-]+)/")


@pytest.fixture(autouse=True)
def mailbox(settings: LazySettings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.EMAIL_IS_SET_UP = True
    settings.PUBLIC_URL = "https://ads.example.com"
    settings.CONSENT_EFFECTIVE_DATE = date(2020, 1, 1)


def ends_in(days: float) -> dict[str, object]:
    # Not at an hour at which the day ends soon.
    noon = timezone.now().replace(hour=12)
    return {"consented_at": noon - timedelta(days=365 - days)}


@pytest.fixture
def connection(mara: User, settings: LazySettings) -> Connection:
    return new_connection(mara, settings, "Atzr|x", label="Copperleaf", contact_email=CONTACT, **ends_in(31))


def work() -> None:
    """What scheduler and worker do on a day."""
    send_renewal_mails()
    for job in ProcrastinateJob.objects.filter(task_name="tokens.mail_renewal_links"):
        mail_renewal_links(job.args["mail_id"])


def test_they_go_out_on_five_days_with_a_new_link_each(connection: Connection) -> None:
    days = []
    for left in range(31, -1, -1):
        before = len(mail.outbox)
        work()
        if left in REMINDER_DAYS:
            work()
        days += [left] * (len(mail.outbox) - before)
        a_day_later()
    assert days == list(REMINDER_DAYS)
    tokens = [ADDRESS.findall(str(message.body)) for message in mail.outbox]
    assert all(len(found) == 1 for found in tokens)
    assert len({found[0] for found in tokens}) == len(REMINDER_DAYS)
    links = ConnectLink.objects.order_by("created_at")
    assert [str(link.state) for link in links] == [*["revoked"] * 4, "open"]
    assert "The present access ends on" in str(mail.outbox[0].body)
    assert AuditEntry.objects.filter(action="connect_link.make").count() == len(REMINDER_DAYS)


def test_after_days_without_a_scheduler_only_the_last_one_is_sent(connection: Connection) -> None:
    Connection.objects.update(**ends_in(13))
    work()
    assert len(mail.outbox) == 1
    for _ in range(5):
        a_day_later()
        work()
    assert len(mail.outbox) == 1
    a_day_later()
    work()
    assert len(mail.outbox) == 2


@pytest.mark.parametrize("why", ["killed", "refused"])
def test_what_was_not_sent_is_sent_a_day_later(connection: Connection, why: str) -> None:
    Connection.objects.update(**ends_in(14))
    if why == "killed":
        with override_settings(EMAIL_BACKEND=DYING), pytest.raises(Killed):
            work()
    else:
        with override_settings(EMAIL_BACKEND=REFUSING):
            work()
            RenewalMail.objects.update(failed_at=Now())
    work()
    assert not mail.outbox
    a_day_later()
    work()
    work()
    assert len(mail.outbox) == 1


def test_the_mail_of_a_day_has_all_logins_of_the_person_that_end_soon(
    mara: User, settings: LazySettings, connection: Connection
) -> None:
    for label, days in (("Soon", 14), ("Later", 20), ("Next year", 200)):
        new_connection(
            mara, settings, f"Atzr|{label}", label=label, contact_email=CONTACT.upper(), **ends_in(days)
        )
    work()
    [message] = mail.outbox
    assert "Soon" in str(message.body)
    assert "Later" in str(message.body)
    assert len(ADDRESS.findall(str(message.body))) == 2


def test_a_link_that_somebody_sent_on_the_day_is_enough(connection: Connection) -> None:
    Connection.objects.update(**ends_in(14))
    mailing = send_renewal_link(SYSTEM, connection, connection.pk).mailing
    assert mailing is not None
    gather_mailing(mailing)
    work()
    work()
    a_day_later()
    work()
    assert len(mail.outbox) == 1


@pytest.mark.parametrize("when", ["planning", "sending"])
@pytest.mark.parametrize(
    "why", ["renewed", "paused", "disconnected", "no contact", "refused", "off", "other team"]
)
def test_they_stop(mara: User, connection: Connection, why: str, when: str) -> None:
    Connection.objects.update(**ends_in(14))
    if when == "sending":
        send_renewal_mails()
        ConnectLink.objects.update(created_at=Now() - timedelta(seconds=1), ends_at=F("created_at"))
    match why:
        case "renewed":
            Connection.objects.update(consented_at=Now())
        case "paused":
            Connection.objects.update(paused=True)
        case "disconnected":
            disconnect_connection(SYSTEM, connection)
        case "no contact":
            Connection.objects.update(contact_email="")
        case "refused":
            Connection.objects.update(state="reauthorization_required", next_refresh_at=None)
        case "off":
            switch_reminders(SYSTEM, connection.team, on=False)
        case _:
            north = join(mara, "North", Role.OPERATOR)
            switch_reminders(SYSTEM, north, on=False)
            Connection.objects.update(team=north)
            ConnectLink.objects.update(team=north)
    work()
    assert not mail.outbox


def test_without_a_mail_server_none_are_planned(connection: Connection, settings: LazySettings) -> None:
    Connection.objects.update(**ends_in(14))
    settings.EMAIL_IS_SET_UP = False
    work()
    assert not ConnectLink.objects.exists()


def test_five_hundred_consents_in_sixty_days(mara: User, settings: LazySettings) -> None:
    """Four logins for each contact. 480 are renewed with a link of a mail, at one of the first reminders."""
    days, number, lazy = 60, 500, 20
    noon = timezone.now().replace(hour=12)
    Connection.objects.bulk_create(
        Connection(
            owner=mara,
            team=team_of(mara),
            client_id=settings.AMAZON_CLIENT_ID,
            refresh_token="Atzr|x",
            label=f"Shop {each}",
            contact_email=f"contact{each // 4}@example.com",
            consented_at=noon - timedelta(days=365 - (1 + each // 4 % days)),
        )
        for each in range(number)
    )
    renewed_at_reminder = {f"contact{each}@example.com": 1 + each % 2 for each in range((number - lazy) // 4)}
    mails: Counter[str] = Counter()
    ending: dict[str, int] = {}
    for day in range(days + 1):
        read = len(mail.outbox)
        # On some days nothing runs.
        if day not in {9, 20, 21}:
            work()
        recipients = [message.to[0] for message in mail.outbox[read:]]
        assert len(set(recipients)) == len(recipients)
        for message in mail.outbox[read:]:
            [address] = message.to
            mails[address] += 1
            if mails[address] == renewed_at_reminder.get(address):
                renew(ADDRESS.findall(str(message.body)))
        named = Connection.objects.filter(where_consent(ConsentState.ENDS_IN_30))
        for label in named.values_list("label", flat=True):
            ending.setdefault(label, day)
        a_day_later()
    ended = set(Connection.objects.filter(where_consent(ConsentState.ENDED)).values_list("label", flat=True))
    assert ended == {f"Shop {each}" for each in range(number - lazy, number)}
    # Each of them was named 30 days ahead, or on the first day.
    assert {label: ending[label] for label in ended} == {
        f"Shop {each}": max(0, 1 + each // 4 % days - 30) for each in range(number - lazy, number)
    }


def renew(tokens: list[str]) -> None:
    links = ConnectLink.objects.open().filter(digest__in=[digest_token(token) for token in tokens])
    connections = list(links.values_list("connection", flat=True))
    assert len(connections) == len(tokens)
    still_good = Connection.objects.filter(pk__in=connections).exclude(where_consent(ConsentState.ENDED))
    assert still_good.update(consented_at=Now()) == len(tokens)
    links.update(used_at=Now(), connected=F("connection"), browser_digest="b" * 64, has_renewed=True)


def test_who_looks_after_it_is_told_thirty_days_ahead(connection: Connection) -> None:
    warn_of_consent_ends()
    assert not Alert.objects.exists()
    Connection.objects.update(**ends_in(29))
    warn_of_consent_ends()
    assert Alert.objects.get().connection == connection
