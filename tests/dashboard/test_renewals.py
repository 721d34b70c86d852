"""The page of renewals."""

import csv
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.batch import start_batch_of
from accounts.batch.rows import CONNECTIONS
from accounts.models import BatchOperation, ConnectionBatchItem
from tests.accounts.batch.batches import run_to_end
from tests.dashboard.conftest import LogIn, MakeConnection, squeeze, staff
from tokens.connect.links import find_link, make_connect_link
from tokens.connect.renewals import send_renewal_link
from tokens.models import Connection, ConnectLink, RenewalMail

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def mail_server(settings: LazySettings) -> None:
    settings.EMAIL_IS_SET_UP = True


@pytest.fixture
def client(alice: User, log_in: LogIn, settings: LazySettings) -> Client:
    settings.CONSENT_EFFECTIVE_DATE = datetime(2020, 1, 1, tzinfo=UTC).date()
    return log_in(alice)


def days_left(days: float) -> datetime:
    return timezone.now() - timedelta(days=365 - days)


@pytest.fixture
def house(alice: User, make_connection: MakeConnection, client: Client) -> dict[str, Connection]:
    """Logins by label, with the consents of all groups."""
    consents = {"ended": -3, "week": 5, "month": 20, "two months": 50, "good": 300}
    made = {
        label: make_connection(alice, label, consented_at=days_left(left)) for label, left in consents.items()
    }
    made["unknown"] = make_connection(alice, "unknown", contact_email="u@garden.example")
    made["gone"] = make_connection(alice, "gone", consented_at=days_left(-5), state="disconnected")
    return made


def shown(client: Client, query: str = "") -> list[str]:
    return [row.label for row, _, _ in client.get(f"/renewals/{query}").context["rows"]]


@pytest.mark.usefixtures("house")
class TestList:
    def test_the_next_to_end_comes_first_and_disconnected_logins_are_left_out(self, client: Client) -> None:
        assert shown(client) == ["ended", "week", "month", "two months", "good", "unknown"]
        assert shown(client, "?state=disconnected") == shown(client)

    @pytest.mark.parametrize(
        ("word", "labels"),
        [
            ("ended", ["ended"]),
            ("ends_in_7", ["week"]),
            ("ends_in_30", ["week", "month"]),
            ("ends_in_60", ["week", "month", "two months"]),
            ("unknown", ["unknown"]),
        ],
    )
    def test_each_chip_counts_what_it_shows(self, client: Client, word: str, labels: list[str]) -> None:
        [group] = client.get("/renewals/").context["groups"]
        chip = next(chip for chip in group.chips if chip.id == f"chip-consent-{word}")
        assert chip.number == len(labels)
        assert "state" not in chip.address
        assert shown(client, chip.address) == labels

    def test_all_that_match_leaves_out_what_the_list_leaves_out(self, client: Client) -> None:
        state = client.get("/renewals/?consent=ended").context["state"]
        form = {"on": "connections", "operation": "send_renewal_links", "all": "1"}
        answer = client.post("/operations/", {**form, "query": state.filter_query})
        assert "Send renewal links for 1 connection" in answer.content.decode()

    def test_consents_are_counted_by_the_month_of_their_end(self, client: Client) -> None:
        months = client.get("/renewals/").context["months"]
        assert (months.ended, months.soon, sum(month.later for month in months.rows)) == (1, 3, 1)
        ends = timezone.localtime(timezone.now() + timedelta(days=300))
        assert (months.rows[-1].title, months.rows[-1].later) == (f"{ends:%b %Y}", 1)
        assert len(months.rows) >= 10

    def test_another_person_sees_none_of_it(self, log_in: LogIn) -> None:
        page = log_in(staff("vera", "Viewer")).get("/renewals/")
        assert (page.context["rows"], list(page.context["months"].rows)) == ([], [])


def link_cell(client: Client) -> str:
    html = squeeze(client.get("/renewals/?consent=unknown").content.decode())
    return html.rpartition("<td")[2].partition("</td>")[0]


