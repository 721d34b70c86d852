"""One server may stand in place of Amazon's three hosts; then each region is answered with everything."""

from accounts.sync.rows import find_agencies, parse_profiles
from amazon_accounts.amazon_ads.answers import read_profiles


def profile(number: int, country: str, kind: str = "seller") -> dict[str, object]:
    return {"profileId": number, "countryCode": country, "accountInfo": {"id": f"E{number}", "type": kind}}


def test_a_profile_is_of_its_country_s_region_whichever_host_showed_it() -> None:
    items = read_profiles([profile(1, "US"), profile(2, "DE"), profile(3, "GB"), profile(4, "XX")]).items
    rows = parse_profiles(items, "NA", "view")
    assert [row.region for row in rows.profiles] == ["NA", "EU", "EU", "NA"]


def test_only_the_agencies_of_the_region_are_asked_there() -> None:
    items = read_profiles(
        [profile(1, "US", "agency"), profile(2, "JP", "agency"), profile(3, "XX", "agency")]
    ).items
    assert find_agencies(items, "NA") == ["1", "3"]
    assert find_agencies(items, "FE") == ["2", "3"]
