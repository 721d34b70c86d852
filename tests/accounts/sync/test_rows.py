from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.sync.rows import (
    MAX_ID_BYTES,
    MAX_METADATA_BYTES,
    MAX_NAME_BYTES,
    find_agencies,
    parse_ads_accounts,
    parse_dsp_advertisers,
    parse_manager_accounts,
    parse_profiles,
)
from amazon_accounts.amazon_ads.answers import (
    read_ads_accounts,
    read_dsp_advertisers,
    read_manager_accounts,
    read_profiles,
)
from amazon_accounts.amazon_ads.hosts import Region
from amazon_accounts.amazon_ads.marketplaces import find_region_of_country, show_country

COUNTRIES = st.sampled_from(["US", "CA", "DE", "GB", "UK", "JP", "AU", "XX", ""])
IDS = st.integers(min_value=1, max_value=2**64 - 1)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
ALTERNATE_IDS = st.lists(
    st.fixed_dictionaries({"countryCode": COUNTRIES}, optional={"profileId": IDS, "entityId": NAMES}),
    max_size=8,
)


def make_profile(number: int, country: str, kind: str = "seller", subtype: str = "") -> dict[str, object]:
    return {
        "profileId": number,
        "countryCode": country,
        "accountInfo": {"id": f"E{number}", "type": kind, "subType": subtype},
    }


def make_ads_account(**fields: Any) -> dict[str, Any]:
    return {"adsAccountId": "A1", "accountName": "Shop", "status": "CREATED", **fields}


@given(name=NAMES, alternate_ids=ALTERNATE_IDS, countries=st.lists(COUNTRIES, max_size=5))
def test_the_four_profile_lists_of_a_row_have_one_entry_for_each_named_profile(
    name: str, alternate_ids: list[dict[str, Any]], countries: list[str]
) -> None:
    item = make_ads_account(accountName=name, alternateIds=alternate_ids, countryCodes=countries)
    page = read_ads_accounts([item])
    found = parse_ads_accounts(page.items, "ads_accounts")
    assert len(found.accounts) + len(found.rejected) + len(page.rejected) == 1
    for row in found.accounts:
        named = {str(each["profileId"]) for each in alternate_ids if "profileId" in each}
        assert set(row.profile_ids) == named
        assert len(row.profile_ids) == len(named)
        assert (
            len(row.profile_countries) == len(row.profile_regions) == len(row.profile_entities) == len(named)
        )
        assert row.countries == sorted(set(row.countries))
        assert "GB" not in row.countries
        assert row.name == name


@given(number=IDS, country=COUNTRIES, asked=st.sampled_from(["NA", "EU", "FE"]))
def test_a_profile_has_the_region_of_its_country_or_the_requested_region(
    number: int, country: str, asked: str
) -> None:
    items = read_profiles([make_profile(number, country)]).items
    (row,) = parse_profiles(items, asked, "edit").profiles
    assert row.region == (find_region_of_country(country) or asked)
    assert row.profile_id == str(number)
    assert row.country_code == show_country(country)


@given(country=st.text(max_size=3))
def test_a_region_is_one_of_amazons_or_unknown(country: str) -> None:
    assert find_region_of_country(country) in {*Region.values, ""}
    assert find_region_of_country("GB") == find_region_of_country("UK") == "EU"


@pytest.mark.parametrize("level", ["edit", "view", None])
def test_profiles_have_the_access_level_of_their_list(level: str | None) -> None:
    (row,) = parse_profiles(read_profiles([make_profile(1, "US")]).items, "NA", level).profiles
    assert row.access_level == level


def test_a_separate_entity_id_belongs_to_the_profile_of_its_country() -> None:
    item = make_ads_account(
        alternateIds=[
            {"countryCode": "US", "entityId": "ENTITY1"},
            {"countryCode": "DE", "entityId": "ENTITY2"},
            {"countryCode": "DE", "profileId": 2},
            {"countryCode": "US", "profileId": 1},
        ]
    )
    (row,) = parse_ads_accounts(read_ads_accounts([item]).items, "ads_accounts").accounts
    assert dict(zip(row.profile_ids, row.profile_entities, strict=True)) == {"1": "ENTITY1", "2": "ENTITY2"}


