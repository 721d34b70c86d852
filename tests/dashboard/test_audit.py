"""The audit trail for people: who sees what of it, its filters, its pages and its CSV."""

import csv
import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.batch import start_batch
from dashboard.audit.rows import LATEST
from dashboard.audit.words import DEEDS
from dashboard.views.audit import PAGE_SIZE
from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection, squeeze, staff
from tests.teams import join, set_role, team_of
from tokens.models import AuditEntry
from tokens.people.audit import Action, AuditedObject, record_audit, record_many
from tokens.people.invitations import invite, revoke_invitation
from tokens.people.roles import Role
from tokens.permissions import SYSTEM

ADDRESS = "/audit/"


def actions_on(client: Client, query: str = "") -> list[str]:
    response = client.get(f"{ADDRESS}{query}")
    assert response.status_code == 200
    return [row.entry.action for row in response.context["rows"]]


def read(client: Client, query: str = "") -> str:
    return squeeze(client.get(f"{ADDRESS}{query}").content.decode())


@pytest.fixture
def trail(alice: User, bob: User, make_connection: MakeConnection) -> None:
    """Two entries about connections and two about people."""
    connection = make_connection(alice, "Northwind")
    record_audit(
        alice,
        Action.CONNECTION_UPDATE,
        connection,
        before={"regions": ["EU"]},
        after={"regions": ["NA", "EU"]},
    )
    record_audit(
        bob,
        Action.ACCESS_TOKEN_HAND_OUT,
        connection,
        after={"reason": "TokenNotReadyError"},
        outcome=AuditEntry.Outcome.FAILED,
    )
    record_audit(bob, Action.PASSWORD_CHANGE, bob)
    record_audit(None, Action.SESSION_SIGN_IN, bob, outcome=AuditEntry.Outcome.REFUSED)


@pytest.mark.usefixtures("trail")
class TestVisibility:
    def test_a_superuser_sees_all(self, superuser: User, log_in: LogIn) -> None:
        assert len(actions_on(log_in(superuser))) == 4

    def test_an_administrator_sees_what_concerns_connections_and_accounts(
        self, administrator: User, log_in: LogIn
    ) -> None:
        client = log_in(administrator)
        assert actions_on(client) == ["access_token.hand_out", "connection.update"]
        rows = list(csv.DictReader(io.StringIO(b"".join(client.get("/audit/entries.csv")).decode())))
        # The export itself was recorded before.
        assert {row["object_type"] for row in rows} == {"audit", "connection"}

    @pytest.mark.usefixtures("alice")
    def test_an_administrator_of_another_team_sees_nothing(self, log_in: LogIn) -> None:
        assert actions_on(log_in(staff("zoe", "Administrator"))) == []

    def test_without_the_permission_there_is_no_page_and_no_link(self, alice: User, log_in: LogIn) -> None:
        client = log_in(alice)
        assert client.get(ADDRESS).status_code == 403
        assert ADDRESS not in client.get("/").content.decode()

    def test_the_menu_and_the_page_of_a_connection_lead_there(
        self, administrator: User, log_in: LogIn
    ) -> None:
        client = log_in(administrator)
        connection = AuditEntry.objects.get(action="connection.update").object_id
        assert f'href="{ADDRESS}"' in client.get("/").content.decode()
        page = client.get(f"/connections/{connection}/").content.decode()
        assert f'href="{ADDRESS}?object={connection}"' in page


@pytest.mark.usefixtures("trail")
class TestFilters:
    @pytest.fixture
    def client(self, superuser: User, log_in: LogIn) -> Client:
        return log_in(superuser)

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("?action=password.change", ["password.change"]),
            ("?actor=alice", ["connection.update"]),
            ("?actor=bob&outcome=failed", ["access_token.hand_out"]),
            ("?outcome=refused", ["session.sign_in"]),
            ("?actor=nobody-of-this-name", []),
        ],
    )
    def test_everything_that_is_given_must_hold(self, client: Client, query: str, found: list[str]) -> None:
        assert actions_on(client, query) == found

    @pytest.mark.parametrize(
        "query", ["?outcome=odd", "?team=odd", "?since=odd", "?after=odd", "?until=9999-12-31"]
    )
    def test_a_value_that_means_nothing_is_ignored(self, client: Client, query: str) -> None:
        assert len(actions_on(client, query)) == 4

    def test_the_history_of_one_object(self, client: Client) -> None:
        connection = AuditEntry.objects.get(action="connection.update").object_id
        assert len(actions_on(client, f"?object={connection}")) == 2

    def test_days_are_whole_days(self, client: Client) -> None:
        today = timezone.localdate()
        tomorrow, yesterday = today + timedelta(days=1), today - timedelta(days=1)
        assert len(actions_on(client, f"?since={yesterday}&until={tomorrow}")) == 4
        assert actions_on(client, f"?since={tomorrow + timedelta(days=1)}") == []
        assert actions_on(client, f"?until={yesterday - timedelta(days=1)}") == []

    def test_an_empty_answer_offers_to_clear_the_filters(self, client: Client) -> None:
        page = read(client, "?actor=nobody-of-this-name")
        assert "No entry matches." in page
        assert "Clear filters" in page


