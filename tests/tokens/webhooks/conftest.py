"""A receiver on this machine, which WEBHOOK_ALLOWED_HOSTS names, and a webhook of Alice's team that sends to it."""

from collections.abc import Iterator

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User

from amazon_accounts.configuration.outgoing import DirectHost
from tests.teams import set_role, team_of
from tests.tokens.webhooks.receiver import Receiver, run_receiver
from tokens.models import Webhook
from tokens.people.roles import Role
from tokens.permissions import SYSTEM
from tokens.webhooks.manage import make_webhook


@pytest.fixture
def receiver(settings: LazySettings) -> Iterator[Receiver]:
    settings.WEBHOOK_ALLOWED_HOSTS = (DirectHost.parse("127.0.0.1"),)
    with run_receiver() as running:
        yield running


@pytest.fixture
def administrator(alice: User) -> User:
    return set_role(alice, Role.ADMINISTRATOR)


@pytest.fixture
def made(alice: User, receiver: Receiver) -> tuple[Webhook, str]:
    return make_webhook(SYSTEM, team_of(alice), url=receiver.url, events=["*"])


@pytest.fixture
def webhook(made: tuple[Webhook, str]) -> Webhook:
    return made[0]


@pytest.fixture
def secret(made: tuple[Webhook, str]) -> str:
    return made[1]
