"""Events: what writes them, who sees them, in which order, and what is never in them."""

import threading
from datetime import date, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.db import connection as database
from django.db import transaction
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.batch import start_batch
from accounts.batch.ending import cancel_batch
from accounts.models import Account, SyncRun
from accounts.sync.claims import finish_closing
from tests.accounts.conftest import AccountFactory, ClientFactory, ConnectionFactory
from tests.teams import join, team_of
from tokens.alerts.create import create_alert
from tokens.connect.consent import warn_of_consent_ends
from tokens.connect.disconnect import disconnect_connection
from tokens.connect.forget import forget_login
from tokens.connect.move import move_connection
from tokens.models import Alert, Connection, Event
from tokens.people.roles import Role
from tokens.permissions import SYSTEM
from tokens.processes.pruning import prune_tokens_histories
from tokens.refresh.revoked import mark_revoked
from tokens.webhooks.events import record_connection_event
from tokens.webhooks.placing import events_wait, place_events

pytestmark = pytest.mark.django_db

EVENTS = "/api/v1/events/"


def types(**filters: Any) -> list[str]:
    return list(Event.objects.filter(**filters).order_by("written").values_list("type", flat=True))


def update(account: Account, **fields: Any) -> None:
    """Change an account as a sync does, and leave only the events of this change."""
    Event.objects.all().delete()
    Account.objects.filter(pk=account.pk).update(**fields)


def gone() -> dict[str, str]:
    return {"status": "inactive", "inactive_reason": "not_visible"}


def test_a_new_account_has_appeared(alice: User, new_account: AccountFactory) -> None:
    account = new_account(alice, "Nordwind")
    event = Event.objects.get()
    assert (event.type, event.team, event.object_id) == ("account.appeared", account.team, account.pk)
    assert event.connection_id == account.connection_id
    assert event.data == {
        "team": {"id": str(account.team_id), "name": account.team.name},
        "connection": {"id": str(account.connection_id), "label": account.connection.label},
        "account": {
            "id": str(account.pk),
            "amazon_account_id": account.amazon_account_id,
            "name": "Nordwind",
            "status": "active",
            "standing": "unknown",
        },
    }


def test_an_account_that_goes_and_returns_has_two_events(alice: User, new_account: AccountFactory) -> None:
    account = new_account(alice)
    update(account, **gone())
    assert types() == ["account.not_visible"]
    assert Event.objects.get().data["changes"] == {"status": ["active", "inactive"]}
    update(account, status="active", inactive_reason=None)
    assert types() == ["account.appeared"]


@pytest.mark.parametrize("status", ["active", "pending", "unknown"])
def test_a_suspension_is_an_event(alice: User, new_account: AccountFactory, status: str) -> None:
    account = new_account(alice, status=status)
    update(account, status="suspended", standing="suspended")
    assert types() == ["account.suspended"]
    assert Event.objects.get().data["changes"] == {
        "status": [status, "suspended"],
        "standing": ["unknown", "suspended"],
    }


@pytest.mark.parametrize(("standing", "expected"), [("good", ["account.restored"]), ("unknown", [])])
def test_a_lifted_suspension_is_an_event_unless_amazon_only_stopped_telling(
    alice: User, new_account: AccountFactory, standing: str, expected: list[str]
) -> None:
    account = new_account(alice, status="suspended", standing="suspended")
    update(account, status="active", standing=standing)
    assert types() == expected


def test_an_announced_suspension_is_one_event(alice: User, new_account: AccountFactory) -> None:
    account = new_account(alice)
    soon = timezone.now() + timedelta(days=5)
    update(account, standing="at_risk", suspension_at=soon)
    assert types() == ["account.suspension_announced"]
    assert Event.objects.get().data["changes"]["standing"] == ["unknown", "at_risk"]
    update(account, standing="at_risk", suspension_at=soon, name="Other")
    assert types() == []
    update(account, standing="at_risk", suspension_at=timezone.now() - timedelta(days=1))
    assert types() == []


def test_other_changes_of_an_account_are_no_event(alice: User, new_account: AccountFactory) -> None:
    account = new_account(alice)
    update(account, name="Other", labels={"a": "b"}, is_default=True)
    update(account, status="inactive", inactive_reason="disconnected")
    assert types() == []