def test_the_newest_link_says_what_came_of_it(
    alice: User, client: Client, house: dict[str, Connection]
) -> None:
    assert "Not sent" in link_cell(client)
    unknown = house["unknown"]
    _, address = make_connect_link(alice, unknown.team, label="x", connection=unknown)
    assert "Link made" in link_cell(client)
    Client().head(urlsplit(str(address)).path)
    assert "Link made" in link_cell(client)
    Client().get(urlsplit(str(address)).path)
    assert "Link opened" in link_cell(client)
    link = send_renewal_link(alice, unknown, uuid4())
    links = ConnectLink.objects.filter(pk=link.pk)
    assert "Being sent" in link_cell(client)
    links.update(mailed_at=Now(), digest="a" * 64)
    assert "Link sent" in link_cell(client)
    links.update(came_back_as="<theo@personal.example>")
    assert "Wrong login" in link_cell(client)
    assert "&lt;theo@personal.example&gt;" in link_cell(client)
    links.update(came_back_as="", ends_at=Now() - timedelta(hours=1))
    assert "It has expired." in link_cell(client)
    links.update(mailed_at=None, revoked_at=Now())
    assert "Revoked" in link_cell(client)
    links.update(revoked_at=None, used_at=Now(), connected=unknown, browser_digest="b" * 64, has_renewed=True)
    assert "Renewed" in link_cell(client)


def test_a_login_without_contact_asks_for_one(client: Client, house: dict[str, Connection]) -> None:
    Connection.objects.filter(pk=house["unknown"].pk).update(contact_email="")
    assert "Add one to send a link." in link_cell(client)


def test_a_mailing_says_how_many_are_renewed_and_names_the_others(
    alice: User, client: Client, make_connection: MakeConnection
) -> None:
    made = [
        make_connection(alice, f"Shop {n}", contact_email=f"c{n}@garden.example", consented_at=days_left(20))
        for n in range(4)
    ]
    batch = run_to_end(start_batch_of(CONNECTIONS, alice, "send_renewal_links", ids=[row.pk for row in made]))
    of = {link.connection_id: ConnectLink.objects.filter(pk=link.pk) for link in ConnectLink.objects.all()}
    Connection.objects.filter(pk=made[0].pk).update(consented_at=Now())
    of[made[1].pk].update(came_back_as="theo@personal.example")
    of[made[2].pk].update(opened_at=Now())
    RenewalMail.objects.filter(links=of[made[3].pk].get()).update(failed_at=Now())
    page = client.get(f"/operations/{batch.pk}/")
    mailing = page.context["mailing"]
    assert {state.word: number for state, number in mailing.parts} == {
        "Renewed": 1,
        "Wrong login": 1,
        "Link opened": 1,
        "Mail refused": 1,
    }
    html = squeeze(page.content.decode())
    for text in ("1 of 4", "in another way", "theo@personal.example", "not finished", "did not take it"):
        assert text in html
    assert "c3@garden.example" in html
    last = client.get("/renewals/").context["mailing"]
    assert (last.batch, last.counts) == (batch, mailing.counts)


def test_links_are_sent_to_the_chosen_and_the_result_names_who_has_no_contact(
    client: Client, house: dict[str, Connection]
) -> None:
    form = {
        "on": "connections",
        "operation": "send_renewal_links",
        "connection_ids": f"{house['unknown'].pk},{house['week'].pk}",
    }
    asked = client.post("/operations/", form)
    assert "Send renewal links for 2 connections" in asked.content.decode()
    assert not BatchOperation.objects.exists()
    client.post("/operations/", {**form, "confirm": "1"})
    batch = run_to_end(BatchOperation.objects.get())
    assert str(batch) == "Renewal links for 2 connections"
    items = ConnectionBatchItem.objects.filter(batch=batch).select_related("connection")
    assert {item.connection.label: (item.state, item.message) for item in items} == {
        "unknown": ("succeeded", "The contact gets one mail with the links of all their logins."),
        "week": ("failed", "It has no contact, so no link was sent. Add the contact first."),
    }
    link = ConnectLink.objects.get()
    assert (link.connection, link.email) == (house["unknown"], "u@garden.example")
    assert "It has no contact" in client.get(f"/operations/{batch.pk}/").content.decode()


def test_a_viewer_is_offered_no_links(log_in: LogIn, make_connection: MakeConnection) -> None:
    vera = staff("vera", "Viewer")
    connection = make_connection(vera, "A", contact_email="a@garden.example")
    browser = log_in(vera)
    assert "send_renewal_links" not in browser.get("/renewals/").content.decode()
    form = {"on": "connections", "operation": "send_renewal_links", "connection_ids": str(connection.pk)}
    assert browser.post("/operations/", {**form, "confirm": "1"}).status_code == 403


@pytest.mark.parametrize(("state", "word"), [("active", "Renew"), ("reauthorization_required", "Reconnect")])
def test_an_active_connection_is_renewed_and_a_refused_one_reconnected(
    alice: User, client: Client, make_connection: MakeConnection, state: str, word: str
) -> None:
    connection = make_connection(alice, "A", state=state)
    html = squeeze(client.get(f"/connections/{connection.pk}/").content.decode())
    assert f'id="reconnect-{connection.pk}">{word}<' in html


