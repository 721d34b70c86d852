"""The pages of webhooks."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.dashboard.conftest import LogIn, staff
from tests.teams import team_of
from tokens.models import Webhook, WebhookDelivery
from tokens.permissions import SYSTEM
from tokens.webhooks.manage import make_webhook, send_test

pytestmark = pytest.mark.django_db

URL = "https://hooks.example.com/amazon?key=<b>hunter2"


@pytest.fixture
def ada() -> User:
    return staff("ada", "Administrator")


@pytest.fixture
def client(ada: User, log_in: LogIn) -> Client:
    return log_in(ada)


def make(person: User) -> tuple[Webhook, str]:
    return make_webhook(SYSTEM, team_of(person), url=URL, events=["sync.ended"])


def test_the_secret_is_shown_in_the_answer_to_the_form_alone(client: Client, ada: User) -> None:
    form = {"url": "https://hooks.example.com/", "team": str(team_of(ada).pk), "events": ["*", "sync.ended"]}
    answer = client.post("/webhooks/", form)
    webhook = Webhook.objects.get()
    assert webhook.secret is not None
    secret = webhook.secret.reveal()
    assert secret in answer.content.decode().replace("&#x27;", "'")
    assert answer["Cache-Control"].count("no-store") == 1
    assert webhook.events == ["*"]
    for address in ("/webhooks/", f"/webhooks/{webhook.pk}/", f"/webhooks/{webhook.pk}/delete/"):
        assert secret[6:] not in client.get(address).content.decode()


@pytest.mark.parametrize(
    "form",
    [{"url": "http://hooks.example.com/"}, {"url": "https://127.0.0.1/"}, {"events": []}, {"team": "x"}],
)
def test_a_wrong_form_says_so_and_makes_nothing(client: Client, ada: User, form: dict[str, str]) -> None:
    given = {"url": "https://hooks.example.com/", "team": str(team_of(ada).pk), "events": ["*"]}
    answer = client.post("/webhooks/", given | form)
    assert answer.status_code == 422
    assert not Webhook.objects.exists()


def test_the_log_shows_the_last_answer_and_offers_to_send_again(client: Client, ada: User) -> None:
    webhook, _ = make(ada)
    delivery = send_test(SYSTEM, webhook)
    page = client.get(f"/webhooks/{webhook.pk}/").content.decode()
    assert "webhook.test" in page
    assert "Send again" not in page
    WebhookDelivery.objects.update(state="failed", next_try_at=None, status=503, error="<b>no")
    page = client.get(f"/webhooks/{webhook.pk}/").content.decode()
    assert "503" in page
    assert "<b>" not in page
    client.post(f"/webhooks/{webhook.pk}/deliveries/{delivery.pk}/send-again/")
    delivery.refresh_from_db()
    assert delivery.state == "waiting"


def test_a_webhook_is_switched_off_and_on(client: Client, ada: User) -> None:
    webhook, _ = make(ada)
    client.post(f"/webhooks/{webhook.pk}/switch/", {"active": "0"})
    page = client.get(f"/webhooks/{webhook.pk}/").content.decode()
    assert "Switch it on" in page
    assert f"/webhooks/{webhook.pk}/test/" not in page
    client.post(f"/webhooks/{webhook.pk}/switch/", {"active": "1"})
    assert Webhook.objects.get().is_active


def test_a_new_secret_is_shown_once(client: Client, ada: User) -> None:
    webhook, old = make(ada)
    answer = client.post(f"/webhooks/{webhook.pk}/rotate-secret/")
    stored = Webhook.objects.get()
    assert stored.secret is not None
    assert stored.secret.reveal() != old
    assert stored.secret.reveal() in answer.content.decode()
    assert "signs as well until" in answer.content.decode()


def test_the_menu_shows_the_page_to_administrators_alone(client: Client, log_in: LogIn) -> None:
    assert 'href="/webhooks/"' in client.get("/accounts/").content.decode()
    viewer = log_in(staff("vera", "Viewer"))
    assert 'href="/webhooks/"' not in viewer.get("/accounts/").content.decode()
