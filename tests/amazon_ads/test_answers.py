"""Answers that no sandbox gives; what Amazon's look like is in test_client.py."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amazon_accounts.amazon_ads.answers import (
    AdsAccount,
    Page,
    Rejected,
    read_ads_accounts,
    read_dsp_advertisers,
    read_manager_accounts,
    read_profiles,
    split_ads_accounts,
)
from amazon_accounts.amazon_ads.errors import UnreadableAnswerError

ACCOUNT = {"adsAccountId": "amzn1.ads-account.g.a"}


def listed(value: object) -> tuple[Page[AdsAccount], str]:
    entries, token = split_ads_accounts(value)
    return read_ads_accounts(entries), token


def test_an_account_of_nothing_but_its_id_passes() -> None:
    page, token = listed({"adsAccounts": [ACCOUNT]})
    account = page.items[0]
    assert (account.account_name, account.status, account.country_codes, account.alternate_ids) == (
        "",
        "",
        [],
        [],
    )
    assert account.raw == ACCOUNT
    assert token == ""


def test_nulls_count_as_absent() -> None:
    entry = {
        **ACCOUNT,
        "accountName": None,
        "status": None,
        "countryCodes": None,
        "alternateIds": [{"countryCode": None, "profileId": None, "entityId": ""}],
        "errors": None,
    }
    page, token = listed({"adsAccounts": [entry], "nextToken": None})
    assert not page.rejected
    assert page.items[0].alternate_ids[0].profile_id is None
    assert page.items[0].alternate_ids[0].entity_id is None
    assert token == ""


def test_a_field_called_raw_does_no_harm() -> None:
    page, _ = listed({"adsAccounts": [{**ACCOUNT, "raw": 5}]})
    assert page.items[0].raw == {**ACCOUNT, "raw": 5}


@pytest.mark.parametrize(
    ("profile_id", "text"),
    [
        (3184501772934416, "3184501772934416"),
        ("3184501772934416", "3184501772934416"),
        (2**64 - 1, "18446744073709551615"),
        (3.184501772934416e15, "3184501772934416"),
        (" 003184501772934416 ", "3184501772934416"),
        ("9" * 21, "9" * 21),
        ("A0", "A0"),
    ],
)
def test_ids_are_text_however_they_came(profile_id: object, text: str) -> None:
    page = read_profiles([{"profileId": profile_id}])
    assert page.items[0].profile_id == text


def test_a_broken_item_is_set_aside_and_the_others_pass() -> None:
    good = {"profileId": 1}
    page = read_profiles(
        [good, {"profileId": 2, "timezone": 7}, {"countryCode": "US"}, None, {"profileId": True}, good]
    )
    assert [item.profile_id for item in page.items] == ["1", "1"]
    assert page.rejected == [
        Rejected("2", "Expected `str`, got `int` - at `$.timezone`"),
        Rejected("item 3", "Object missing required field `profileId`"),
        Rejected("item 4", "It is not an object"),
        Rejected("item 5", "Expected `str`, got `bool` - at `$.profileId`"),
    ]


def test_an_empty_id_is_none() -> None:
    page, _ = listed({"adsAccounts": [{"adsAccountId": ""}]})
    assert page.rejected == [Rejected("item 1", "Its `adsAccountId` is empty")]


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        (340.1, Decimal("340.1")),
        (999999999, Decimal(999999999)),
        ("12.50", Decimal("12.50")),
        ("much", None),
        (None, None),
        (True, None),
        ([], None),
        (10**30, None),
        ("NaN", None),
    ],
)
def test_an_odd_budget_does_not_cost_the_profile(budget: object, expected: Decimal | None) -> None:
    page = read_profiles([{"profileId": 1, "dailyBudget": budget}])
    assert page.items[0].daily_budget == expected


def test_the_profile_cap_is_noticed() -> None:
    assert not read_profiles([{"profileId": n} for n in range(4999)]).cut
    assert read_profiles([{"profileId": n} for n in range(5000)]).cut


def test_fifty_links_may_be_more() -> None:
    def manager(links: int) -> dict[str, Any]:
        link = {"accountId": "A", "profileId": "1", "dspAdvertiserId": ""}
        return {"managerAccountId": f"amzn1.ads1.ma1.{links}", "linkedAccounts": [link] * links}

    page = read_manager_accounts({"managerAccounts": [manager(49), manager(50)]})
    assert [item.perhaps_cut for item in page.items] == [False, True]
    assert page.items[0].linked_accounts[0].dsp_advertiser_id is None
    assert not page.cut


@pytest.mark.parametrize(
    "errors", [{"MX": [{"errorCode": "INELIGIBLE"}]}, {"MX": [None, 3, []]}, ["failed"], "failed", 0, None]
)
def test_errors_of_any_shape_pass_unread(errors: object) -> None:
    page, _ = listed({"adsAccounts": [{**ACCOUNT, "errors": errors}]})
    assert page.items[0].raw["errors"] == errors


@pytest.mark.parametrize(
    "value",
    [[{"adsAccount": ACCOUNT}], {"adsAccounts": [{"adsAccount": ACCOUNT}]}, [ACCOUNT]],
)
def test_it_reads_the_shapes_of_the_guide(value: object) -> None:
    page, token = listed(value)
    assert [item.ads_account_id for item in page.items] == [ACCOUNT["adsAccountId"]]
    assert page.items[0].raw == ACCOUNT
    assert token == ""


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (split_ads_accounts, "maintenance"),
        (split_ads_accounts, {}),
        (split_ads_accounts, {"adsAccounts": {}}),
        (split_ads_accounts, {"adsAccounts": [], "nextToken": 5}),
        (read_profiles, {}),
        (read_profiles, None),
        (read_manager_accounts, []),
        (read_manager_accounts, {"managerAccounts": None}),
        (read_dsp_advertisers, {"totalResults": True, "response": []}),
        (read_dsp_advertisers, {"totalResults": 1}),
    ],
)
def test_an_answer_that_is_none_is_named(read: Any, value: object) -> None:
    with pytest.raises(UnreadableAnswerError):
        read(value)


def test_a_list_of_advertisers_need_not_count_them() -> None:
    page, total = read_dsp_advertisers({"response": [{"advertiserId": 7}]})
    assert ([item.advertiser_id for item in page.items], total) == (["7"], None)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(
                st.sampled_from(
                    [
                        "adsAccountId",
                        "adsAccount",
                        "alternateIds",
                        "profileId",
                        "errors",
                        "countryCodes",
                        "accountInfo",
                    ]
                ),
                st.text(max_size=3),
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@given(st.lists(json_values, max_size=4))
def test_every_item_is_either_read_or_set_aside(entries: list[object]) -> None:
    page, _ = listed({"adsAccounts": entries})
    assert len(page.items) + len(page.rejected) == len(entries)
    profiles = read_profiles(entries)
    assert len(profiles.items) + len(profiles.rejected) == len(entries)
