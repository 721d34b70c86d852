"""Batches of connections: each connection gets its result, by the operation that a person calls for one."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, transaction
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from accounts.batch import cancel_batch, retry_batch, start_batch, start_batch_of
from accounts.batch.connections import LOST_RIGHT, MOVED, OVERTAKEN
from accounts.batch.ending import settle_syncs
from accounts.batch.rows import CONNECTIONS
from accounts.batch.upkeep import find_unstarted, prune_batches
from accounts.batch.work import run_chunk
from accounts.errors import UnknownObjectError
from accounts.models import BatchOperation, ConnectionBatchItem, SyncRun
from tests.accounts.batch.batches import refused_position, run_to_end
from tests.accounts.conftest import AccountFactory, ClientFactory, ConnectionFactory
from tests.api_keys import new_key
from tests.teams import join, set_role, team_of
from tokens.connect.move import move_connection
from tokens.connect.update import update_connection
from tokens.models import ApiKey, AuditEntry, Connection, Event
from tokens.people.keys import find_api_key
from tokens.people.roles import Role
from tokens.permissions import SYSTEM

URL = "/api/v1/connections/batch/"


@pytest.fixture
def connections(alice: User, new_connection: ConnectionFactory) -> list[Connection]:
    return [new_connection(alice, label=label, labels={"client": label}) for label in "abc"]


def start(user: Any, operation: str, connections: list[Connection], **options: Any) -> BatchOperation:
    ids = [connection.pk for connection in connections]
    return start_batch_of(CONNECTIONS, user, operation, ids=ids, options=options or None)


def results(batch: BatchOperation) -> dict[str, tuple[str, str]]:
    items = ConnectionBatchItem.objects.filter(batch=batch).select_related("connection")
    return {item.connection.label: (item.state, item.message) for item in items}


def test_a_worker_that_knows_only_batches_of_accounts_leaves_it(
    alice: User, connections: list[Connection]
) -> None:
    # It would find no items, and end the batch as done.
    start(alice, "pause", connections)
    [job] = ProcrastinateJob.objects.filter(args__has_key="batch_id")
    assert job.task_name == "accounts.run_connection_batch"


def test_each_connection_is_paused_and_resumed_with_an_entry_of_its_own(
    alice: User, connections: list[Connection]
) -> None:
    update_connection(SYSTEM, connections[0], {"paused": True})
    batch = run_to_end(start(alice, "pause", connections))
    assert (batch.state, batch.succeeded, batch.skipped) == ("succeeded", 2, 1)
    assert results(batch) == {
        "a": ("skipped", "It was paused before."),
        "b": ("succeeded", "Paused."),
        "c": ("succeeded", "Paused."),
    }
    assert Connection.objects.filter(paused=True).count() == 3
    entries = AuditEntry.objects.filter(action="connection.update", actor_id=alice.pk)
    assert {entry.object_id for entry in entries} == {str(each.pk) for each in connections[1:]}
    assert (AuditEntry.objects.get(action="batch.start").after or {})["connections"] == 3
    event = Event.objects.get(type="batch.ended")
    assert event.data["batch"]["succeeded"] == 2
    run_to_end(start(alice, "resume", connections))
    assert not Connection.objects.filter(paused=True).exists()


def test_labels_and_contact_are_changed_of_all_that_match(
    alice: User, bob: User, connections: list[Connection], new_connection: ConnectionFactory
) -> None:
    his = new_connection(bob, labels={"client": "a"})
    batch = start_batch_of(
        CONNECTIONS,
        alice,
        "update",
        filters={"labels": "client:a"},
        options={"labels": {"client": None, "tier": "1"}, "contact_email": "it@acme.example"},
    )
    assert run_to_end(batch).succeeded == 1
    connections[0].refresh_from_db()
    assert (connections[0].labels, connections[0].contact_email) == ({"tier": "1"}, "it@acme.example")
    his.refresh_from_db()
    assert his.labels == {"client": "a"}
    assert "acme" not in str(AuditEntry.objects.get(action="batch.start").after)


def test_a_sync_ends_with_its_run(alice: User, connections: list[Connection]) -> None:
    Connection.objects.filter(pk=connections[2].pk).update(state="reauthorization_required")
    batch = start(alice, "sync", connections)
    while run_chunk(batch.pk):
        pass
    runs = {run.connection.label: run for run in SyncRun.objects.select_related("connection")}
    assert results(batch) == {
        "a": ("waiting", ""),
        "b": ("waiting", ""),
        "c": ("failed", "Amazon refuses this login. It must be reconnected."),
    }
    SyncRun.objects.filter(pk=runs["a"].pk).update(
        state="running", started_at=timezone.now() + timedelta(seconds=1)
    )
    settle_syncs()
    assert results(batch)["a"] == ("running", "")
    ended = {"finished_at": timezone.now() + timedelta(seconds=2), "started_at": timezone.now()}
    SyncRun.objects.filter(pk=runs["a"].pk).update(state="succeeded", **ended)
    SyncRun.objects.filter(pk=runs["b"].pk).update(state="partial", error="Europe did not answer.", **ended)
    settle_syncs(runs["a"].pk)
    settle_syncs(runs["b"].pk)
    batch.refresh_from_db()
    assert (batch.state, batch.succeeded, batch.failed) == ("partial", 1, 2)
    assert results(batch)["a"] == ("succeeded", "Synced.")
    assert results(batch)["b"] == ("failed", "Europe did not answer.")


def test_a_cancelled_sync_leaves_no_run_that_only_it_wanted(
    alice: User, connections: list[Connection], new_account: AccountFactory
) -> None:
    batch = start(alice, "sync", connections[:2])
    run_chunk(batch.pk)
    account = new_account(alice, connection=connections[1])
    other = start_batch(alice, "sync", account_ids=[account.pk])
    run_chunk(other.pk)
    batch = cancel_batch(alice, batch)
    assert (batch.state, batch.skipped) == ("cancelled", 2)
    assert SyncRun.objects.get().connection == connections[1]
    # The run of the other batch ends only with its own cancellation.
    waiting = start(alice, "sync", connections[1:2])
    run_chunk(waiting.pk)
    cancel_batch(alice, other)
    assert SyncRun.objects.get().connection == connections[1]


def test_a_refresh_is_queued_for_each(alice: User, connections: list[Connection]) -> None:
    assert run_to_end(start(alice, "refresh", connections)).succeeded == 3
    jobs = ProcrastinateJob.objects.filter(task_name="tokens.refresh_for_person")
    assert {job.args["connection_id"] for job in jobs} == {str(each.pk) for each in connections}


def test_a_move_takes_each_with_its_accounts_and_leaves_what_the_team_has(
    admin: User, alice: User, bob: User, connections: list[Connection], new_account: AccountFactory
) -> None:
    account = new_account(alice, connection=connections[0])
    Connection.objects.filter(pk=connections[1].pk).update(amazon_user_id="amzn1.account.ONE")
    Connection.objects.create(
        team=team_of(bob), owner=bob, label="his", client_id=connections[1].client_id,
        refresh_token="Atzr|x", amazon_user_id="amzn1.account.ONE",
    )  # fmt: skip
    batch = run_to_end(start(admin, "move", connections[:2], team=str(team_of(bob).pk)))
    assert (batch.state, batch.succeeded, batch.failed) == ("partial", 1, 1)
    account.refresh_from_db()
    assert account.team == team_of(bob)
    assert "connected in the team" in results(batch)["b"][1]
    assert Event.objects.get(type="batch.ended").team_id == team_of(alice).pk


def test_a_login_is_disconnected_once(admin: User, connections: list[Connection]) -> None:
    assert run_to_end(start(admin, "disconnect", connections)).succeeded == 3
    assert not Connection.objects.exclude(state="disconnected").exists()
    assert run_to_end(start(admin, "disconnect", connections)).skipped == 3


class TestOrder:
    def test_what_was_asked_last_wins(self, alice: User, connections: list[Connection]) -> None:
        older, newer = start(alice, "pause", connections), start(alice, "resume", connections)
        run_to_end(newer)
        assert set(results(run_to_end(older)).values()) == {("skipped", OVERTAKEN)}
        assert not Connection.objects.filter(paused=True).exists()

    def test_a_change_of_one_connection_wins_over_an_older_batch(
        self, alice: User, connections: list[Connection]
    ) -> None:
        batch = start(alice, "update", connections, labels={"client": "all", "tier": "1"})
        update_connection(alice, connections[0], {"labels": {"client": "own"}})
        run_to_end(batch)
        connections[0].refresh_from_db()
        assert connections[0].labels == {"client": "own", "tier": "1"}
        assert results(batch)["a"] == (
            "succeeded",
            "Updated, except for what a newer request changed: labels.client.",
        )

    def test_a_retry_is_newer(self, alice: User, connections: list[Connection]) -> None:
        batch = run_to_end(start(alice, "pause", connections))
        run_to_end(start(alice, "resume", connections))
        ConnectionBatchItem.objects.filter(batch=batch).update(state="failed")
        assert run_to_end(retry_batch(alice, batch)).succeeded == 3
        assert Connection.objects.filter(paused=True).count() == 3


class TestRights:
    def test_what_the_person_may_not_do_is_skipped_or_refused(
        self, alice: User, bob: User, connections: list[Connection], new_connection: ConnectionFactory
    ) -> None:
        with pytest.raises(PermissionDenied):
            start(alice, "disconnect", connections)
        with pytest.raises(UnknownObjectError):
            start(bob, "pause", connections)
        join(alice, team_of(bob).name, Role.VIEWER)
        alice = User.objects.get(pk=alice.pk)
        his = new_connection(bob, label="his")
        batch = run_to_end(start(alice, "pause", [*connections, his]))
        assert results(batch)["his"] == ("skipped", "You may not do this in the team of the connection.")
        his.refresh_from_db()
        assert not his.paused

    def test_they_are_checked_again_when_it_is_done(self, alice: User, connections: list[Connection]) -> None:
        batch = start(alice, "pause", connections)
        set_role(alice, Role.VIEWER)
        assert set(results(run_to_end(batch)).values()) == {("skipped", LOST_RIGHT)}
        assert not Connection.objects.filter(paused=True).exists()

    def test_a_key_does_no_more_later_than_when_it_asked(
        self, admin: User, alice: User, bob: User, connections: list[Connection]
    ) -> None:
        text = new_key(admin)
        ApiKey.objects.update(team=team_of(alice), role="operator")
        found = find_api_key(text, None)
        assert found is not None
        actor, key = found
        batch = start(actor, "pause", connections)
        move_connection(admin, connections[0], team_of(bob))
        assert batch.asked_by_key == key.pk
        assert results(run_to_end(batch))["a"] == ("skipped", MOVED)
        assert results(batch)["b"] == ("succeeded", "Paused.")
        with pytest.raises(PermissionDenied):
            start(actor, "disconnect", connections[1:])
        entry = AuditEntry.objects.filter(action="connection.update").latest("pk")
        assert entry.key_id == str(key.pk)

    def test_an_ended_key_does_nothing_more(self, alice: User, connections: list[Connection]) -> None:
        found = find_api_key(new_key(alice), None)
        assert found is not None
        actor, key = found
        batch = start(actor, "pause", connections)
        key.delete()
        assert set(results(run_to_end(batch)).values()) == {("skipped", LOST_RIGHT)}


@pytest.mark.parametrize(
    ("operation", "options", "field"),
    [
        ("reconnect", {}, "operation"),
        ("send_renewal_links", {"days": 7}, "options"),
        ("update", {}, "options"),
        ("update", {"label": "one"}, "options.label"),
        ("update", {"paused": True}, "options.paused"),
        ("update", {"labels": {}}, "options.labels"),
        ("update", {"contact_email": "nobody"}, "options.contact_email"),
        ("pause", {"labels": {"a": "b"}}, "options"),
        ("move", {}, "options"),
        ("move", {"team": "north"}, "options.team"),
        ("move", {"team": str(uuid4())}, "options.team"),
    ],
)
def test_a_wrong_request_is_refused(
    admin: User, connections: list[Connection], operation: str, options: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as error:
        start(admin, operation, connections, **options)
    assert set(error.value.message_dict) == {field}
    assert not BatchOperation.objects.exists()


def test_a_killed_chunk_leaves_its_connections_waiting(alice: User, connections: list[Connection]) -> None:
    batch = start(alice, "pause", connections)
    with refused_position(), pytest.raises(DatabaseError, match="killed in the middle"), transaction.atomic():
        run_chunk(batch.pk)
    assert not Connection.objects.filter(paused=True).exists()
    assert find_unstarted() == [batch]
    assert run_to_end(batch).succeeded == 3


def test_ended_batches_are_pruned_with_their_items(alice: User, connections: list[Connection]) -> None:
    run_to_end(start(alice, "pause", connections))
    BatchOperation.objects.update(created_at=timezone.now() - timedelta(days=91))
    assert prune_batches() == 1
    assert not ConnectionBatchItem.objects.exists()


def test_the_api_starts_follows_cancels_and_retries(
    alice: User, bob: User, connections: list[Connection], client_of: ClientFactory
) -> None:
    api = client_of(alice)
    body = {"operation": "pause", "filter": {"state": "active"}}
    for _ in range(2):
        response = api.post(URL, body, format="json", headers={"Idempotency-Key": "once"})
        assert (response.status_code, response.json()["total"]) == (202, 3)
    batch = BatchOperation.objects.get()
    address = f"{URL}{batch.pk}/"
    assert response["Location"].endswith(address)
    assert client_of(bob).get(address).status_code == 404
    assert api.get(f"/api/v1/accounts/batch/{batch.pk}/").status_code == 404
    assert api.post(f"{address}retry/").status_code == 409
    run_to_end(batch)
    assert api.get(address).json()["state"] == "succeeded"
    rows = api.get(f"{address}items/", {"state": "succeeded", "page_size": "2"}).json()["results"]
    assert rows[0] == {
        "connection": str(connections[0].pk),
        "state": "succeeded",
        "message": "Paused.",
        "cause": "",
    }
    assert api.post(f"{address}cancel/").status_code == 409
    assert api.post(URL, {"operation": "pause", "account_ids": []}, format="json").status_code == 400
    assert api.post(URL, {"operation": "disconnect", "filter": {}}, format="json").status_code == 403
