"""Questions about billing that run beside each other, and answers to several logins."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db.models import F

from accounts.models import Profile
from accounts.sync.billing import STEP_PAIRS
from amazon_accounts.postgresql.threads import in_thread
from amazon_accounts.sandbox.calls import Call
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import Maker, World, default_client
from tests.accounts.sync.conftest import ConnectionFactory, Sync

pytestmark = pytest.mark.django_db(transaction=True)

ACCOUNTS = STEP_PAIRS + 10
# Far longer than a busy machine needs.
MAX_SECONDS = 60


def make_world(sandbox: Sandbox, accounts: int) -> World:
    world = World(1)
    world.add_client(default_client([]))
    first = world.add_login("first")
    world.add_login("second")
    for number in range(accounts):
        Maker(world).account(f"Shop {number}", "seller", ["US"], first)
    sandbox.reset(world)
    return sandbox.world


@in_thread
def list_standings() -> set[str]:
    return set(Profile.objects.values_list("standing", flat=True))


async def test_notices_are_asked_for_beside_the_next_statuses(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    make_world(sandbox, ACCOUNTS)
    meeting, met = asyncio.Barrier(2), []

    async def meet(call: Call) -> None:
        async with asyncio.timeout(MAX_SECONDS):
            await meeting.wait()
        met.append(call.path)

    # The first two requests for statuses are about the pairs whose notices are asked for first.
    sandbox.faults.add("run", path="/billing/statuses", nth=3, function=meet)
    sandbox.faults.add("run", path="/billing/notifications", nth=1, function=meet)
    run = await sync(await in_thread(connect)("first"))
    assert run.state == "succeeded"
    assert set(met) == {"/billing/statuses", "/billing/notifications"}
    assert await list_standings() == {"good"}


async def test_a_question_that_fails_keeps_the_answers_before_it(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    make_world(sandbox, ACCOUNTS)
    sandbox.faults.add("forbidden", path="/billing/statuses", after=2)
    run = await sync(await in_thread(connect)("first"))
    (billing,) = [each for each in run.sources if (each["source"], each["region"]) == ("billing", "NA")]
    assert (run.state, billing["outcome"], len(billing["errors"])) == ("succeeded", "forbidden", 1)
    told = await in_thread(Profile.objects.exclude(billing_asked_at=None).count)()
    assert told == STEP_PAIRS


async def test_a_refusal_to_another_login_takes_no_answer_away(
    connect: ConnectionFactory, sync: Sync, sandbox: Sandbox
) -> None:
    world = make_world(sandbox, 2)
    for account_id in world.ads_accounts:
        world.let_see(world.logins["second"], ads_account_id=account_id, level="view")
    first, second = await in_thread(connect)("first"), await in_thread(connect)("second")
    for one, other in pairwise([first, second, first]):
        await sync(one)
        await in_thread(Profile.objects.update)(billing_asked_at=F("billing_asked_at") - timedelta(days=1))
        run = await sync(other)
        assert run.state == "succeeded"
        assert await list_standings() == {"good"}
    answered_by = await in_thread(
        lambda: set(Profile.objects.values_list("billing_connection_id", flat=True))
    )()
    assert answered_by == {first.pk}
    refusals = await in_thread(lambda: list(Profile.objects.values_list("billing_refusals", flat=True)))()
    assert [each[str(second.pk)]["code"] for each in refusals] == ["NOT_AUTHORIZED", "NOT_AUTHORIZED"]