class TestRows:
    @pytest.fixture
    def client(self, superuser: User, log_in: LogIn) -> Client:
        return log_in(superuser)

    @pytest.mark.usefixtures("trail")
    def test_an_entry_says_who_did_what_and_what_changed(self, client: Client) -> None:
        page = read(client)
        for text in (
            "Changed a connection",
            "Northwind",
            "EU → NA, EU",
            "Asked for an access token",
            "Failed",
            "Nobody signed in",
        ):
            assert text in page

    def test_hostile_text_is_shown_as_text(self, client: Client, db: None) -> None:
        record_audit(
            User.objects.create_user("<b>eve</b>"),
            Action.BATCH_START,
            AuditedObject("batch", "x", "<i>name</i>"),
            after={"<u>a</u>": ["<s>b</s>"]},
        )
        page = read(client)
        assert not any(tag in page for tag in ("<b>eve", "<i>name", "<u>a", "<s>b"))

    def test_an_invitation_has_its_address_until_it_is_accepted(self, alice: User, client: Client) -> None:
        invitation = invite(SYSTEM, team_of(alice), "nina@example.com", "viewer")
        assert "nina@example.com" in read(client)
        revoke_invitation(SYSTEM, invitation)
        page = read(client)
        assert "Invited somebody" in page
        assert "Revoked an invitation" in page
        assert "nina@example.com" not in page

    def test_what_the_person_may_not_see_has_no_name_and_no_link(
        self, client: Client, alice: User, make_account: MakeAccount, make_connection: MakeConnection
    ) -> None:
        account = make_account(make_connection(alice), "Garden")
        record_audit(SYSTEM, Action.ACCOUNT_UPDATE, account)
        assert f'href="/accounts/{account.pk}/"' in read(client)
        AuditedObject.of(account)
        record_audit(SYSTEM, Action.ACCOUNT_UPDATE, AuditedObject("account", "not an id"))
        record_audit(SYSTEM, Action.ACCOUNT_UPDATE, AuditedObject("account", str(alice.pk)))
        assert len(actions_on(client)) == 3

    def test_pages_follow_each_other_without_gaps(self, client: Client) -> None:
        record_many(
            SYSTEM,
            Action.CONNECTION_SYNC,
            [AuditedObject("connection", str(n)) for n in range(PAGE_SIZE + 5)],
        )
        first = client.get(ADDRESS)
        second = client.get(f"{ADDRESS}{first.context['next']}")
        ids = [row.entry.object_id for page in (first, second) for row in page.context["rows"]]
        assert sorted(map(int, ids)) == list(range(PAGE_SIZE + 5))
        assert second.context["previous"]

    def test_a_page_costs_few_queries_however_many_objects_it_names(
        self,
        client: Client,
        alice: User,
        make_account: MakeAccount,
        make_connection: MakeConnection,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        connection = make_connection(alice)
        for number in range(20):
            record_audit(SYSTEM, Action.ACCOUNT_UPDATE, make_account(connection, f"Garden {number}"))
            record_audit(SYSTEM, Action.CONNECTION_SYNC, connection)
        with django_assert_max_num_queries(12):
            client.get(ADDRESS)


class TestCSV:
    def test_it_has_everything_that_matches_and_is_recorded_itself(
        self, superuser: User, log_in: LogIn, db: None
    ) -> None:
        record_many(
            SYSTEM, Action.CONNECTION_SYNC, [AuditedObject("connection", "=1+1") for _ in range(1_200)]
        )
        record_audit(SYSTEM, Action.CONNECTION_REFRESH, None)
        response = log_in(superuser).get("/audit/entries.csv?action=connection.sync")
        rows = list(csv.DictReader(io.StringIO(b"".join(response).decode())))
        assert len(rows) == len({row["id"] for row in rows}) == 1_200
        assert rows[0]["object_id"] == "'=1+1", "no formula"
        last = AuditEntry.objects.get(action="audit.export")
        assert (last.actor_name, last.after) == ("root", {"filtered_by": ["action"]})
        assert last.team_id is None

    def test_each_team_whose_entries_were_exported_reads_it_in_its_trail(
        self, alice: User, bob: User, superuser: User, log_in: LogIn
    ) -> None:
        def teams_of_export(person: User, query: str = "") -> set[object]:
            before = list(AuditEntry.objects.values_list("pk", flat=True))
            list(log_in(person).get(f"/audit/entries.csv{query}"))
            written = AuditEntry.objects.filter(action="audit.export").exclude(pk__in=before)
            return set(written.values_list("team_id", flat=True))

        own, other = team_of(alice), team_of(bob)
        alice = set_role(alice, Role.ADMINISTRATOR)
        assert teams_of_export(alice) == {own.pk}
        # Nobody writes into the trail of a team that they do not see.
        assert teams_of_export(alice, f"?team={other.pk}") == set()
        assert teams_of_export(superuser, f"?team={other.pk}") == {other.pk}
        # Who sees everything has read entries of no team, too.
        assert teams_of_export(superuser) == {None}
        join(alice, other.name, Role.ADMINISTRATOR)
        assert teams_of_export(alice) == {own.pk, other.pk}
        assert teams_of_export(alice, f"?team={own.pk}") == {own.pk}


@pytest.mark.usefixtures("trail")
class TestAPI:
    ADDRESS = "/api/v1/audit/"

    def test_it_answers_the_same_entries(self, superuser: User, log_in: LogIn) -> None:
        client = log_in(superuser)
        answer = client.get(f"{self.ADDRESS}?action=connection.update").json()
        [entry] = answer["results"]
        assert (entry["actor_name"], entry["object_type"]) == ("alice", "connection")
        assert (entry["before"], entry["after"]) == ({"regions": ["EU"]}, {"regions": ["NA", "EU"]})
        assert len(client.get(self.ADDRESS).json()["results"]) == 4

    def test_it_filters_by_time(self, superuser: User, log_in: LogIn) -> None:
        client = log_in(superuser)
        assert client.get(f"{self.ADDRESS}?until=2020-01-01T00:00:00Z").json()["results"] == []
        assert len(client.get(f"{self.ADDRESS}?since=2020-01-01T00:00:00Z").json()["results"]) == 4

    @pytest.mark.parametrize("query", ["action=odd", "team=odd", "outcome=odd", "since=odd", "person=alice"])
    def test_a_parameter_that_means_nothing_is_refused(
        self, superuser: User, log_in: LogIn, query: str
    ) -> None:
        assert log_in(superuser).get(f"{self.ADDRESS}?{query}").status_code == 400

    def test_an_administrator_sees_no_entry_about_people(self, administrator: User, log_in: LogIn) -> None:
        results = log_in(administrator).get(self.ADDRESS).json()["results"]
        assert {entry["object_type"] for entry in results} == {"connection"}


class TestRequestId:
    def test_the_answer_names_the_request_of_the_entry(
        self, alice: User, log_in: LogIn, make_connection: MakeConnection
    ) -> None:
        connection = make_connection(alice)
        response = log_in(alice).post(f"/connections/{connection.pk}/sync/", REMOTE_ADDR="192.0.2.7")
        entry = AuditEntry.objects.get()
        assert response["X-Request-ID"] == entry.request_id
        assert entry.address == "192.0.2.7"

    def test_an_id_of_the_client_is_not_believed(self, client: Client, db: None) -> None:
        response = client.get("/healthz", headers={"X-Request-ID": "mine"})
        assert response["X-Request-ID"] != "mine"


class TestPageOfAnObject:
    @pytest.fixture
    def addresses(self, alice: User, make_connection: MakeConnection, make_account: MakeAccount) -> list[str]:
        """The pages of a connection, an account and an operation, each of which had something done to it."""
        connection = make_connection(alice, "Northwind")
        account = make_account(connection, "Garden")
        batch = start_batch(SYSTEM, "sync", account_ids=[account.pk])
        record_audit(alice, Action.CONNECTION_UPDATE, connection)
        record_audit(alice, Action.ACCOUNT_UPDATE, account)
        return [
            f"/connections/{connection.pk}/",
            f"/accounts/{account.pk}/",
            f"/operations/{batch.pk}/",
        ]

    def test_administrators_see_what_was_done_to_it(
        self, addresses: list[str], superuser: User, log_in: LogIn
    ) -> None:
        client = log_in(superuser)
        pages = [squeeze(client.get(address).content.decode()) for address in addresses]
        deeds = ["Changed a connection", "Changed an account", "Started an operation"]
        for page, address, deed in zip(pages, addresses, deeds, strict=True):
            object_id = address.split("/")[2]
            assert deed in page.partition("Who did what")[2]
            assert f'href="/audit/?object={object_id}"' in page

    def test_the_newest_stand_first_and_are_few(
        self, alice: User, superuser: User, make_connection: MakeConnection, log_in: LogIn
    ) -> None:
        connection = make_connection(alice, "Northwind")
        for _ in range(LATEST):
            record_audit(SYSTEM, Action.CONNECTION_SYNC, connection)
        record_audit(SYSTEM, Action.CONNECTION_REFRESH, connection)
        deeds = log_in(superuser).get(f"/connections/{connection.pk}/").context["deeds"]
        assert [row.entry.action for row in deeds] == [
            Action.CONNECTION_REFRESH,
            *[Action.CONNECTION_SYNC] * (LATEST - 1),
        ]

    def test_who_may_not_read_the_trail_sees_none(
        self, addresses: list[str], alice: User, log_in: LogIn
    ) -> None:
        client = log_in(alice)
        for address in addresses:
            assert "Who did what" not in client.get(address).content.decode()


def test_every_action_has_words() -> None:
    assert set(DEEDS) == set(Action)