def test_two_profiles_of_one_country_take_its_entity_ids_in_order() -> None:
    item = make_ads_account(
        alternateIds=[
            {"countryCode": "US", "entityId": "ENTITY1"},
            {"countryCode": "US", "entityId": "ENTITY2"},
            {"countryCode": "US", "profileId": 1},
            {"countryCode": "US", "profileId": 2},
        ]
    )
    (row,) = parse_ads_accounts(read_ads_accounts([item]).items, "ads_accounts").accounts
    assert row.profile_entities == ["ENTITY1", "ENTITY2"]


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("CREATED", "active"),
        ("DISABLED", "inactive"),
        ("SUSPENDED", "suspended"),
        ("APPROVED", "active"),
        ("PARTIALLY_CREATED", "pending"),
        ("NEW_WORD", "unknown"),
    ],
)
def test_the_status_of_amazon_is_mapped_and_stored(word: str, status: str) -> None:
    items = read_ads_accounts([make_ads_account(status=word)]).items
    (row,) = parse_ads_accounts(items, "ads_accounts").accounts
    assert (row.status, row.amazon_status) == (status, word)


@pytest.mark.parametrize(
    ("errors", "stored"),
    [
        ({"US": [{"message": "No card"}]}, {"US": [{"message": "No card"}]}),
        ([{"message": "No card"}], {"": [{"message": "No card"}]}),
        (None, {}),
    ],
)
def test_errors_are_stored_by_country(errors: Any, stored: Any) -> None:
    items = read_ads_accounts([make_ads_account(errors=errors)]).items
    (row,) = parse_ads_accounts(items, "ads_accounts").accounts
    assert msgspec.json.decode(row.errors) == stored


