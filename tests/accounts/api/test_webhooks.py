"""Webhooks in the API: what is asked for, what is shown once, and what is refused."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from tests.accounts.conftest import ClientFactory
from tests.teams import join, set_role, team_of
from tokens.models import Webhook, WebhookDelivery
from tokens.people.roles import Role

WEBHOOKS = "/api/v1/webhooks/"
BODY: dict[str, Any] = {"url": "https://hooks.example.com/amazon", "events": ["sync.ended"]}


@pytest.fixture
def api(alice: User, client_of: ClientFactory) -> APIClient:
    return client_of(set_role(alice, Role.ADMINISTRATOR))


def test_the_secret_is_in_the_answer_to_making_and_rotating_alone(api: APIClient) -> None:
    made = api.post(WEBHOOKS, BODY, format="json")
    assert (made.status_code, made["Cache-Control"]) == (201, "no-store")
    address = f"{WEBHOOKS}{made.json()['id']}/"
    rotated = api.post(f"{address}rotate-secret/")
    assert rotated["Cache-Control"] == "no-store"
    secrets = [made.json()["secret"], rotated.json()["secret"]]
    assert len(set(secrets)) == 2
    seen = [
        api.get(WEBHOOKS),
        api.get(address),
        api.patch(address, {"events": ["*"]}, format="json"),
        api.post(f"{address}test/"),
        api.get(f"{address}deliveries/"),
    ]
    for answer in seen:
        assert answer.status_code in {200, 202}
        assert not any(secret[6:] in answer.content.decode() for secret in secrets)


def test_a_webhook_is_changed_and_deleted(api: APIClient) -> None:
    address = f"{WEBHOOKS}{api.post(WEBHOOKS, BODY, format='json').json()['id']}/"
    changed = api.patch(address, {"events": ["batch.ended", "sync.ended"], "is_active": False}, format="json")
    assert (changed.json()["events"], changed.json()["is_active"]) == (["sync.ended", "batch.ended"], False)
    assert changed.json()["url"] == BODY["url"]
    assert api.post(f"{address}test/").json()["type"].endswith("/errors/webhook-state/")
    assert api.delete(address).status_code == 204
    assert api.get(address).status_code == 404


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": "http://hooks.example.com/"}, "url"),
        ({"url": "https://[::ffff:127.0.0.1]/"}, "url"),
        ({"url": 1.5}, "url"),
        ({"url": None}, "url"),
        ({"events": []}, "events"),
        ({"events": "*"}, "events"),
        ({"events": ["account.sold"]}, "events.0"),
        ({"team": "x"}, "team"),
        ({"team": str(uuid4())}, "team"),
        ({"secret": "whsec_own"}, "secret"),
    ],
)
def test_a_wrong_field_is_named(api: APIClient, changes: dict[str, Any], field: str) -> None:
    answer = api.post(WEBHOOKS, BODY | changes, format="json")
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not Webhook.objects.exists()


def test_who_is_in_several_teams_names_one(alice: User, bob: User, client_of: ClientFactory) -> None:
    set_role(alice, Role.ADMINISTRATOR)
    join(alice, team_of(bob).name, Role.ADMINISTRATOR)
    api = client_of(User.objects.get(pk=alice.pk))
    assert api.post(WEBHOOKS, BODY, format="json").status_code == 400
    made = api.post(WEBHOOKS, BODY | {"team": str(team_of(bob).pk)}, format="json")
    assert made.json()["team"]["id"] == str(team_of(bob).pk)


def test_a_delivery_is_found_only_under_its_webhook(api: APIClient) -> None:
    first, second = (api.post(WEBHOOKS, BODY, format="json").json()["id"] for _ in range(2))
    delivery = api.post(f"{WEBHOOKS}{first}/test/").json()["id"]
    assert api.get(f"{WEBHOOKS}{first}/deliveries/?state=failed").json()["results"] == []
    waiting = api.post(f"{WEBHOOKS}{first}/deliveries/{delivery}/redeliver/")
    assert waiting.status_code == 409
    WebhookDelivery.objects.update(state="failed", next_try_at=None)
    assert api.post(f"{WEBHOOKS}{second}/deliveries/{delivery}/redeliver/").status_code == 404
    assert api.post(f"{WEBHOOKS}{first}/deliveries/{delivery}/redeliver/").status_code == 202