def test_the_end_of_a_sync_is_an_event_of_its_connection(
    alice: User, new_connection: ConnectionFactory
) -> None:
    connection = new_connection(alice)
    now = timezone.now()
    run = SyncRun.objects.create(
        connection=connection,
        trigger="manual",
        state="succeeded",
        started_at=now,
        finished_at=now + timedelta(seconds=1),
        created=3,
    )
    finish_closing(run.pk, connection.pk)
    event = Event.objects.get()
    assert (event.type, event.object_id) == ("sync.ended", connection.pk)
    assert event.data["sync"] == {
        "id": str(run.pk),
        "state": "succeeded",
        "created": 3,
        "changed": 0,
        "gone": 0,
    }


def test_the_end_of_a_batch_is_an_event_in_each_team_with_the_counts_of_this_team(
    alice: User, bob: User, new_account: AccountFactory
) -> None:
    mine, other = [new_account(alice), new_account(alice)], new_account(bob)
    join(alice, team_of(bob).name, Role.OPERATOR)
    alice = User.objects.get(pk=alice.pk)
    ids = [account.pk for account in (*mine, other)]
    Event.objects.all().delete()
    batch = start_batch(alice, "sync", account_ids=ids)
    cancel_batch(alice, batch)
    ended = {event.team_id: event.data["batch"] for event in Event.objects.filter(type="batch.ended")}
    assert {team: counts["skipped"] for team, counts in ended.items()} == {
        mine[0].team_id: 2,
        other.team_id: 1,
    }
    assert ended[other.team_id]["state"] == "cancelled"


def test_the_changes_of_a_connection_are_events(alice: User, new_connection: ConnectionFactory) -> None:
    connection = new_connection(alice)
    mark_revoked(connection, "refused")
    disconnect_connection(SYSTEM, connection)
    assert types() == ["connection.broken", "connection.disconnected"]
    event = Event.objects.first()
    assert event is not None
    assert event.data == {
        "team": {"id": str(connection.team_id), "name": connection.team.name},
        "connection": {"id": str(connection.pk), "label": connection.label},
    }


def test_a_change_that_is_undone_leaves_no_event(alice: User, new_connection: ConnectionFactory) -> None:
    connection = new_connection(alice)
    with transaction.atomic():
        disconnect_connection(SYSTEM, connection)
        transaction.set_rollback(True)
    assert types() == []


def test_a_consent_that_ends_soon_is_told_once_for_each_warning(
    alice: User, new_connection: ConnectionFactory, settings: LazySettings
) -> None:
    settings.CONSENT_EFFECTIVE_DATE = date(2020, 1, 1)
    new_connection(alice, consented_at=timezone.now() - timedelta(days=340))
    for _ in range(2):
        warn_of_consent_ends()
    assert types() == ["connection.consent_ending"]


def test_a_move_is_told_to_both_teams(
    alice: User, bob: User, new_account: AccountFactory, admin: User
) -> None:
    account = new_account(alice)
    Event.objects.all().delete()
    move_connection(admin, account.connection, team_of(bob))
    assert sorted(types(team=team_of(alice))) == ["account.not_visible", "connection.disconnected"]
    assert {"connection.connected", "account.appeared"} <= set(types(team=team_of(bob)))
    for event in Event.objects.all():
        assert event.data["team"]["id"] == str(event.team_id)


def test_forgetting_a_login_erases_its_names_in_events(alice: User, new_account: AccountFactory) -> None:
    account = new_account(alice, "Quagga Garden")
    Connection.objects.filter(pk=account.connection_id).update(label="Quagga")
    connection = Connection.objects.get(pk=account.connection_id)
    disconnect_connection(SYSTEM, connection)
    assert "Quagga" in str(list(Event.objects.values_list("data", flat=True)))
    forget_login(SYSTEM, connection)
    said = str(list(Event.objects.values_list("data", flat=True)))
    assert "Quagga" not in said
    assert str(account.pk) in said


def test_an_alert_that_was_made_before_has_another_id(alice: User, new_connection: ConnectionFactory) -> None:
    first, second = (create_alert(Alert.Kind.CONNECTION_BROKEN, "key", "text") for _ in range(2))
    assert Alert.objects.get().pk == first != second