class TestDates:
    def upload(self, client: Client, text: str) -> str:
        file = SimpleUploadedFile("dates.csv", text.encode(), "text/csv")
        return squeeze(client.post("/renewals/dates/", {"file": file}, follow=True).content.decode())

    def test_they_are_entered_from_a_file(self, client: Client, house: dict[str, Connection]) -> None:
        assert "Enter the date" in client.get("/renewals/?consent=unknown").content.decode()
        text = self.upload(client, f"id,consented_on\n{house['unknown'].pk},2026-08-01\n")
        assert "1 date entered." in text
        assert shown(client, "?consent=unknown") == []

    def test_a_wrong_line_is_named(self, client: Client, house: dict[str, Connection]) -> None:
        text = self.upload(client, f"id,consented_on\n{house['unknown'].pk},tomorrow\n")
        assert "Line 2: It must be a day like 2026-08-01." in text
        assert shown(client, "?consent=unknown") == ["unknown"]

    def test_the_dialog_of_a_connection_has_the_day(
        self, client: Client, house: dict[str, Connection]
    ) -> None:
        unknown, good = house["unknown"], house["good"]
        assert 'name="consented_on"' not in client.get(f"/connections/{good.pk}/update/").content.decode()
        address = f"/connections/{unknown.pk}/update/"
        assert 'name="consented_on"' in client.get(address).content.decode()
        form = {"label": "unknown", "regions": ["EU"], "owner": "alice", "consented_on": "2026-08-01"}
        assert client.post(address, form).status_code == 303
        unknown.refresh_from_db()
        assert str(unknown.consented_on) == "2026-08-01"
        # A form of an earlier version of the page has no such field.
        del form["consented_on"]
        client.post(address, form)
        unknown.refresh_from_db()
        assert str(unknown.consented_on) == "2026-08-01"


class TestWithoutMailServer:
    @pytest.fixture(autouse=True)
    def no_mail_server(self, settings: LazySettings) -> None:
        settings.EMAIL_IS_SET_UP = False

    def test_the_links_are_offered_as_a_file_once(self, client: Client, house: dict[str, Connection]) -> None:
        chosen = {"connection_ids": f"{house['week'].pk},{house['gone'].pk},{house['unknown'].pk}"}
        asked = client.post(
            "/operations/", {"on": "connections", "operation": "send_renewal_links", **chosen}
        )
        assert 'action="/renewals/links.csv"' in asked.content.decode()
        answer = client.post("/renewals/links.csv", chosen)
        assert "no-store" in answer["Cache-Control"]
        rows = list(csv.DictReader(answer.content.decode("utf-8-sig").splitlines()))
        assert [row["label"] for row in rows] == ["unknown", "week"]
        found = [find_link(row["link"].rstrip("/").rpartition("/")[2]) for row in rows]
        assert [link and link.connection for link in found] == [house["unknown"], house["week"]]
        client.post("/renewals/links.csv", chosen)
        links = ConnectLink.objects.order_by("created_at")
        assert [str(link.state) for link in links] == ["revoked", "revoked", "open", "open"]

    def test_no_operation_is_started(self, alice: User, house: dict[str, Connection]) -> None:
        with pytest.raises(ValidationError, match="There is no mail server"):
            start_batch_of(CONNECTIONS, alice, "send_renewal_links", ids=[house["unknown"].pk])

    def test_nothing_is_chosen_or_nothing_can_be_renewed(
        self, client: Client, house: dict[str, Connection]
    ) -> None:
        for chosen, why in (
            ({}, "Select connections first."),
            ({"connection_ids": str(house["gone"].pk)}, "None of"),
        ):
            answer = client.post("/renewals/links.csv", chosen, follow=True)
            assert why in answer.content.decode()
        assert not ConnectLink.objects.exists()


def test_the_page_costs_at_most_twelve_queries(
    alice: User,
    client: Client,
    make_connection: MakeConnection,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    made = [
        make_connection(alice, f"Shop {n}", contact_email="c@garden.example", consented_at=days_left(n))
        for n in range(30)
    ]
    run_to_end(start_batch_of(CONNECTIONS, alice, "send_renewal_links", ids=[row.pk for row in made]))
    client.get("/renewals/")
    with django_assert_max_num_queries(12):
        client.get("/renewals/")
