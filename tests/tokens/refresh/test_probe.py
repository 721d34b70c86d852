"""Who may ask whether Amazon accepts our application again."""

from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.utils import timezone

from amazon_accounts.amazon_ads.errors import (
    AmazonError,
    ApplicationRefusedError,
    GrantRevokedError,
    PostponedError,
    TransientError,
)
from amazon_accounts.amazon_ads.models import ApplicationRefusal
from amazon_accounts.amazon_ads.pacing import application
from amazon_accounts.postgresql.threads import in_thread
from tokens.models import TokenRefresh
from tokens.refresh.counts import RefreshCounts, run_to_the_end
from tokens.refresh.exchange import Refreshed
from tokens.refresh.probe import lift_refusal_if_accepted, read_refusal, require_probe, take_probe

pytestmark = pytest.mark.django_db(transaction=True)

Outcome = TokenRefresh.Outcome


def refuse(settings: LazySettings, *, minutes_ago: int = 10) -> None:
    error = ApplicationRefusedError("Refused.", status=401, code="invalid_client")
    application.record_refusal(settings.AMAZON_CLIENT_ID, settings.AMAZON_CLIENT_SECRET, error)
    moment = timezone.now() - timedelta(minutes=minutes_ago)
    ApplicationRefusal.objects.update(refused_since=moment, last_refused_at=moment, probed_at=moment)


async def refused(settings: LazySettings, *, minutes_ago: int = 10) -> ApplicationRefusal:
    await in_thread(refuse)(settings, minutes_ago=minutes_ago)
    refusal = await read_refusal()
    assert refusal is not None
    return refusal


async def test_there_is_no_refusal_while_amazon_accepts_the_application() -> None:
    assert await read_refusal() is None


async def test_a_refusal_counts_for_the_secret_that_was_refused(settings: LazySettings) -> None:
    await refused(settings)
    settings.AMAZON_CLIENT_SECRET = "another"
    assert await read_refusal() is None


async def test_one_caller_in_each_pause_may_ask(settings: LazySettings) -> None:
    refusal = await refused(settings)
    assert await take_probe(refusal, pause=60)
    assert not await take_probe(refusal, pause=60)
    assert await take_probe(refusal, pause=0)


async def test_a_caller_that_may_not_ask_gets_the_refusal(settings: LazySettings) -> None:
    refusal = await refused(settings)
    await require_probe(refusal, pause=60)
    with pytest.raises(ApplicationRefusedError) as raised:
        await require_probe(refusal, pause=60)
    assert raised.value.code == "invalid_client"


@pytest.mark.parametrize(
    ("outcome", "error", "is_accepted"),
    [
        (Outcome.SUCCEEDED, None, True),
        # Amazon says something about a login only to an application that it accepts.
        (Outcome.REAUTHORIZATION_REQUIRED, GrantRevokedError(), True),
        (Outcome.SUPERSEDED, None, True),
        (Outcome.SUPERSEDED, GrantRevokedError(), True),
        (Outcome.SUPERSEDED, ApplicationRefusedError(), False),
        (Outcome.SUPERSEDED, TransientError(), False),
        (Outcome.CONFIG, ApplicationRefusedError(), False),
        (Outcome.TRANSIENT, TransientError(), False),
        (Outcome.POSTPONED, PostponedError(timezone.now()), False),
        (Outcome.LOST, None, False),
    ],
)
async def test_only_an_answer_about_a_login_lifts_the_refusal(
    settings: LazySettings, outcome: Outcome, error: AmazonError | PostponedError | None, is_accepted: bool
) -> None:
    await refused(settings)
    assert await lift_refusal_if_accepted(Refreshed(outcome, error=error)) is is_accepted
    assert (await read_refusal() is None) is is_accepted


class TestTogether:
    async def test_an_error_of_one_does_not_stop_the_others(self) -> None:
        ended: list[int] = []

        async def work(number: int) -> None:
            if number == 1:
                raise ValueError("one")
            ended.append(number)

        with pytest.raises(ValueError, match="one"):
            await run_to_the_end(work(number) for number in range(4))
        assert ended == [0, 2, 3]

    async def test_no_work_is_done_at_once(self) -> None:
        await run_to_the_end([])

    @pytest.mark.parametrize(
        ("outcomes", "all_succeeded"),
        [
            ([], True),
            (["succeeded"], True),
            (["succeeded", "skipped"], False),
            (["postponed"], False),
            (["transient", "succeeded"], False),
        ],
    )
    def test_counts_tell_whether_all_succeeded(self, outcomes: list[str], all_succeeded: bool) -> None:
        assert RefreshCounts(outcomes).all_succeeded is all_succeeded
