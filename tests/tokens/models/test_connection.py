"""Whether Amazon may be called with a connection, and when a connection is late or failing."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.utils import timezone

from amazon_accounts.amazon_ads.errors import AmazonError, GrantRevokedError
from amazon_accounts.postgresql.clock import database_now
from tests.tokens.conftest import new_connection
from tokens.errors import (
    ConnectionUnusableError,
    NotConnectedError,
    OtherApplicationError,
    raise_if_unusable,
    refuse_unusable,
)
from tokens.models import Connection

UNUSABLE = [
    ({"state": "disconnected"}, NotConnectedError, "The connection is disconnected."),
    (
        {"state": "reauthorization_required"},
        GrantRevokedError,
        "Amazon refuses this login. It must be reconnected.",
    ),
    (
        {"state": "active", "client_id": "amzn1.other"},
        OtherApplicationError,
        "The connection belongs to another Login with Amazon application, amzn1.other.",
    ),
]


class TestReasonUnusable:
    @pytest.mark.parametrize(("fields", "error", "reason"), UNUSABLE)
    def test_one_sentence_is_told_everywhere(
        self, settings: LazySettings, fields: dict[str, str], error: type[AmazonError], reason: str
    ) -> None:
        connection = Connection(**{"client_id": settings.AMAZON_CLIENT_ID, **fields})
        assert connection.reason_unusable == reason
        with pytest.raises(error) as raised:
            raise_if_unusable(connection)
        assert str(raised.value) == reason
        with pytest.raises(ConnectionUnusableError, match=reason):
            refuse_unusable(connection)

    def test_an_active_connection_of_this_application_is_usable(self, settings: LazySettings) -> None:
        connection = Connection(client_id=settings.AMAZON_CLIENT_ID)
        assert connection.reason_unusable == ""
        raise_if_unusable(connection)
        refuse_unusable(connection)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "is_late", "is_failing"),
    [
        ({"last_synced_at": None}, False, False),
        ({"last_synced_at": timedelta(seconds=199)}, False, False),
        ({"last_synced_at": timedelta(seconds=201)}, True, False),
        ({"last_synced_at": timedelta(seconds=201), "sync_failures": 1}, False, True),
    ],
)
def test_the_querysets_find_what_the_properties_say(
    settings: LazySettings, fields: dict[str, Any], is_late: bool, is_failing: bool
) -> None:
    settings.SYNC_INTERVAL_SECONDS = 100
    age = fields["last_synced_at"]
    connection = new_connection(
        User.objects.create_user("alice"),
        settings,
        "Atzr|x",
        **{**fields, "last_synced_at": age and timezone.now() - age},
    )
    assert (connection.is_late, connection.is_failing) == (is_late, is_failing)
    assert Connection.objects.late().exists() == is_late
    assert Connection.objects.failing().exists() == is_failing


@pytest.mark.django_db
@pytest.mark.parametrize(("seconds", "is_late"), [(190, False), (210, True)])
@pytest.mark.usefixtures("wrong_clock")
def test_the_clock_of_the_process_makes_no_connection_late(
    settings: LazySettings, seconds: int, is_late: bool
) -> None:
    settings.SYNC_INTERVAL_SECONDS = 100
    last_synced_at = database_now() - timedelta(seconds=seconds)
    alice = User.objects.create_user("alice")
    connection = new_connection(alice, settings, "Atzr|x", last_synced_at=last_synced_at)
    assert connection.is_late == Connection.objects.late().exists() == is_late


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "is_live", "is_broken"),
    [
        ({}, True, False),
        ({"client_id": "amzn1.other"}, False, False),
        ({"state": "reauthorization_required", "next_refresh_at": None}, False, True),
    ],
)
def test_a_live_connection_is_one_without_a_reason(
    settings: LazySettings, fields: dict[str, Any], is_live: bool, is_broken: bool
) -> None:
    connection = new_connection(User.objects.create_user("alice"), settings, "Atzr|x", **fields)
    assert Connection.objects.live().exists() == is_live == (not connection.reason_unusable)
    assert Connection.objects.broken().exists() == is_broken == connection.is_broken
