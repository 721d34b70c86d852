"""Connections: what is shown, what can be done, and a token for another service."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob
from rest_framework.test import APIClient

from accounts.models import Account, SyncRun
from tests.accounts.conftest import AccountFactory, ClientFactory, ConnectionFactory
from tests.teams import join, set_role
from tokens.encryption import Secret
from tokens.models import ApiKey, AuditEntry, Connection, TokenRefresh
from tokens.people.audit import Action
from tokens.people.roles import Role

LIST = "/api/v1/connections/"
SECRETS = ("Atza|", "Atzr|", "gAAAA", "v2.")


def as_json(moment: Any) -> str:
    return str(moment.isoformat()).replace("+00:00", "Z")


def test_it_shows_all_but_the_tokens(api: APIClient, alice: User, new_connection: ConnectionFactory) -> None:
    connection = new_connection(
        alice, label="Northwind", amazon_user_email="ads@northwind.example", regions=["EU"], refresh_count=7
    )
    response = api.get(f"{LIST}{connection.pk}/")
    assert response.json() == {
        "id": str(connection.pk),
        "label": "Northwind",
        "team": {"id": str(connection.team_id), "name": connection.team.name},
        "owner": "alice",
        "amazon_user": "ads@northwind.example",
        "labels": {},
        "contact_email": "",
        "paused": False,
        "regions": ["EU"],
        "state": "active",
        "expires_at": as_json(connection.expires_at),
        "consented_at": None,
        "consent_ends_at": None,
        "refresh_count": 7,
        "last_refreshed_at": None,
        "last_synced_at": as_json(connection.last_synced_at),
        "last_error": "",
    }
    assert api.get(LIST).json()["results"] == [response.json()]
    assert not any(secret in response.content.decode() for secret in SECRETS)


def test_it_lists_by_label_and_state(
    api: APIClient, alice: User, bob: User, new_connection: ConnectionFactory
) -> None:
    for label, state in (("B", "active"), ("A", "reauthorization_required"), ("A", "active")):
        new_connection(alice, label=label, state=state)
    new_connection(bob, label="His")

    def labels(**query: str) -> list[str]:
        return [row["label"] for row in api.get(LIST, query).json()["results"]]

    assert labels() == ["A", "A", "B"]
    assert labels(state="active") == ["A", "B"]
    assert api.get(LIST, {"state": "open"}).status_code == 400
    first = api.get(LIST, {"page_size": "2"}).json()
    assert [row["label"] for row in api.get(first["next"]).json()["results"]] == ["B"]


class TestOperations:
    @pytest.fixture
    def connection(self, alice: User, new_connection: ConnectionFactory) -> Connection:
        return new_connection(alice)

    def post(self, api: APIClient, connection: Connection, operation: str) -> Any:
        return api.post(f"{LIST}{connection.pk}/{operation}/")

    def test_it_queues_a_refresh(self, api: APIClient, alice: User, connection: Connection) -> None:
        for _ in range(2):
            assert self.post(api, connection, "refresh").status_code == 202
        job = ProcrastinateJob.objects.get()
        assert job.task_name == "tokens.refresh_for_person"
        assert job.args == {
            "connection_id": str(connection.pk),
            "person_id": alice.pk,
            "key_id": str(ApiKey.objects.get().pk),
        }

    def test_it_queues_a_sync_or_joins_one(self, api: APIClient, alice: User, connection: Connection) -> None:
        first, second = (self.post(api, connection, "sync") for _ in range(2))
        assert first.status_code == 202
        assert first.json() == second.json()
        run = SyncRun.objects.get()
        assert (run.trigger, run.requested_by) == ("api", alice)
        assert first.json()["id"] == str(run.pk)

    def test_a_dead_login_is_a_conflict(self, api: APIClient, connection: Connection) -> None:
        Connection.objects.update(state="reauthorization_required")
        for operation in ("refresh", "sync"):
            response = self.post(api, connection, operation)
            assert response.status_code == 409
            assert "must be reconnected" in response.json()["detail"]
        assert not SyncRun.objects.exists()

    def test_it_disconnects(self, admin: User, connection: Connection, client_of: ClientFactory) -> None:
        response = self.post(client_of(admin), connection, "disconnect")
        assert (response.status_code, response.json()["state"]) == (200, "disconnected")
        connection.refresh_from_db()
        assert connection.refresh_token is None
        assert self.post(client_of(admin), connection, "disconnect").status_code == 200

    @pytest.mark.parametrize("operation", ["refresh", "sync", "disconnect"])
    def test_it_needs_the_permission(
        self, alice: User, connection: Connection, client_of: ClientFactory, operation: str
    ) -> None:
        set_role(alice, Role.VIEWER)
        response = self.post(client_of(alice), connection, operation)
        assert response.status_code == 403
        assert "(" in response.json()["detail"]

    @pytest.mark.parametrize("operation", ["refresh", "sync", "disconnect", "access-token"])
    def test_a_connection_of_another_team_is_not_found(
        self, bob: User, connection: Connection, client_of: ClientFactory, operation: str
    ) -> None:
        set_role(bob, Role.ADMINISTRATOR)
        assert self.post(client_of(bob), connection, operation).status_code == 404


class TestUpdate:
    @pytest.fixture
    def connection(self, alice: User, new_connection: ConnectionFactory) -> Connection:
        return new_connection(alice, label="Northwind")

    def patch(self, api: APIClient, connection: Connection, body: Any) -> Any:
        return api.patch(f"{LIST}{connection.pk}/", body, format="json")

    def test_a_label_is_changed_and_nothing_is_synced(self, api: APIClient, connection: Connection) -> None:
        response = self.patch(api, connection, {"label": " Südwind "})
        assert (response.status_code, response.json()["label"]) == (200, "Südwind")
        connection.refresh_from_db()
        assert (connection.label, connection.regions) == ("Südwind", ["NA", "EU", "FE"])
        assert not SyncRun.objects.exists()

    def test_other_regions_queue_one_sync(self, api: APIClient, alice: User, connection: Connection) -> None:
        for _ in range(2):
            response = self.patch(api, connection, {"regions": ["FE", "NA"]})
            assert (response.status_code, response.json()["regions"]) == (200, ["NA", "FE"])
        run = SyncRun.objects.get()
        assert (run.connection, run.state, run.trigger, run.requested_by) == (
            connection,
            "waiting",
            "manual",
            alice,
        )

    def test_regions_of_a_dead_login_are_changed_without_a_sync(
        self, api: APIClient, connection: Connection
    ) -> None:
        Connection.objects.update(state="reauthorization_required")
        assert self.patch(api, connection, {"regions": ["EU"]}).json()["regions"] == ["EU"]
        assert not SyncRun.objects.exists()

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"label": ""}, "label"),
            ({"label": "  "}, "label"),
            ({"label": "x" * 201}, "label"),
            ({"label": "a\x1b[2Jb"}, "label"),
            ({"label": "a\nb"}, "label"),
            ({"label": "a\u2028b"}, "label"),
            ({"label": None}, "label"),
            ({"label": 7}, "label"),
            ({"regions": []}, "regions"),
            ({"regions": "EU"}, "regions"),
            ({"regions": ["EU", "XX"]}, "regions"),
            ({"regions": [["EU"]]}, "regions"),
            ({"regions": [{}]}, "regions"),
            ({"regions": None}, "regions"),
            ({"label": "Ok", "client_id": "bob"}, "client_id"),
            ({"label": "Ok", "owner": "bob"}, "owner"),
            ({"label": "Ok", "owner": "inactive"}, "owner"),
            ({"label": "Ok", "owner": "nobody"}, "owner"),
            ({"owner": "a\0b"}, "owner"),
            ({"owner": ""}, "owner"),
            ({"owner": None}, "owner"),
            ({"owner": 7}, "owner"),
            ({"": 1}, ""),
            (["label"], ""),
        ],
    )
    def test_a_wrong_value_is_refused_and_nothing_is_changed(
        self, api: APIClient, bob: User, connection: Connection, body: Any, field: str
    ) -> None:
        join(User.objects.create_user("inactive", is_active=False), connection.team.name, Role.VIEWER)
        response = self.patch(api, connection, body)
        assert response.status_code == 400
        assert [error["field"] for error in response.json()["errors"]] == [field]
        connection.refresh_from_db()
        assert (connection.label, connection.regions) == ("Northwind", ["NA", "EU", "FE"])

    @pytest.mark.parametrize("is_superuser", [False, True])
    def test_a_member_or_a_superuser_is_made_responsible(
        self, api: APIClient, connection: Connection, *, is_superuser: bool
    ) -> None:
        carol = User.objects.create_user("carol", is_superuser=is_superuser)
        if not is_superuser:
            join(carol, connection.team.name, Role.VIEWER)
        for _ in range(2):
            response = self.patch(api, connection, {"owner": "carol"})
            assert (response.status_code, response.json()["owner"]) == (200, "carol")
        connection.refresh_from_db()
        assert connection.owner == carol
        entry = AuditEntry.objects.get(action=Action.CONNECTION_UPDATE)
        assert (entry.before, entry.after) == ({"owner": "alice"}, {"owner": "carol"})
        assert not SyncRun.objects.exists()

    def test_a_refusal_does_not_say_who_has_a_login_here(
        self, api: APIClient, bob: User, connection: Connection
    ) -> None:
        answers = {
            self.patch(api, connection, {"owner": name}).json()["detail"] for name in ("bob", "nobody")
        }
        assert len(answers) == 1

    def test_a_viewer_makes_nobody_responsible(
        self, alice: User, connection: Connection, client_of: ClientFactory
    ) -> None:
        set_role(alice, Role.VIEWER)
        assert self.patch(client_of(alice), connection, {"owner": "alice"}).status_code == 403

    def test_the_connection_of_another_team_is_not_found(
        self, bob: User, connection: Connection, client_of: ClientFactory
    ) -> None:
        assert self.patch(client_of(bob), connection, {"label": "Mine"}).status_code == 404
        connection.refresh_from_db()
        assert connection.label == "Northwind"


class TestHistories:
    def test_refreshes(self, api: APIClient, alice: User, new_connection: ConnectionFactory) -> None:
        connection, other = new_connection(alice), new_connection(alice)
        now = timezone.now()
        for minutes, outcome in ((3, "succeeded"), (2, "transient"), (1, "succeeded")):
            time = now - timedelta(minutes=minutes)
            TokenRefresh.objects.create(
                connection=connection, grant_version=1, trigger="scheduled", started_at=time, finished_at=time,
                outcome=outcome, error="busy" if outcome == "transient" else "",
            )  # fmt: skip
        rows = api.get(f"{LIST}{connection.pk}/refreshes/").json()["results"]
        assert [row["outcome"] for row in rows] == ["succeeded", "transient", "succeeded"]
        assert rows[1]["error"] == "busy"
        failed = api.get(f"{LIST}{connection.pk}/refreshes/", {"outcome": "transient"}).json()["results"]
        assert failed == [rows[1]]
        assert api.get(f"{LIST}{other.pk}/refreshes/").json()["results"] == []
        assert api.get(f"{LIST}{uuid4()}/refreshes/").status_code == 404

    def test_syncs(self, api: APIClient, alice: User, bob: User, new_connection: ConnectionFactory) -> None:
        hers, his = new_connection(alice), new_connection(bob)
        runs = [SyncRun.objects.create(connection=each, trigger="manual") for each in (hers, his)]
        address = "/api/v1/accounts/sync-runs/"
        assert [row["id"] for row in api.get(address).json()["results"]] == [str(runs[0].pk)]
        assert api.get(address, {"connection": str(hers.pk), "state": "waiting"}).json()["results"] != []
        assert api.get(address, {"state": "running"}).json()["results"] == []
        assert api.get(address, {"connection": str(his.pk)}).status_code == 404

    def test_changes(self, api: APIClient, alice: User, bob: User, new_account: AccountFactory) -> None:
        hers, his = new_account(alice), new_account(bob)
        began = timezone.now()
        for account in (hers, his):
            for name in ("One", "Two"):
                Account.objects.filter(pk=account.pk).update(name=name)
        address = "/api/v1/accounts/changes/"
        rows = api.get(address).json()["results"]
        assert [(row["account"], row["kind"], row["new"]) for row in rows] == [
            (str(hers.pk), "name", "Two"), (str(hers.pk), "name", "One"),
        ]  # fmt: skip
        assert api.get(f"/api/v1/accounts/{hers.pk}/changes/").json()["results"] == rows
        assert api.get(f"/api/v1/accounts/{his.pk}/changes/").status_code == 404
        assert api.get(address, {"since": began.isoformat()}).json()["results"] == rows
        assert api.get(address, {"since": timezone.now().isoformat()}).json()["results"] == []
        assert api.get(address, {"kind": "status"}).json()["results"] == []
        assert api.get(address, {"since": "yesterday"}).status_code == 400


class TestAccessToken:
    @pytest.fixture
    def service(self, admin: User, client_of: ClientFactory) -> APIClient:
        return client_of(admin)

    @pytest.fixture
    def address(self, alice: User, new_connection: ConnectionFactory) -> str:
        return f"{LIST}{new_connection(alice, regions=['EU']).pk}/access-token/"

    def test_it_gives_a_valid_token_and_writes_it_down(
        self, service: APIClient, admin: User, address: str
    ) -> None:
        response = service.post(address)
        assert response.status_code == 200
        body = response.json()
        assert (body["access_token"], body["token_type"]) == ("Atza|of-nobody", "bearer")
        assert set(body) == {"access_token", "token_type", "expires_at", "client_id", "hosts"}
        assert list(body["hosts"]) == ["EU"]
        assert response["Cache-Control"] == "no-store"
        entry = AuditEntry.objects.get()
        assert (entry.actor_id, entry.address, entry.outcome) == (admin.pk, "127.0.0.1", "done")
        assert (entry.actor_kind, entry.key_id) == ("key", str(ApiKey.objects.get().pk))

    @pytest.mark.parametrize(
        ("proxies", "forwarded", "noted"),
        [
            (0, "192.0.2.7", "127.0.0.1"),
            (1, "203.0.113.9, 192.0.2.7", "192.0.2.7"),
            (2, "203.0.113.9, 192.0.2.7, 10.0.0.1", "192.0.2.7"),
            (1, "2001:db8::7", "2001:db8::7"),
            (1, "<script>", None),
        ],
    )
    def test_it_writes_down_from_where_behind_proxies(
        self,
        service: APIClient,
        address: str,
        settings: LazySettings,
        proxies: int,
        forwarded: str,
        noted: str | None,
    ) -> None:
        settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": proxies}
        assert service.post(address, HTTP_X_FORWARDED_FOR=forwarded).status_code == 200
        assert AuditEntry.objects.get().address == noted

    def test_it_takes_no_session(self, admin: User, address: str) -> None:
        browser = Client()
        browser.force_login(admin)
        assert browser.post(address).status_code == 401

    def test_it_needs_its_own_permission(self, api: APIClient, address: str) -> None:
        assert api.post(address).status_code == 403

    def test_a_dead_login_is_a_conflict(self, service: APIClient, address: str) -> None:
        Connection.objects.update(state="reauthorization_required")
        assert service.post(address).status_code == 409
        assert AuditEntry.objects.get().outcome == "refused"

    def test_a_refresh_token_moved_to_the_access_tokens_is_not_given(
        self, service: APIClient, address: str
    ) -> None:
        Connection.objects.update(access_token=F("refresh_token"))
        response = service.post(address)
        assert response.status_code == 409
        assert "another row or column" in response.json()["detail"]
        assert not any(secret in response.content.decode() for secret in SECRETS)
        assert AuditEntry.objects.get().outcome == "refused"

    def test_the_token_of_another_connection_is_not_given(
        self, service: APIClient, bob: User, address: str, new_connection: ConnectionFactory
    ) -> None:
        other = new_connection(bob)
        assert other.access_token is not None
        Connection.objects.update(access_token=Secret(other.access_token.ciphertext))
        assert service.post(address).status_code == 409
        assert service.post(f"{LIST}{other.pk}/access-token/").status_code == 200

    def test_who_asks_for_too_many_is_told_when_to_ask_again(self, service: APIClient, address: str) -> None:
        first = service.post(address)
        assert first["RateLimit-Policy"] == '"writes";q=200;w=10, "access-tokens";q=6000;w=60'
        assert first["RateLimit"].endswith('"access-tokens";r=5999;t=1')
        ApiKey.objects.update(hand_out_clock=Now() + timedelta(seconds=90))
        response = service.post(address)
        assert response.status_code == 429
        assert 20 <= int(response["Retry-After"]) <= 31
        assert '"access-tokens";r=0;t=' in response["RateLimit"]
        assert AuditEntry.objects.count() == 1

    @pytest.mark.django_db(transaction=True)
    def test_one_that_is_not_ready_in_time_is_worth_another_try(
        self, service: APIClient, address: str, settings: LazySettings
    ) -> None:
        settings.ACCESS_TOKEN_WAIT_SECONDS = 0.3
        now = timezone.now()
        Connection.objects.update(
            expires_at=now + timedelta(seconds=30), last_refreshed_at=now - timedelta(minutes=59)
        )
        response = service.post(address)
        assert (response.status_code, response["Retry-After"]) == (503, "5")
        assert ProcrastinateJob.objects.get().args["trigger"] == "on_use"


class TestAccessTokens:
    ADDRESS = f"{LIST}access-tokens/"

    @pytest.fixture
    def service(self, admin: User, client_of: ClientFactory) -> APIClient:
        return client_of(admin)

    def ask(self, service: APIClient, *ids: object) -> dict[str, Any]:
        response = service.post(self.ADDRESS, {"connection_ids": [str(each) for each in ids]}, format="json")
        assert response.status_code == 200, response.content
        assert response["Cache-Control"] == "no-store"
        body: dict[str, Any] = response.json()
        return body

    def test_it_answers_for_each_connection(
        self, service: APIClient, alice: User, new_connection: ConnectionFactory
    ) -> None:
        good, dead = new_connection(alice, regions=["EU"]), new_connection(alice)
        Connection.objects.filter(pk=dead.pk).update(state="reauthorization_required", next_refresh_at=None)
        unknown = uuid4()
        body = self.ask(service, dead.pk, good.pk, unknown)
        (result,) = body["results"]
        alone = service.post(f"{LIST}{good.pk}/access-token/").json()
        assert result == {"connection": str(good.pk), **alone}
        refused, missing = body["errors"]
        assert refused == {
            "connection": str(dead.pk),
            "status": 409,
            "detail": "Amazon refuses this login. It must be reconnected.",
        }
        assert (missing["connection"], missing["status"]) == (str(unknown), 404)
        outcomes = AuditEntry.objects.filter(action="access_token.hand_out").values_list("outcome", flat=True)
        assert sorted(outcomes) == ["done", "done", "refused", "refused"]

    def test_a_connection_of_another_person_is_not_found(
        self, alice: User, bob: User, client_of: ClientFactory, new_connection: ConnectionFactory
    ) -> None:
        set_role(alice, Role.ADMINISTRATOR)
        body = self.ask(client_of(alice), new_connection(bob).pk)
        assert body["results"] == []
        assert [error["status"] for error in body["errors"]] == [404]
        assert AuditEntry.objects.get().outcome == "refused"

    @pytest.mark.django_db(transaction=True)
    def test_what_is_fresh_does_not_wait_for_ever_for_what_is_not(
        self, service: APIClient, alice: User, new_connection: ConnectionFactory, settings: LazySettings
    ) -> None:
        settings.ACCESS_TOKEN_WAIT_SECONDS = 0.3
        fresh, stale = new_connection(alice), [new_connection(alice) for _ in range(3)]
        Connection.objects.exclude(pk=fresh.pk).update(expires_at=Now(), last_refreshed_at=Now())
        body = self.ask(service, fresh.pk, *(each.pk for each in stale))
        assert [result["connection"] for result in body["results"]] == [str(fresh.pk)]
        assert [error["status"] for error in body["errors"]] == [503] * 3
        assert ProcrastinateJob.objects.filter(task_name="tokens.refresh_connection").count() == 3

    def test_each_token_is_counted(
        self, service: APIClient, alice: User, new_connection: ConnectionFactory
    ) -> None:
        ids = [str(new_connection(alice).pk) for _ in range(3)]
        ApiKey.objects.update(hand_out_clock=Now() + timedelta(days=1))
        response = service.post(self.ADDRESS, {"connection_ids": ids}, format="json")
        assert response.status_code == 429
        ApiKey.objects.update(hand_out_clock=None)
        response = service.post(self.ADDRESS, {"connection_ids": ids}, format="json")
        assert '"access-tokens";r=5997;' in response["RateLimit"]

    @pytest.mark.parametrize(
        "body",
        [
            {},
            [],
            {"connection_ids": []},
            {"connection_ids": "all"},
            {"connection_ids": ["x"]},
            {"connection_ids": [1]},
            {"connection_ids": [None]},
            {"connection_ids": ["0193c8a0-0000-7000-8000-000000000001"] * 2},
            {"connection_ids": ["0193c8a0-0000-7000-8000-000000000001"], "all": True},
            {"connection_ids": [f"0193c8a0-0000-7000-8000-{number:012}" for number in range(501)]},
        ],
        ids=lambda body: str(body)[:40],
    )
    def test_a_wrong_body_is_refused(self, service: APIClient, body: object) -> None:
        response = service.post(self.ADDRESS, body, format="json")
        assert response.status_code == 400
        assert ApiKey.objects.get().hand_out_clock is None

    def test_it_takes_no_session(self, admin: User) -> None:
        browser = Client()
        browser.force_login(admin)
        assert browser.post(self.ADDRESS, {}, content_type="application/json").status_code == 401

    def test_it_needs_its_own_permission(self, api: APIClient) -> None:
        assert api.post(self.ADDRESS, {"connection_ids": [str(uuid4())]}, format="json").status_code == 403
