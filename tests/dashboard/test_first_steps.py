"""A new installation shows its first steps, and they go away by themselves."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from dashboard.overview.first_steps import list_first_steps
from tests.dashboard.conftest import LogIn, MakeConnection, squeeze
from tokens.models import Connection


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root")


@pytest.fixture
def client(root: User, log_in: LogIn) -> Client:
    return log_in(root)


def test_they_stand_on_the_empty_overview_and_beside_the_first_accounts(
    client: Client, root: User, make_connection: MakeConnection
) -> None:
    page = squeeze(client.get("/").content.decode())
    assert page.count(", to do</span>") == 3
    assert "Connect an Amazon login" in page
    make_connection(root)
    page = squeeze(client.get("/").content.decode())
    assert (page.count(", done</span>"), page.count(", to do</span>")) == (1, 2)


def test_they_go_away_when_all_are_done(
    root: User, alice: User, make_connection: MakeConnection, settings: Settings
) -> None:
    make_connection(alice)
    assert [step.is_done for step in list_first_steps(root)] == [True, True, False]
    settings.ALERT_URLS = ["json://localhost"]
    assert list_first_steps(root) == []


def test_they_go_away_after_two_weeks(root: User, make_connection: MakeConnection) -> None:
    connection = make_connection(root)
    assert list_first_steps(root)
    Connection.objects.filter(pk=connection.pk).update(created_at=timezone.now() - timedelta(days=15))
    caches["process"].clear()
    assert list_first_steps(root) == []


def test_only_who_installs_the_console_sees_them(alice: User) -> None:
    assert list_first_steps(alice) == []