@pytest.mark.parametrize(
    ("field", "longest"), [("accountName", MAX_NAME_BYTES), ("adsAccountId", MAX_ID_BYTES)]
)
def test_an_item_whose_name_or_id_is_too_long_is_rejected(field: str, longest: int) -> None:
    fitting, long = ("ä" * (longest // 2), "ä" * (longest // 2) + "a")
    items = read_ads_accounts([make_ads_account(**{field: fitting}), make_ads_account(**{field: long})]).items
    found = parse_ads_accounts(items, "ads_accounts")
    assert len(found.accounts) == len(found.rejected) == 1
    assert "longer than" in found.rejected[0].reason


def test_metadata_that_is_too_long_is_omitted_with_a_sentence() -> None:
    items = read_ads_accounts([make_ads_account(notes="x" * MAX_METADATA_BYTES)]).items
    found = parse_ads_accounts(items, "ads_accounts")
    assert found.accounts[0].metadata == "{}"
    (omission,) = found.omissions
    assert omission.startswith("The metadata of A1 has 262,")


def test_only_the_agencies_of_the_region_are_asked_for_advertisers() -> None:
    items = read_profiles(
        [make_profile(1, "US", "agency"), make_profile(2, "JP", "agency"), make_profile(3, "XX", "agency")]
    ).items
    assert find_agencies(items, "NA") == ["1", "3"]
    assert find_agencies(items, "FE") == ["2", "3"]


def test_attribution_profiles_and_sellers_are_no_agencies() -> None:
    items = read_profiles(
        [make_profile(1, "US", "agency", "AMAZON_ATTRIBUTION"), make_profile(2, "US")]
    ).items
    assert find_agencies(items, "NA") == []


def test_a_dsp_advertiser_is_an_account_of_type_advertiser() -> None:
    answer = {"response": [{"advertiserId": "7", "name": "Brand", "country": "GB"}], "totalResults": 1}
    page, _ = read_dsp_advertisers(answer)
    (row,) = parse_dsp_advertisers(page.items, "dsp_advertisers:EU:1").accounts
    assert (row.amazon_account_id, row.account_type, row.countries) == ("7", "advertiser", ["UK"])
    assert row.seen_in == ["dsp_advertisers:EU:1"]


def test_a_manager_account_and_its_linked_advertiser_have_different_scopes() -> None:
    entry = {
        "managerAccountId": "M1",
        "managerAccountName": "Agency",
        "linkedAccounts": [{"dspAdvertiserId": "7", "accountName": "Brand"}, {"profileId": "1"}],
    }
    page = read_manager_accounts({"managerAccounts": [entry]})
    found = parse_manager_accounts(page.items, "NA")
    manager, advertiser = found.accounts
    assert (manager.amazon_account_id, manager.seen_in) == ("M1", ["manager_accounts:NA"])
    assert (advertiser.amazon_account_id, advertiser.seen_in) == ("7", ["manager_accounts:NA:M1"])
    assert found.scopes == {"7": {"manager_accounts:NA:M1"}}
    assert [link["profile_id"] for link in msgspec.json.decode(manager.links or "")] == [None, "1"]


@pytest.mark.parametrize("field", ["name", "advertiserId"])
def test_a_dsp_advertiser_that_cannot_be_stored_is_rejected_alone(field: str) -> None:
    entries = [{"advertiserId": "7", "name": "Brand"}, {"advertiserId": "8", "name": "Other"}]
    entries[0][field] = "x" * (MAX_NAME_BYTES + 1)
    page, _ = read_dsp_advertisers({"response": entries, "totalResults": 2})
    found = parse_dsp_advertisers(page.items, "dsp_advertisers:EU:1")
    assert [row.amazon_account_id for row in found.accounts] == ["8"]
    assert [item.identifier for item in found.rejected] == [entries[0]["advertiserId"]]


def test_a_manager_account_that_cannot_be_stored_keeps_its_advertisers() -> None:
    entry = {
        "managerAccountId": "M1",
        "managerAccountName": "x" * (MAX_NAME_BYTES + 1),
        "linkedAccounts": [{"dspAdvertiserId": "7", "accountName": "Brand"}],
    }
    found = parse_manager_accounts(read_manager_accounts({"managerAccounts": [entry]}).items, "NA")
    assert [row.amazon_account_id for row in found.accounts] == ["7"]
    assert [item.identifier for item in found.rejected] == ["M1"]


def test_a_linked_advertiser_that_cannot_be_stored_is_rejected_alone() -> None:
    entry = {
        "managerAccountId": "M1",
        "managerAccountName": "Agency",
        "linkedAccounts": [
            {"dspAdvertiserId": "7", "accountName": "x" * (MAX_NAME_BYTES + 1)},
            {"dspAdvertiserId": "8", "accountName": "Brand"},
        ],
    }
    found = parse_manager_accounts(read_manager_accounts({"managerAccounts": [entry]}).items, "NA")
    assert [row.amazon_account_id for row in found.accounts] == ["M1", "8"]
    assert [item.identifier for item in found.rejected] == ["7"]
    # It is shown all the same, so its scope is known.
    assert found.scopes["7"] == {"manager_accounts:NA:M1"}


@pytest.mark.parametrize("where", ["name", "id", "marketplaceStringId"])
def test_a_profile_with_a_detail_that_is_too_long_is_rejected_alone(where: str) -> None:
    entries = [make_profile(1, "DE"), make_profile(2, "DE")]
    info = entries[0]["accountInfo"]
    assert isinstance(info, dict)
    info[where] = "x" * (MAX_NAME_BYTES + 1)
    found = parse_profiles(read_profiles(entries).items, "EU", "view")
    assert [row.profile_id for row in found.profiles] == ["2"]
    assert [item.identifier for item in found.rejected] == ["1"]
