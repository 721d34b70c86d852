"""How the client finds the form of request that Amazon takes, and remembers it for all processes."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import httpx
import pytest
from django.conf import LazySettings
from django.db.models import F

from amazon_accounts.amazon_ads.answers import AdvertiserMarketplace, BillingItemError, BillingStatus
from amazon_accounts.amazon_ads.client import AdsApi, AmazonClient
from amazon_accounts.amazon_ads.errors import AmazonError, ForbiddenError, ThrottledError, TransientError
from amazon_accounts.amazon_ads.models import BillingRequestForm
from amazon_accounts.postgresql.threads import in_thread
from tests.amazon_ads.billing_amazon import Asked, BillingAmazon, collect, pairs, refuse
from tests.amazon_ads.conftest import CLIENT_ID, OWN_TABLES, GivenTokens

pytestmark = OWN_TABLES

TOKEN = "Atza|IwEBIFake_access-token.0123456789"
GOOD = BillingStatus("VALID_BILLING_STATUS")

Connect = Callable[[], AdsApi]


@pytest.fixture
def billing() -> BillingAmazon:
    return BillingAmazon()


@pytest.fixture
async def connect(billing: BillingAmazon, transactional_db: None) -> AsyncIterator[Connect]:
    """A client like that of another process, each time it is called."""
    clients: list[AmazonClient] = []

    def make() -> AdsApi:
        clients.append(AmazonClient(transport=billing))
        token = GivenTokens(TOKEN, TOKEN + "2")
        return clients[-1].with_token(subject="alice", client_id=CLIENT_ID, token=token)

    yield make
    for client in clients:
        await client.aclose()


@in_thread
def remembered() -> list[tuple[int, bool]]:
    forms = BillingRequestForm.objects.filter(client_id=CLIENT_ID)
    return [(form.max_pairs, form.account_wanted_at is not None) for form in forms]


@in_thread
def let_a_day_pass() -> None:
    day = timedelta(days=1)
    BillingRequestForm.objects.update(
        limited_at=F("limited_at") - day, account_wanted_at=F("account_wanted_at") - day
    )


class TestLimit:
    @pytest.fixture
    def limited(self, billing: BillingAmazon) -> None:
        billing.refusal = lambda asked: refuse(400, message="too many") if len(asked.pairs) > 10 else None

    @pytest.mark.usefixtures("limited")
    async def test_a_refused_request_is_halved_until_amazon_answers(
        self, connect: Connect, billing: BillingAmazon
    ) -> None:
        asked = pairs(30)
        assert await collect(connect().billing_statuses("NA", asked)) == dict.fromkeys(asked, GOOD)
        assert [len(each.pairs) for each in billing.asked] == [30, 15, 8, 7, 15, 8, 7]

    @pytest.mark.usefixtures("limited")
    async def test_the_limit_is_known_to_all_processes_and_both_questions(
        self, connect: Connect, billing: BillingAmazon
    ) -> None:
        await collect(connect().billing_statuses("NA", pairs(50)))
        assert [len(each.pairs) for each in billing.asked][7:] == [8, 8, 4]
        assert await remembered() == [(8, False)]
        billing.asked.clear()
        await collect(connect().billing_notifications("EU", dict.fromkeys(pairs(16), "")))
        assert [len(each.pairs) for each in billing.asked] == [8, 8]

    @pytest.mark.usefixtures("limited")
    async def test_after_a_day_the_limit_of_the_specification_is_tried_again(
        self, connect: Connect, billing: BillingAmazon
    ) -> None:
        await collect(connect().billing_statuses("NA", pairs(30)))
        await let_a_day_pass()
        billing.asked.clear()
        await collect(connect().billing_statuses("NA", pairs(30)))
        assert len(billing.asked[0].pairs) == 30
        assert await remembered() == [(8, False)]

    async def test_one_pair_that_is_refused_costs_no_other_and_teaches_no_limit(
        self, connect: Connect, billing: BillingAmazon
    ) -> None:
        billing.refusal = lambda asked: (
            refuse(400, message="Bad advertiser") if "ENTITY17" in asked.advertisers else None
        )
        asked = pairs(60)
        found = await collect(connect().billing_statuses("NA", asked))
        error = found.pop(asked[16])
        assert isinstance(error, BillingItemError)
        assert error.code == "BAD_REQUEST"
        assert "Bad advertiser" in error.description
        assert set(found.values()) == {GOOD}
        assert await remembered() == []
        assert len(billing.asked[-1].pairs) == 30

    async def test_one_of_two_pairs_that_is_refused_teaches_no_limit(
        self, connect: Connect, billing: BillingAmazon
    ) -> None:
        billing.refusal = lambda asked: refuse(400) if "ENTITY1" in asked.advertisers else None
        found = await collect(connect().billing_statuses("NA", pairs(2)))
        assert found[pairs(2)[1]] == GOOD
        assert await remembered() == []

    async def test_two_pairs_that_do_not_go_together_teach_no_limit(
        self, connect: Connect, billing: BillingAmazon
    ) -> None:
        billing.refusal = lambda asked: (
            refuse(400) if {"ENTITY1", "ENTITY2"} <= set(asked.advertisers) else None
        )
        found = await collect(connect().billing_statuses("NA", pairs(30)))
        assert set(found.values()) == {GOOD}
        assert await remembered() == []

    async def test_if_amazon_refuses_everything_no_limit_is_learned(
        self, connect: Connect, billing: BillingAmazon
    ) -> None:
        billing.refusal = lambda asked: refuse(400)
        found = await collect(connect().billing_statuses("NA", pairs(4)))
        assert [result.code for result in found.values() if isinstance(result, BillingItemError)] == [
            "BAD_REQUEST"
        ] * 4
        assert await remembered() == []

    @pytest.mark.parametrize("status", [403, 404, 415, 422])
    async def test_other_refusals_are_not_halved(
        self, connect: Connect, billing: BillingAmazon, status: int
    ) -> None:
        billing.refusal = lambda asked: refuse(status)
        found = await collect(connect().billing_statuses("NA", pairs(3)))
        assert all(isinstance(result, AmazonError) and result.status == status for result in found.values())
        assert len(billing.asked) == 1

    async def test_a_busy_amazon_is_not_halved(
        self, connect: Connect, billing: BillingAmazon, settings: LazySettings
    ) -> None:
        settings.AMAZON_MAX_ATTEMPTS = 1
        billing.refusal = lambda asked: refuse(400, code="SERVER_IS_BUSY")
        found = await collect(connect().billing_statuses("NA", pairs(3)))
        assert {type(result) for result in found.values()} == {ThrottledError}
        assert len(billing.asked) == 1


def wants_account(status: int) -> Callable[[Asked], httpx.Response | None]:
    return lambda asked: refuse(status) if "notifications" in asked.path and not asked.account else None


def with_accounts(number: int, *account_ids: str) -> dict[AdvertiserMarketplace, str]:
    """So many pairs, which belong to these ads accounts in turn."""
    return {pair: account_ids[place % len(account_ids)] for place, pair in enumerate(pairs(number))}


class TestAccountHeader:
    @pytest.mark.parametrize("status", [400, 401, 403])
    async def test_it_is_sent_where_amazon_refuses_without_it(
        self, connect: Connect, billing: BillingAmazon, status: int
    ) -> None:
        billing.refusal = wants_account(status)
        asked = with_accounts(40, "account-1", "account-2")
        found = await collect(connect().billing_notifications("NA", asked))
        assert found == {pair: [] for pair in asked}
        answered = [each for each in billing.asked if each.account]
        assert [(each.account, len(each.pairs)) for each in answered] == [
            ("account-1", 1),
            ("account-2", 20),
            ("account-1", 19),
        ]

    async def test_what_works_is_known_to_all_processes(
        self, connect: Connect, billing: BillingAmazon
    ) -> None:
        billing.refusal = wants_account(403)
        asked = with_accounts(4, "account-1", "account-2")
        await collect(connect().billing_notifications("NA", asked))
        assert await remembered() == [(30, True)]
        billing.asked.clear()
        await collect(connect().billing_notifications("EU", asked))
        assert [each.account for each in billing.asked] == ["account-1", "account-2"]

    async def test_statuses_never_have_it(self, connect: Connect, billing: BillingAmazon) -> None:
        billing.refusal = wants_account(403)
        await collect(connect().billing_notifications("NA", with_accounts(1, "account-1")))
        billing.asked.clear()
        await collect(connect().billing_statuses("NA", with_accounts(2, "account-1", "account-2")))
        assert [each.account for each in billing.asked] == [""]

    async def test_after_a_day_it_is_left_out_again(self, connect: Connect, billing: BillingAmazon) -> None:
        billing.refusal = wants_account(403)
        asked = with_accounts(1, "account-1")
        await collect(connect().billing_notifications("NA", asked))
        await let_a_day_pass()
        billing.asked.clear()
        billing.refusal = lambda asked: None
        await collect(connect().billing_notifications("NA", asked))
        assert [each.account for each in billing.asked] == [""]

    async def test_a_pair_without_an_account_is_then_an_error_by_name(
        self, connect: Connect, billing: BillingAmazon
    ) -> None:
        billing.refusal = wants_account(400)
        known, unknown = pairs(2)
        found = await collect(connect().billing_notifications("NA", {unknown: "", known: "account-1"}))
        error = found[unknown]
        assert isinstance(error, BillingItemError)
        assert error.code == "NO_ADS_ACCOUNT"
        assert found[known] == []
        assert len(billing.asked) == 3

    async def test_a_refusal_that_it_does_not_end_is_the_error_of_the_request(
        self, connect: Connect, billing: BillingAmazon
    ) -> None:
        billing.refusal = lambda asked: refuse(403)
        found = await collect(connect().billing_notifications("NA", with_accounts(60, "account-1")))
        assert {type(result) for result in found.values()} == {ForbiddenError}
        # One pair was tried without and with the header, once.
        assert [len(each.pairs) for each in billing.asked] == [30, 1, 1, 30]
        assert await remembered() == []

    async def test_a_pair_that_spoils_its_request_is_not_taken_for_a_missing_header(
        self, connect: Connect, billing: BillingAmazon
    ) -> None:
        billing.refusal = lambda asked: refuse(403) if "ENTITY2" in asked.advertisers else None
        asked = with_accounts(40, "account-1")
        first, *others = asked
        found = await collect(connect().billing_notifications("NA", asked))
        assert found[first] == []
        assert {type(found[pair]) for pair in others[:29]} == {ForbiddenError}
        assert all(found[pair] == [] for pair in others[29:])
        assert not any(each.account for each in billing.asked)
        assert await remembered() == []

    async def test_it_is_found_where_amazon_also_takes_fewer_pairs(
        self, connect: Connect, billing: BillingAmazon
    ) -> None:
        billing.refusal = lambda asked: refuse(400) if not asked.account or len(asked.pairs) > 10 else None
        asked = with_accounts(60, "account-1")
        assert await collect(connect().billing_notifications("NA", asked)) == {pair: [] for pair in asked}
        assert await remembered() == [(8, True)]

    async def test_nothing_is_tried_where_no_account_is_known(
        self, connect: Connect, billing: BillingAmazon
    ) -> None:
        billing.refusal = wants_account(403)
        found = await collect(connect().billing_notifications("NA", with_accounts(2, "")))
        assert {type(result) for result in found.values()} == {ForbiddenError}
        assert len(billing.asked) == 1

    async def test_a_fault_of_amazons_is_no_reason_to_try_it(
        self, connect: Connect, billing: BillingAmazon, settings: LazySettings
    ) -> None:
        settings.AMAZON_MAX_ATTEMPTS = 1
        billing.refusal = lambda asked: refuse(500)
        found = await collect(connect().billing_notifications("NA", with_accounts(2, "account-1")))
        assert {type(result) for result in found.values()} == {TransientError}
        assert not any(each.account for each in billing.asked)


async def test_a_pair_without_an_id_is_an_error_and_is_not_asked_about(
    connect: Connect, billing: BillingAmazon
) -> None:
    nobody, nowhere, (somebody,) = (
        AdvertiserMarketplace("", "ATVPDKIKX0DER"),
        AdvertiserMarketplace("ENTITY1", ""),
        pairs(1),
    )
    found = await collect(connect().billing_statuses("NA", [nobody, nowhere, somebody]))
    assert found.pop(somebody) == GOOD
    assert {result.code for result in found.values() if isinstance(result, BillingItemError)} == {
        "INCOMPLETE"
    }
    assert [each.advertisers for each in billing.asked] == [["ENTITY1"]]


@pytest.mark.parametrize("status", [400, 403, 500])
async def test_no_token_is_in_an_error_a_result_or_a_log(
    connect: Connect,
    billing: BillingAmazon,
    settings: LazySettings,
    caplog: pytest.LogCaptureFixture,
    status: int,
) -> None:
    settings.AMAZON_MAX_ATTEMPTS = 1
    billing.refusal = lambda asked: refuse(status, message=f"Not with {asked.headers['Authorization']}")
    found = await collect(connect().billing_notifications("NA", with_accounts(2, "account-1")))
    assert len(found) == 2
    assert "0123456789" not in f"{list(found.values())} {list(map(str, found.values()))} {caplog.text}"