class TestPlacing:
    def test_events_are_numbered_in_the_order_in_which_they_were_written(
        self, alice: User, new_connection: ConnectionFactory
    ) -> None:
        connection = new_connection(alice)
        for type_ in (
            Event.Type.CONNECTION_CONNECTED,
            Event.Type.CONNECTION_BROKEN,
            Event.Type.CONNECTION_HEALED,
        ):
            record_connection_event(type_, connection)
        assert events_wait()
        assert place_events(batch_size=2) == 3
        assert not events_wait()
        assert place_events() == 0
        assert [event.type for event in Event.objects.order_by("number")] == [
            "connection.connected",
            "connection.broken",
            "connection.healed",
        ]

    @pytest.mark.django_db(transaction=True)
    def test_an_event_that_is_committed_late_comes_after_those_that_were_placed(
        self, alice: User, new_connection: ConnectionFactory
    ) -> None:
        late, early = new_connection(alice), new_connection(alice)
        is_written, may_commit = threading.Event(), threading.Event()

        def write_late() -> None:
            try:
                with transaction.atomic():
                    record_connection_event(Event.Type.CONNECTION_BROKEN, late)
                    is_written.set()
                    may_commit.wait(10)
            finally:
                database.close()

        thread = threading.Thread(target=write_late)
        thread.start()
        assert is_written.wait(10)
        record_connection_event(Event.Type.CONNECTION_BROKEN, early)
        place_events()
        may_commit.set()
        thread.join()
        place_events()
        assert [event.object_id for event in Event.objects.order_by("number")] == [early.pk, late.pk]

    def test_old_events_are_deleted(self, alice: User, new_connection: ConnectionFactory) -> None:
        connection = new_connection(alice)
        for _ in range(2):
            record_connection_event(Event.Type.CONNECTION_BROKEN, connection)
        old = Event.objects.order_by("written").first()
        assert old is not None
        Event.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=31))
        prune_tokens_histories()
        assert not Event.objects.filter(pk=old.pk).exists()
        assert Event.objects.count() == 1


class TestTheList:
    def test_it_is_in_order_and_shows_what_was_placed(
        self, alice: User, new_account: AccountFactory, api: APIClient
    ) -> None:
        accounts = [new_account(alice) for _ in range(3)]
        assert api.get(EVENTS).json()["results"] == []
        place_events()
        rows = api.get(EVENTS).json()["results"]
        assert [row["data"]["account"]["id"] for row in rows] == [str(account.pk) for account in accounts]
        assert set(rows[0]) == {"id", "type", "timestamp", "data"}

    def test_it_goes_on_after_an_event(
        self, alice: User, new_account: AccountFactory, api: APIClient
    ) -> None:
        for _ in range(3):
            new_account(alice)
        place_events()
        first = api.get(f"{EVENTS}?page_size=1").json()
        rest = api.get(EVENTS, {"after": first["results"][0]["id"]}).json()["results"]
        assert len(rest) == 2
        assert api.get(first["next"].split("localhost:8000")[-1]).status_code == 200
        last = rest[-1]["id"]
        assert api.get(EVENTS, {"after": last}).json()["results"] == []

    def test_it_can_be_limited_to_a_type_and_a_team(
        self, alice: User, new_account: AccountFactory, api: APIClient
    ) -> None:
        account = new_account(alice)
        disconnect_connection(SYSTEM, account.connection)
        place_events()
        rows = api.get(EVENTS, {"type": "connection.disconnected", "team": str(account.team_id)}).json()[
            "results"
        ]
        assert [row["type"] for row in rows] == ["connection.disconnected"]
        assert api.get(EVENTS, {"type": "connection.lost"}).status_code == 400

    def test_an_event_of_another_team_is_not_shown_and_no_place_to_go_on(
        self, alice: User, bob: User, new_account: AccountFactory, client_of: ClientFactory
    ) -> None:
        new_account(alice)
        place_events()
        event = Event.objects.get()
        answer = client_of(bob).get(EVENTS)
        assert answer.json()["results"] == []
        assert client_of(bob).get(EVENTS, {"after": str(event.pk)}).status_code == 400

    def test_no_event_has_a_token_or_an_address(
        self, alice: User, new_account: AccountFactory, api: APIClient
    ) -> None:
        account = new_account(alice)
        Connection.objects.filter(pk=account.connection_id).update(amazon_user_email="zebulon@example.test")
        disconnect_connection(SYSTEM, Connection.objects.get(pk=account.connection_id))
        place_events()
        content = api.get(EVENTS).content.decode()
        assert "Atz" not in content
        assert "@" not in content
