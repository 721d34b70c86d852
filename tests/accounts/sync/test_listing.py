"""What a run reports about one of Amazon's lists."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Account, SyncRun
from accounts.sync.listing import (
    MAX_NAMED,
    Listing,
    Outcome,
    explanation,
    is_application_refused,
    is_only_postponed,
    is_unauthorized,
    state_of,
    totals,
)
from amazon_accounts.amazon_ads.answers import Rejected
from amazon_accounts.amazon_ads.errors import (
    ApplicationRefusedError,
    ForbiddenError,
    PostponedError,
    TransientError,
)
from amazon_accounts.amazon_ads.pacing.slots import CallStats
from tests.accounts.sync.runs import make_ended_listing

MOMENT = datetime(2026, 11, 28, 12, tzinfo=UTC)


def listing() -> Listing:
    return Listing(0, "profiles", "EU")


@pytest.mark.parametrize(
    ("parts", "scope"),
    [
        (("ads_accounts", "", ""), "ads_accounts"),
        (("profiles", "EU", ""), "profiles:EU"),
        (("dsp_advertisers", "EU", "1"), "dsp_advertisers:EU:1"),
    ],
)
def test_a_scope_names_list_region_and_agency(parts: tuple[str, str, str], scope: str) -> None:
    assert Listing(0, *parts).scope == scope


def test_an_error_is_kept_with_what_amazon_said() -> None:
    failed = listing()
    failed.fail(TransientError("Amazon answered 500.", status=500, code="INTERNAL", request_id="abc"))
    assert failed.outcome == Outcome.FAILED
    assert failed.errors == [
        {
            "kind": "transient",
            "message": "Amazon answered 500. (Amazon's request id: abc)",
            "status": 500,
            "code": "INTERNAL",
            "request_id": "abc",
        }
    ]


def test_a_forbidden_list_does_not_fail() -> None:
    forbidden = listing()
    forbidden.fail(ForbiddenError("No."))
    assert forbidden.outcome == Outcome.FORBIDDEN
    assert forbidden.is_unread
    assert not forbidden.is_usable


def test_a_postponed_list_has_the_end_of_its_wait() -> None:
    postponed = listing()
    postponed.fail(PostponedError(MOMENT, "Wait"))
    assert (postponed.outcome, postponed.postponed_until) == (Outcome.FAILED, MOMENT)
    assert is_only_postponed([postponed])
    assert not is_only_postponed([postponed, make_ended_listing(outcome=Outcome.FAILED)])
    assert not is_only_postponed([])


def test_a_noted_error_does_not_end_the_listing() -> None:
    noted = listing()
    noted.note(TransientError("Down."))
    assert noted.outcome is None
    noted.end(Outcome.COMPLETE)
    assert noted.proves_absence


def test_an_unconfirmed_listing_has_failed_but_counts_as_read() -> None:
    doubtful = make_ended_listing()
    doubtful.mark_unconfirmed(1_200)
    assert doubtful.outcome == Outcome.FAILED
    assert not doubtful.is_unread
    assert "no longer shows 1,200 accounts." in doubtful.errors[-1]["message"]
    one = make_ended_listing()
    one.mark_unconfirmed(1)
    assert "no longer shows 1 account." in one.errors[-1]["message"]


@given(st.lists(st.integers(0, 40), max_size=6))
def test_all_bad_items_are_counted_and_the_first_are_named(batches: list[int]) -> None:
    bad = listing()
    names = [f"id-{number}" for number in range(sum(batches))]
    rest = iter(names)
    for size in batches:
        bad.reject([Rejected(next(rest), "It is bad.") for _ in range(size)])
    assert bad.rejected == len(names)
    assert [item.identifier for item in bad.rejected_items] == names[:MAX_NAMED]
    assert not bad.is_incomplete


def test_an_unidentified_item_makes_a_listing_incomplete() -> None:
    bad = make_ended_listing()
    bad.reject([Rejected("item 1", "It has no id.")])
    assert bad.is_incomplete
    assert not bad.proves_absence


def test_omissions_are_listed_up_to_a_limit() -> None:
    large = listing()
    large.note_omissions([f"Part {number}" for number in range(MAX_NAMED + 5)])
    large.note_omissions(["one more"])
    assert len(large.errors) == MAX_NAMED
    assert large.errors[0] == {"kind": "left_out", "message": "Part 0"}


def test_the_data_of_a_listing_adds_up_its_calls() -> None:
    asked = make_ended_listing("dsp_advertisers", region="EU", profile_id="1")
    asked.calls = [
        CallStats(requests=2, throttled=1, waited_seconds=0.25),
        CallStats(requests=3, throttled=0, waited_seconds=0.5),
    ]
    data = asked.as_data()
    assert (data["requests"], data["throttled"], data["waited_seconds"]) == (5, 1, 0.75)
    assert (data["source"], data["region"], data["profile_id"]) == ("dsp_advertisers", "EU", "1")
    assert "profile_id" not in make_ended_listing().as_data()
    assert make_ended_listing().as_data()["region"] is None


def test_the_time_of_a_listing_stops_when_it_ends() -> None:
    ended = make_ended_listing()
    assert ended.seconds == ended.seconds
    running = listing()
    assert running.seconds <= running.seconds


counts = st.integers(0, 1000)


@given(st.lists(st.tuples(counts, counts, counts, counts, counts), max_size=5))
def test_the_totals_of_a_run_are_sums(numbers: list[tuple[int, int, int, int, int]]) -> None:
    listings = []
    for created, changed, unchanged, gone, rejected in numbers:
        each = make_ended_listing()
        each.created, each.changed, each.unchanged = created, changed, unchanged
        each.gone, each.rejected = gone, rejected
        each.calls = [CallStats(requests=1)]
        listings.append(each)
    found = totals(listings)
    assert found["seen"] == found["created"] + found["changed"] + found["unchanged"]
    assert found["gone"] == sum(number[3] for number in numbers)
    assert found["rejected"] == sum(number[4] for number in numbers)
    assert found["requests"] == len(numbers)


OUTCOMES = st.lists(st.sampled_from(Outcome), max_size=6)


@given(OUTCOMES)
def test_a_run_fails_if_and_only_if_no_list_is_usable(outcomes: list[Outcome]) -> None:
    state = state_of([make_ended_listing("profiles", outcome, "EU") for outcome in outcomes])
    usable = {Outcome.COMPLETE, Outcome.CUT} & set(outcomes)
    if not usable:
        assert state == SyncRun.State.FAILED
    elif Outcome.FAILED in outcomes:
        assert state == SyncRun.State.PARTIAL
    else:
        assert state == SyncRun.State.SUCCEEDED


def test_a_refused_list_of_ads_accounts_is_no_success() -> None:
    refused, read = make_ended_listing(outcome=Outcome.FORBIDDEN), make_ended_listing("profiles", region="EU")
    assert state_of([refused, read]) == SyncRun.State.PARTIAL
    assert state_of([refused]) == SyncRun.State.FAILED


def test_the_application_counts_as_refused_only_if_it_is_the_reason_of_every_failure() -> None:
    refused, down = listing(), listing()
    refused.fail(ApplicationRefusedError("invalid_client"))
    down.fail(TransientError("Down."))
    assert is_application_refused([refused])
    assert is_application_refused([refused, make_ended_listing()])
    assert not is_application_refused([refused, down])
    assert not is_application_refused([make_ended_listing()])
    assert not is_application_refused([])


@pytest.mark.parametrize(
    ("statuses", "expected"), [([401, 401], True), ([401, 403], False), ([401, None], False), ([], False)]
)
def test_a_login_is_unauthorized_when_every_list_answers_401(
    statuses: list[int | None], *, expected: bool
) -> None:
    listings = []
    for status in statuses:
        each = listing()
        if status is None:
            each.end(Outcome.COMPLETE)
        else:
            each.fail(ForbiddenError("No.", status=status))
        listings.append(each.as_data())
    assert is_unauthorized(listings) is expected


def test_a_partial_run_explains_its_failed_lists_without_repetition() -> None:
    listings = [make_ended_listing(Account.Source.ADS_ACCOUNTS)]
    for region in ("EU", "FE"):
        down = Listing(1, "manager_accounts", region)
        down.fail(TransientError("Amazon is down."))
        listings.append(down)
    forbidden = Listing(3, "profiles", "NA")
    forbidden.fail(ForbiddenError("Not yours."))
    assert explanation([*listings, forbidden]) == "manager accounts EU, manager accounts FE: Amazon is down."


def test_a_failed_run_explains_its_forbidden_lists() -> None:
    forbidden = listing()
    forbidden.fail(ForbiddenError("Not yours."))
    assert explanation([forbidden]) == "profiles EU: Not yours."


def test_a_succeeded_run_has_no_explanation() -> None:
    assert explanation([make_ended_listing()]) == ""
    assert explanation([]) == ""


def test_the_identifier_of_a_rejected_item_is_shown_without_markup() -> None:
    listing = Listing(0, Account.Source.ADS_ACCOUNTS)
    listing.reject([Rejected("<i>1</i>\u202e2", "Its name is longer than 2,000 bytes.")])
    assert listing.as_data()["rejected_items"][0]["identifier"] == "1 2"
    assert listing.rejected_items[0].identifier == "<i>1</i>\u202e2"
