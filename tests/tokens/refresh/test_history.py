"""What the history of refreshes says about how well refreshing works."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.tokens.conftest import ConnectionFactory
from tests.tokens.factories import new_refresh
from tokens.models import TokenRefresh

pytestmark = pytest.mark.django_db


def test_the_success_rate_leaves_out_what_is_not_ours(connect: ConnectionFactory) -> None:
    connection = connect()
    for outcome, token_valid_after in [
        ("succeeded", True),
        ("succeeded", True),
        ("transient", True),  # the old token was still good
        ("transient", False),
        ("reauthorise", False),
        ("config", False),
        ("superseded", False),
        ("lost", None),
    ]:
        new_refresh(connection, outcome, token_valid_after=token_valid_after)
    new_refresh(
        connection, "transient", token_valid_after=False, started_at=timezone.now() - timedelta(days=2)
    )
    since = timezone.now() - timedelta(days=1)
    assert TokenRefresh.objects.since(since).success_rate() == 0.75


def test_there_is_no_success_rate_without_refreshes() -> None:
    assert TokenRefresh.objects.all().success_rate() is None
