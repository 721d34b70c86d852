"""Which lists prove that an account is gone."""

import pytest

from accounts.models import Account
from accounts.sync.coverage import Coverage
from accounts.sync.listing import Listing, Outcome
from amazon_accounts.amazon_ads.answers import Rejected

ADS_ACCOUNTS, PROFILES = Account.Source.ADS_ACCOUNTS, Account.Source.PROFILES
DSP, MANAGERS = Account.Source.DSP_ADVERTISERS, Account.Source.MANAGER_ACCOUNTS


@pytest.fixture
def coverage() -> Coverage:
    return Coverage()


def read(
    coverage: Coverage, source: str, region: str, parent: str = "", outcome: Outcome = Outcome.COMPLETE
) -> Listing:
    listing = coverage.start_listing(source, region, parent)
    listing.end(outcome)
    return listing


def test_listings_are_numbered_and_ads_accounts_come_first(coverage: Coverage) -> None:
    coverage.start_listing(PROFILES, "EU")
    assert [(listing.number, listing.scope) for listing in coverage.listings] == [
        (0, "ads_accounts"),
        (1, "profiles:EU"),
    ]


def test_listings_that_start_during_an_iteration_are_included(coverage: Coverage) -> None:
    found = coverage.listings_of(DSP)
    first = coverage.start_listing(DSP, "EU", "1")
    assert next(found) is first
    second = coverage.start_listing(DSP, "EU", "2")
    assert list(found) == [second]


@pytest.mark.parametrize(
    ("outcome", "proves"),
    [(Outcome.COMPLETE, True), (Outcome.CUT, False), (Outcome.FORBIDDEN, False), (Outcome.FAILED, False)],
)
def test_only_a_complete_list_proves_absence(coverage: Coverage, outcome: Outcome, *, proves: bool) -> None:
    coverage.ads_accounts.end(outcome)
    assert coverage.proves_absence("ads_accounts") is proves


def test_an_unfinished_list_proves_nothing(coverage: Coverage) -> None:
    coverage.start_listing(MANAGERS, "EU")
    assert not coverage.proves_absence("ads_accounts")
    assert not coverage.proves_absence("manager_accounts:EU")


def test_a_list_with_an_unidentified_item_proves_nothing(coverage: Coverage) -> None:
    coverage.ads_accounts.end(Outcome.COMPLETE)
    coverage.ads_accounts.reject([Rejected("item 3", "It has no id.")])
    assert not coverage.proves_absence("ads_accounts")


@pytest.mark.parametrize(
    ("ads_accounts", "profiles", "proves"),
    [
        (Outcome.COMPLETE, Outcome.COMPLETE, True),
        # A login without permission to list ads accounts has profile-only accounts.
        (Outcome.FORBIDDEN, Outcome.COMPLETE, True),
        (Outcome.FAILED, Outcome.COMPLETE, False),
        (Outcome.CUT, Outcome.COMPLETE, False),
        (Outcome.COMPLETE, Outcome.CUT, False),
        (Outcome.COMPLETE, Outcome.FORBIDDEN, False),
    ],
)
def test_profiles_prove_absence_only_if_the_ads_accounts_are_known(
    coverage: Coverage, ads_accounts: Outcome, profiles: Outcome, *, proves: bool
) -> None:
    coverage.ads_accounts.end(ads_accounts)
    read(coverage, PROFILES, "EU", outcome=profiles)
    assert coverage.proves_absence("profiles:EU") is proves


def test_a_region_that_was_not_read_proves_nothing(coverage: Coverage) -> None:
    coverage.ads_accounts.end(Outcome.COMPLETE)
    assert not coverage.proves_absence("profiles:FE")
    assert not coverage.proves_absence("manager_accounts:FE")
    assert not coverage.proves_absence("dsp_advertisers:FE:1")


def test_the_advertisers_of_an_agency_that_is_gone_are_gone(coverage: Coverage) -> None:
    read(coverage, PROFILES, "EU")
    coverage.shown_profiles["EU"] = {"1"}
    assert coverage.proves_absence("dsp_advertisers:EU:2")
    assert not coverage.proves_absence("dsp_advertisers:EU:1"), "the profile is there, but was not asked"


def test_the_advertisers_of_an_agency_stay_if_the_profiles_are_incomplete(coverage: Coverage) -> None:
    read(coverage, PROFILES, "EU", outcome=Outcome.FAILED)
    coverage.shown_profiles["EU"] = set()
    assert not coverage.proves_absence("dsp_advertisers:EU:2")


def test_the_listing_of_an_agency_decides_about_its_advertisers(coverage: Coverage) -> None:
    read(coverage, PROFILES, "EU")
    read(coverage, DSP, "EU", "1")
    read(coverage, DSP, "EU", "2", Outcome.FAILED)
    assert coverage.proves_absence("dsp_advertisers:EU:1")
    assert not coverage.proves_absence("dsp_advertisers:EU:2")


def test_links_stay_if_the_manager_account_may_have_more_links(coverage: Coverage) -> None:
    read(coverage, MANAGERS, "EU")
    coverage.cut_managers["EU"] = {"cut"}
    assert coverage.proves_absence("manager_accounts:EU")
    assert coverage.proves_absence("manager_accounts:EU:whole")
    assert not coverage.proves_absence("manager_accounts:EU:cut")


@pytest.mark.parametrize(
    ("scope", "source"),
    [
        ("ads_accounts", "ads_accounts"),
        ("profiles:EU", "profiles:EU"),
        ("dsp_advertisers:EU:1", "dsp_advertisers:EU:1"),
        ("dsp_advertisers:EU:2", "profiles:EU"),
        ("manager_accounts:EU:1", "manager_accounts:EU"),
        ("profiles:FE", None),
        ("dsp_advertisers:FE:1", None),
    ],
)
def test_changes_are_counted_by_the_list_or_by_the_list_of_its_parents(
    coverage: Coverage, scope: str, source: str | None
) -> None:
    for each, region, parent in ((PROFILES, "EU", ""), (MANAGERS, "EU", ""), (DSP, "EU", "1")):
        read(coverage, each, region, parent)
    found = coverage.source_listing(scope)
    assert (found and found.scope) == source
