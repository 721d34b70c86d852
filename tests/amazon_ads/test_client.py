"""What a login can see: the real client asks the sandbox."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from amazon_accounts.amazon_ads.answers import Answer, Page
from amazon_accounts.amazon_ads.errors import (
    EndlessListingError,
    ForbiddenError,
    PermanentError,
    StalePageTokenError,
    UnauthorizedError,
)
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import demo_world, generated_world
from tests.amazon_ads.conftest import OWN_TABLES, AdsApiFactory, GivenTokens

pytestmark = OWN_TABLES

SWITCHES: list[dict[str, Any]] = [
    {},
    {"alternate_ids": "separate", "united_kingdom": "GB", "end_of_list": "empty"},
    {"alternate_ids": "merged", "end_of_list": "null", "profile_id": "string"},
    {"no_dsp_advertiser": "null", "no_profile": "empty", "default_access_level": "view"},
    {"no_dsp_advertiser": "absent", "no_profile": "absent"},
]


async def everything(pages: AsyncIterator[Page[Any]]) -> list[Any]:
    return [item async for page in pages for item in page.items]


@pytest.mark.parametrize("switches", SWITCHES)
async def test_it_sees_what_amazon_shows(
    api_for: AdsApiFactory, sandbox: Sandbox, switches: dict[str, Any]
) -> None:
    sandbox.choices.change(switches)
    truth = sandbox.truth("alice")
    alice = api_for("alice")
    found = await everything(alice.ads_accounts("NA"))
    assert [account.raw for account in found] == truth["ads_accounts"]
    for account, entry in zip(found, truth["ads_accounts"], strict=True):
        assert account.country_codes == entry["countryCodes"]
        shown = {str(each["profileId"]) for each in entry.get("alternateIds", []) if each.get("profileId")}
        assert {each.profile_id for each in account.alternate_ids} - {None} == shown
    for region in ("NA", "EU", "FE"):
        profiles = await alice.profiles(region, "view")
        shown_profiles = truth["profiles"][region]
        assert [item.profile_id for item in profiles.items] == [
            str(each["profileId"]) for each in shown_profiles
        ]
        assert not profiles.cut
        assert not profiles.rejected
        managers = await alice.manager_accounts(region)
        assert [item.raw for item in managers.items] == truth["manager_accounts"][region]
        for manager in managers.items:
            assert all(link.profile_id or link.dsp_advertiser_id for link in manager.linked_accounts)
    for agency, shown_advertisers in truth["dsp_advertisers"].items():
        found = await everything(alice.dsp_advertisers("NA", agency))
        assert [item.raw for item in found] == shown_advertisers


async def test_it_asks_for_the_access_level(api_for: AdsApiFactory, sandbox: Sandbox) -> None:
    truth = sandbox.truth("alice")["profiles"]["FE"]
    editable = {str(each["profileId"]) for each in truth if each["accessLevel"] == "edit"}
    found = await api_for("alice").profiles("FE", "edit")
    assert {item.profile_id for item in found.items} == editable
    assert len(editable) < len(truth)


async def test_a_login_without_accounts_sees_nothing_and_no_error(api_for: AdsApiFactory) -> None:
    charlie = api_for("charlie")
    assert await everything(charlie.ads_accounts("EU")) == []
    assert (await charlie.profiles("NA", "view")).items == []
    assert (await charlie.manager_accounts("FE")).items == []


async def test_it_reads_the_demo_with_its_hostile_names(api_for: AdsApiFactory, sandbox: Sandbox) -> None:
    sandbox.reset(demo_world())
    for name in sandbox.world.logins:
        found: list[Answer] = await everything(api_for(name).ads_accounts("NA"))
        assert len(found) == len(sandbox.truth(name)["ads_accounts"])


async def test_it_lists_all_pages(api_for: AdsApiFactory, sandbox: Sandbox) -> None:
    sandbox.reset(generated_world(accounts_per_login=250))
    someone = api_for("login-1")
    sizes = [len(page.items) async for page in someone.ads_accounts("NA")]
    assert sizes == [100, 100, 50]
    assert someone.stats.requests == 3
    assert [entry.path for entry in sandbox.journal] == ["/adsAccounts/list"] * 3


async def test_it_sends_the_headers_that_amazon_wants(api_for: AdsApiFactory, sandbox: Sandbox) -> None:
    seen: list[dict[str, str]] = []
    sandbox.faults.add("run", function=lambda call: seen.append(dict(call.headers)))
    await everything(api_for().ads_accounts("NA"))
    (headers,) = seen
    media_type = "application/vnd.listaccountsresource.v1+json"
    assert headers["content-type"] == headers["accept"] == media_type
    assert headers["amazon-advertising-api-clientid"].startswith("amzn1.application-oa2-client.")
    assert headers["user-agent"].startswith("AmazonAccounts/")
    assert "cookie" not in headers


async def test_it_continues_after_an_empty_page(api_for: AdsApiFactory, sandbox: Sandbox) -> None:
    sandbox.reset(generated_world(accounts_per_login=120))
    sandbox.faults.add("empty_page", nth=2)
    assert len(await everything(api_for("login-1").ads_accounts("NA"))) == 120


async def test_it_gives_duplicates_as_they_come(api_for: AdsApiFactory, sandbox: Sandbox) -> None:
    sandbox.reset(generated_world(accounts_per_login=150))
    sandbox.faults.add("duplicate_record", nth=1)
    found = [account.ads_account_id for account in await everything(api_for("login-1").ads_accounts("NA"))]
    assert len(found) == 151
    assert len(set(found)) == 150


async def test_a_page_token_that_comes_twice_ends_the_listing(
    api_for: AdsApiFactory, sandbox: Sandbox
) -> None:
    sandbox.reset(generated_world(accounts_per_login=250))
    sandbox.faults.add("repeating_token", nth=2)
    with pytest.raises(EndlessListingError):
        await everything(api_for("login-1").ads_accounts("NA"))
    assert sandbox.journal.count() == 2


async def test_a_listing_without_end_ends(api_for: AdsApiFactory, sandbox: Sandbox) -> None:
    sandbox.faults.add("endless_walk")
    with pytest.raises(EndlessListingError):
        await everything(api_for().ads_accounts("NA", max_pages=5))
    assert sandbox.journal.count() == 5


async def test_the_last_page_that_is_allowed_may_be_the_last(
    api_for: AdsApiFactory, sandbox: Sandbox
) -> None:
    sandbox.reset(generated_world(accounts_per_login=250))
    assert len(await everything(api_for("login-1").ads_accounts("NA", max_pages=3))) == 250
    assert sandbox.journal.count() == 3


async def test_a_listing_that_is_given_up_leaves_no_call_behind(
    api_for: AdsApiFactory, sandbox: Sandbox
) -> None:
    sandbox.reset(generated_world(accounts_per_login=250))
    sandbox.faults.add("slow", nth=2, seconds=30)
    before = asyncio.all_tasks()
    async with aclosing(api_for("login-1").ads_accounts("NA")) as pages:
        async for _ in pages:
            break
    assert asyncio.all_tasks() == before


async def test_a_stale_page_token_starts_the_listing_again_once(
    api_for: AdsApiFactory, sandbox: Sandbox
) -> None:
    sandbox.reset(generated_world(accounts_per_login=150))
    sandbox.faults.add("stale_page_token", nth=2)
    found = [account.ads_account_id for account in await everything(api_for("login-1").ads_accounts("NA"))]
    assert len(found) == 250
    assert len(set(found)) == 150


async def test_a_page_token_that_stays_stale_is_an_error(api_for: AdsApiFactory, sandbox: Sandbox) -> None:
    sandbox.reset(generated_world(accounts_per_login=150))
    sandbox.faults.add("stale_page_token", nth=[2, 4])
    with pytest.raises(StalePageTokenError, match="nextToken is not valid"):
        await everything(api_for("login-1").ads_accounts("NA"))


async def test_a_first_page_that_is_refused_is_no_stale_token(
    api_for: AdsApiFactory, sandbox: Sandbox
) -> None:
    sandbox.faults.add("stale_page_token")
    with pytest.raises(PermanentError) as raised:
        await everything(api_for().ads_accounts("NA"))
    assert not isinstance(raised.value, StalePageTokenError)
    assert sandbox.journal.count() == 1


async def test_it_accepts_the_list_in_the_shape_of_the_guide(
    api_for: AdsApiFactory, sandbox: Sandbox
) -> None:
    sandbox.choices.change({"list_shape": "array"})
    found = await everything(api_for().ads_accounts("NA"))
    assert [account.raw for account in found] == sandbox.truth("alice")["ads_accounts"]


async def test_it_lists_dsp_advertisers_by_offset(api_for: AdsApiFactory, sandbox: Sandbox) -> None:
    sandbox.reset(generated_world(agencies_per_login=1, advertisers_per_agency=230))
    (agency,) = sandbox.truth("login-1")["dsp_advertisers"]
    pages = [page async for page in api_for("login-1").dsp_advertisers("NA", agency)]
    assert [len(page.items) for page in pages] == [100, 100, 30]
    assert not any(page.cut for page in pages)
    starts = [entry.query["startIndex"] for entry in sandbox.journal]
    assert starts == ["0", "100", "200"]


async def test_it_notices_that_amazon_shows_no_more_advertisers(
    api_for: AdsApiFactory, sandbox: Sandbox
) -> None:
    sandbox.reset(generated_world(agencies_per_login=1, advertisers_per_agency=230))
    (agency,) = sandbox.truth("login-1")["dsp_advertisers"]
    listing = api_for("login-1").dsp_advertisers("NA", agency, max_start_index=100)
    assert [page.cut async for page in listing] == [False, True]


async def test_it_notices_that_advertisers_moved_while_they_were_read(
    api_for: AdsApiFactory, sandbox: Sandbox
) -> None:
    sandbox.reset(generated_world(agencies_per_login=1, advertisers_per_agency=230))
    (agency,) = sandbox.truth("login-1")["dsp_advertisers"]
    first = next(iter(sandbox.world.dsp_advertisers))
    pages = []
    async with aclosing(api_for("login-1").dsp_advertisers("NA", agency)) as listing:
        async for page in listing:
            pages.append(page)
            if len(pages) == 1:
                sandbox.world.remove_dsp_advertiser(first)
    # The advertiser at position 101 moved to the first page after that page was read.
    assert sum(len(page.items) for page in pages) == 229
    assert [page.cut for page in pages] == [False, False, True]


async def test_an_agency_without_advertisers_has_none(api_for: AdsApiFactory, sandbox: Sandbox) -> None:
    sandbox.reset(generated_world(agencies_per_login=1))
    (agency,) = sandbox.truth("login-1")["dsp_advertisers"]
    assert await everything(api_for("login-1").dsp_advertisers("NA", agency)) == []


@pytest.mark.parametrize(
    "fault", ["unknown_values", "extra_fields", "missing_fields", "ids_as_strings", "odd_errors"]
)
async def test_unknown_and_missing_things_pass(api_for: AdsApiFactory, sandbox: Sandbox, fault: str) -> None:
    truth = sandbox.truth("alice")
    sandbox.faults.add(fault)
    alice = api_for("alice")
    found = await everything(alice.ads_accounts("NA"))
    assert [account.ads_account_id for account in found] == [
        each["adsAccountId"] for each in truth["ads_accounts"]
    ]
    profiles = (await alice.profiles("EU", "view")).items
    assert [item.profile_id for item in profiles] == [
        str(each["profileId"]) for each in truth["profiles"]["EU"]
    ]
    assert len((await alice.manager_accounts("NA")).items) == len(truth["manager_accounts"]["NA"])


async def test_a_record_without_an_id_is_rejected(api_for: AdsApiFactory, sandbox: Sandbox) -> None:
    sandbox.faults.add("missing_ids")
    (page,) = [page async for page in api_for().ads_accounts("NA")]
    assert len(page.items) == len(sandbox.truth("alice")["ads_accounts"]) - 1
    assert [rejected.identifier for rejected in page.rejected] == ["item 1"]


class TestUnauthorized:
    """Of the four kinds of 401, only the first asks for another token, once."""

    @pytest.mark.parametrize(
        "fault", ["unauthorized", "unauthorized_gateway", "unauthorized_html", "authentication_failed"]
    )
    async def test_it_asks_for_another_token_and_repeats_once(
        self, api_for: AdsApiFactory, sandbox: Sandbox, fault: str
    ) -> None:
        sandbox.faults.add(fault, nth=1)
        tokens = GivenTokens(sandbox.access_token("alice"), sandbox.access_token("alice"))
        old, new = tokens.tokens
        assert (await api_for(token=tokens).profiles("NA", "view")).items
        assert tokens.rejected == [old]
        assert tokens.tokens == [new]
        assert [entry.status for entry in sandbox.journal] == [401, 200]

    async def test_it_gives_up_when_the_new_token_is_refused_too(
        self, api_for: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        sandbox.faults.add("unauthorized")
        tokens = GivenTokens(*(sandbox.access_token("alice") for _ in range(3)))
        with pytest.raises(UnauthorizedError):
            await api_for(token=tokens).profiles("NA", "view")
        assert sandbox.journal.count() == 2

    async def test_it_does_not_repeat_with_the_same_token(
        self, api_for: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        sandbox.faults.add("unauthorized")
        with pytest.raises(UnauthorizedError, match="no newer token"):
            await api_for().profiles("NA", "view")
        assert sandbox.journal.count() == 1

    @pytest.mark.parametrize(
        ("fault", "error"),
        [("no_access_to_scope", ForbiddenError), ("no_advertiser_for_scope", ForbiddenError)],
    )
    async def test_a_missing_right_asks_for_no_token(
        self, api_for: AdsApiFactory, sandbox: Sandbox, fault: str, error: type[Exception]
    ) -> None:
        sandbox.faults.add(fault)
        tokens = GivenTokens(sandbox.access_token("alice"), sandbox.access_token("alice"))
        with pytest.raises(error) as raised:
            await api_for(token=tokens).profiles("NA", "view")
        assert not isinstance(raised.value, UnauthorizedError)
        assert tokens.rejected == []
        assert sandbox.journal.count() == 1

    async def test_a_missing_scope_header_is_our_mistake(
        self, api_for: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        sandbox.faults.add("answer", status=401, json={"code": "401", "details": "Scope header is missing"})
        with pytest.raises(PermanentError):
            await api_for().profiles("NA", "view")
        assert sandbox.journal.count() == 1

    async def test_the_scope_of_another_region_is_forbidden(
        self, api_for: AdsApiFactory, sandbox: Sandbox
    ) -> None:
        (agency,) = sandbox.truth("alice")["dsp_advertisers"]
        with pytest.raises(ForbiddenError, match="No matching advertiser"):
            await everything(api_for().dsp_advertisers("EU", agency))
