"""Answers about billing that no specification promises: each pair has one result, and nothing is answered by chance."""

import random
import unicodedata
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amazon_accounts.amazon_ads.answers import (
    AdvertiserMarketplace,
    BillingItemError,
    BillingNotice,
    BillingStatus,
    read_billing_notices,
    read_billing_statuses,
)
from amazon_accounts.amazon_ads.errors import UnreadableAnswerError

A, B, C = (AdvertiserMarketplace(f"ENTITY{letter}", "ATVPDKIKX0DER") for letter in "ABC")
VALID = {"billingStatusCode": "VALID_BILLING_STATUS"}
EXPIRED = {"billingStatusCode": "PAYMENT_METHOD_EXPIRED"}
GOOD, BAD = BillingStatus("VALID_BILLING_STATUS"), BillingStatus("PAYMENT_METHOD_EXPIRED")
ABSENT = object()


def name(pair: AdvertiserMarketplace) -> dict[str, str]:
    return {"advertiserId": pair.advertiser_id, "marketplaceId": pair.marketplace_id}


def item(index: object = ABSENT, named: object = ABSENT, **content: object) -> dict[str, object]:
    found = content or {"billingStatus": VALID}
    if index is not ABSENT:
        found["index"] = index
    if named is not ABSENT:
        found["advertiserMarketplace"] = name(named) if isinstance(named, AdvertiserMarketplace) else named
    return found


def read(
    *success: object, error: object = (), asked: tuple[AdvertiserMarketplace, ...] = (A, B)
) -> list[Any]:
    """Return the results in the order of the pairs, errors as their codes."""
    errors = list(error) if isinstance(error, tuple) else error
    results = read_billing_statuses({"success": list(success), "error": errors}, asked)
    assert list(results) == list(asked)
    return [each.code if isinstance(each, BillingItemError) else each for each in results.values()]


def read_notices(*listed: object) -> list[BillingNotice]:
    found = read_billing_notices({"success": [item(0, A, billingNotifications=list(listed))]}, [A])[A]
    assert not isinstance(found, BillingItemError), found
    return found


def refusal_of(listed: object) -> str:
    content = {} if listed is ABSENT else {"billingNotifications": listed}
    found = read_billing_notices({"success": [item(0, A, other=1, **content)]}, [A])[A]
    assert isinstance(found, BillingItemError), found
    assert found.code == "UNREADABLE"
    return found.description


class TestWhomAnItemIsAbout:
    def test_a_pair_that_is_not_mentioned_is_not_answered(self) -> None:
        assert read(item(1, B)) == ["NOT_ANSWERED", GOOD]

    @pytest.mark.parametrize("index", [0, "0", 0.0])
    def test_an_index_alone_is_enough(self, index: object) -> None:
        assert read(item(index)) == [GOOD, "NOT_ANSWERED"]

    def test_a_name_alone_is_enough(self) -> None:
        assert read(item(named=B), item(None, A)) == [GOOD, GOOD]

    @pytest.mark.parametrize("index", [2, 99, -1, 2**70, True, "first", "", "1.0", 0.5, [0], {}, "²"])
    def test_an_index_that_is_no_place_answers_nobody(self, index: object) -> None:
        assert read(item(index), item(1, B)) == ["NOT_ANSWERED", GOOD]
        assert read(item(index, A), item(1, B)) == ["CONTRADICTED", GOOD]

    def test_an_item_without_index_and_name_answers_nobody(self) -> None:
        assert read(item(), item(named={"advertiserId": "ENTITYA"}), item(named="ENTITYA")) == [
            "NOT_ANSWERED",
            "NOT_ANSWERED",
        ]

    def test_an_item_that_names_another_pair_than_its_index_answers_neither(self) -> None:
        assert read(item(0, B), asked=(A, B, C)) == ["CONTRADICTED", "CONTRADICTED", "NOT_ANSWERED"]
        assert read(item(0, B), item(0, A), item(1, B)) == ["CONTRADICTED", "CONTRADICTED"]

    def test_a_pair_that_nobody_asked_about_answers_nobody(self) -> None:
        assert read(item(named=C)) == ["NOT_ANSWERED", "NOT_ANSWERED"]
        assert read(item(0, C), item(1, B)) == ["CONTRADICTED", GOOD]

    def test_another_type_of_the_same_pair_cannot_be_told_by_its_name(self) -> None:
        typed = AdvertiserMarketplace(A.advertiser_id, A.marketplace_id, "SELLER")
        assert read(item(0, A), asked=(A, typed)) == [GOOD, "NOT_ANSWERED"]
        assert read(item(named=A), asked=(A, typed)) == ["CONTRADICTED", "CONTRADICTED"]

    def test_ids_of_digits_are_compared_as_numbers(self) -> None:
        pair = AdvertiserMarketplace("0042", "ATVPDKIKX0DER")
        named = {"advertiserId": 42, "marketplaceId": " ATVPDKIKX0DER "}
        assert read(item(0, named), asked=(pair,)) == [GOOD]

    def test_a_pair_that_is_answered_twice_alike_is_answered(self) -> None:
        assert read(item(0, A), item(0), item(1, B)) == [GOOD, GOOD]

    def test_a_pair_that_is_answered_in_two_ways_is_not_answered(self) -> None:
        other = item(0, A, billingStatus=EXPIRED)
        assert read(item(0, A), other, item(1, B)) == ["CONTRADICTED", GOOD]
        refused = {"index": 0, "errorCode": "NOT_FOUND"}
        assert read(item(0, A), item(1, B), error=(refused,)) == ["CONTRADICTED", GOOD]

    @pytest.mark.parametrize("entry", [None, 5, "x", [], [1]])
    def test_an_item_that_is_no_object_answers_nobody(self, entry: object) -> None:
        assert read(entry, item(1, B), error=(entry,)) == ["NOT_ANSWERED", GOOD]

    def test_what_belongs_to_nobody_is_logged_as_a_number(self, caplog: pytest.LogCaptureFixture) -> None:
        read(item(99), item(named=C), None)
        (record,) = caplog.records
        assert record.__dict__["number"] == 3
        assert "ENTITYC" not in caplog.text


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        "maintenance",
        5,
        {"items": []},
        {"success": {}},
        {"success": [], "error": {}},
        {"success": "no", "error": []},
    ],
)
def test_an_answer_that_is_none_is_the_error_of_the_request(value: object) -> None:
    with pytest.raises(UnreadableAnswerError):
        read_billing_statuses(value, [A])


def test_one_of_the_two_lists_is_enough() -> None:
    assert read_billing_statuses({"success": [item(0, A)]}, [A]) == {A: GOOD}
    refused = {"error": [{"index": 0, "errorCode": "NOT_FOUND"}], "success": None}
    result = read_billing_statuses(refused, [A])[A]
    assert result == BillingItemError("NOT_FOUND", "Amazon names no reason")


class TestStatus:
    def test_an_unknown_code_passes(self) -> None:
        new = item(0, A, billingStatus={"billingStatusCode": "A_NEW_CODE", "message": 7})
        assert read(new, asked=(A,)) == [BillingStatus("A_NEW_CODE", "")]

    @pytest.mark.parametrize(
        "status", [None, {}, [], "VALID_BILLING_STATUS", {"billingStatusCode": 1}, {"billingStatusCode": ""}]
    )
    def test_a_status_without_a_code_is_none(self, status: object) -> None:
        assert read(item(0, A, billingStatus=status), item(1, B)) == ["UNREADABLE", GOOD]

    @pytest.mark.parametrize("code", [None, 404, "", "\x00", ["NOT_FOUND"]])
    def test_an_error_without_a_code_gets_ours(self, code: object) -> None:
        assert read(error=({"index": 0, "errorCode": code},), asked=(A,)) == ["UNREADABLE"]

    def test_texts_are_clean_and_short(self) -> None:
        status = {"billingStatusCode": "X\x00\x1b[31m" + "Y" * 500, "message": "<b>Pay</b>\u202e now " * 1000}
        (result,) = read(item(0, A, billingStatus=status), asked=(A,))
        assert result.code.startswith("X [31mYYY")
        assert len(result.code) == 100
        assert result.message.startswith("Pay now Pay now")
        assert len(result.message) == 500


class TestNotices:
    def test_title_and_description_are_plain_text_and_cut(self) -> None:
        (notice,) = read_notices(
            {
                "notificationName": "N",
                "title": "<img src=x onerror=alert(1)>Pay " + "x" * 10_000,
                "description": "<script>alert(1)</script>Go to <a href='http://evil.test'>us</a>\n"
                + "y " * 10_000,
            }
        )
        assert notice.title.startswith("Pay xxx")
        assert len(notice.title) == 300
        assert notice.description.startswith("Go to us y y")
        assert len(notice.description) == 2000

    def test_a_token_in_a_text_is_masked(self) -> None:
        (notice,) = read_notices({"title": "Atza|IwEBIFake_access-token.0123456789"})
        assert notice.title == "***"

    def test_unknown_words_pass(self) -> None:
        (notice,) = read_notices({"notificationName": "NEW", "severity": "PANIC", "impact": "SLOWED"})
        assert (notice.name, notice.severity, notice.impact) == ("NEW", "PANIC", "SLOWED")

    def test_fields_that_are_absent_are_empty(self) -> None:
        assert read_notices({}, {"severity": None, "impact": None, "suspensionDate": None}) == [
            BillingNotice("")
        ]

    @pytest.mark.parametrize("field", ["severity", "impact"])
    @pytest.mark.parametrize("word", [1, True, ["CAMPAIGNS_SUSPENDED"], {}])
    def test_severity_and_impact_that_are_no_text_refuse_the_pair(self, field: str, word: object) -> None:
        assert field in refusal_of([{"notificationName": "N"}, {field: word}])

    @pytest.mark.parametrize("listed", [ABSENT, {}, "none", 0, False, [None], ["N"], [[]]])
    def test_a_list_that_is_none_refuses_the_pair(self, listed: object) -> None:
        refusal_of(listed)

    def test_null_is_an_empty_list(self) -> None:
        found = read_billing_notices({"success": [item(0, A, billingNotifications=None)]}, [A])
        assert found == {A: []}

    def test_their_order_does_not_depend_on_amazons(self) -> None:
        listed = [
            {"notificationName": "SUSPENDED", "impact": "CAMPAIGNS_SUSPENDED", "severity": "INFO"},
            {"notificationName": "SOON", "suspensionDate": "2026-12-01", "severity": "INFO"},
            {"notificationName": "LATER", "suspensionDate": "2026-12-15", "severity": "ALERT"},
            {"notificationName": "BAD", "severity": "ALERT"},
            {"notificationName": "NEW", "severity": "PANIC"},
            {"notificationName": "WARNING", "severity": "WARNING"},
            {"notificationName": "INFO", "severity": "INFO", "paymentDueDate": "2026-12-01"},
            {"notificationName": "ANOTHER", "severity": "INFO"},
        ]
        for _ in range(5):
            shuffled = random.sample(listed, len(listed))
            assert [notice.name for notice in read_notices(*shuffled)] == [
                each["notificationName"] for each in listed
            ]

    def test_the_same_notice_comes_once(self) -> None:
        assert len(read_notices(*[{"notificationName": "N", "impact": "CAMPAIGNS_SUSPENDED"}] * 500)) == 1

    def test_of_many_the_worst_are_kept(self) -> None:
        infos = [{"notificationName": f"I{place:03}", "severity": "INFO"} for place in range(400)]
        alerts = [{"notificationName": f"A{place:03}", "severity": "ALERT"} for place in range(99)]
        stopped = {"notificationName": "Z", "severity": "INFO", "impact": "CAMPAIGNS_SUSPENDED"}
        kept = [notice.name for notice in read_notices(*infos, *alerts, stopped)]
        assert kept == ["Z", *(alert["notificationName"] for alert in alerts)]

    def test_no_notice_of_a_suspension_is_dropped(self) -> None:
        urgent = [
            {"notificationName": f"S{place:03}", "impact": "CAMPAIGNS_SUSPENDED"} for place in range(150)
        ]
        dated = [{"notificationName": f"D{place:03}", "suspensionDate": "2026-12-01"} for place in range(150)]
        alerts = [{"notificationName": f"A{place:03}", "severity": "ALERT"} for place in range(200)]
        kept = {notice.name for notice in read_notices(*alerts, *dated, *urgent)}
        assert kept == {each["notificationName"] for each in (*urgent, *dated)}

    def test_more_than_a_thousand_refuse_the_pair(self) -> None:
        assert "more than 1,000" in refusal_of([{"notificationName": str(place)} for place in range(1001)])


class TestDates:
    @pytest.mark.parametrize(
        ("date", "moment"),
        [
            ("2026-12-15T00:00:00Z", datetime(2026, 12, 15, tzinfo=UTC)),
            ("2026-12-15T01:30:00.250+01:00", datetime(2026, 12, 15, 0, 30, 0, 250_000, tzinfo=UTC)),
            ("2026-12-15T08:00:00", datetime(2026, 12, 15, 8, tzinfo=UTC)),
            ("2026-12-15", datetime(2026, 12, 15, tzinfo=UTC)),
            ("1999-01-01T00:00:00Z", datetime(1999, 1, 1, tzinfo=UTC)),
            # Every time zone can show it.
            ("9999-12-31T23:59:59Z", datetime(9999, 12, 30, 23, 59, 59, tzinfo=UTC)),
            ("9999-01-01T00:00:00Z", datetime(9999, 1, 1, tzinfo=UTC)),
            ("0001-01-01T00:00:00Z", datetime(1, 1, 2, tzinfo=UTC)),
            ("", None),
            (None, None),
        ],
    )
    def test_a_date_without_zone_is_in_utc(self, date: str | None, moment: datetime | None) -> None:
        (notice,) = read_notices({"paymentDueDate": date, "suspensionDate": date})
        assert (notice.due_at, notice.suspension_at) == (moment, moment)

    MALFORMED = pytest.mark.parametrize(
        "date",
        [
            "soon",
            "2026-02-30",
            "9999-12-31T23:59:59-12:00",
            "0001-01-01T00:00:00+12:00",
            "10000-01-01",
            "2026-12-15T00:00:00Z" + " " * 100,
            1_800_000_000,
            True,
            ["2026-12-15"],
            {},
            "\ud800",
        ],
    )

    @MALFORMED
    def test_a_notice_is_kept_without_a_due_date_that_is_none(self, date: object) -> None:
        assert read_notices({"notificationName": "N", "paymentDueDate": date}) == [BillingNotice("N")]

    @MALFORMED
    def test_a_suspension_date_that_is_none_refuses_the_pair(self, date: object) -> None:
        assert "suspension date" in refusal_of([{"severity": "WARNING", "suspensionDate": date}])

    @MALFORMED
    @pytest.mark.parametrize(
        "notice", [BillingNotice("N", severity="ALERT"), BillingNotice("N", impact="CAMPAIGNS_SUSPENDED")]
    )
    def test_but_not_where_the_notice_is_as_bad_without_it(self, date: object, notice: BillingNotice) -> None:
        said = {"notificationName": "N", "severity": notice.severity, "impact": notice.impact}
        assert read_notices({**said, "suspensionDate": date}) == [notice]


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=20),
    st.dates().map(str),
)
words = st.sampled_from(
    [
        "success",
        "error",
        "index",
        "advertiserMarketplace",
        "advertiserId",
        "marketplaceId",
        "billingStatus",
        "billingStatusCode",
        "billingNotifications",
        "errorCode",
        "severity",
        "impact",
        "title",
        "suspensionDate",
        "paymentDueDate",
    ]
)
any_json = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=4)),
    max_leaves=15,
)
notices = st.fixed_dictionaries(
    {},
    optional={
        "notificationName": scalars,
        "severity": st.sampled_from(["ALERT", "INFO", "NEW", None]) | scalars,
        "impact": st.sampled_from(["CAMPAIGNS_SUSPENDED", "NO_IMPACT", None]) | scalars,
        "title": st.text() | scalars,
        "suspensionDate": st.datetimes().map(datetime.isoformat) | scalars,
        "paymentDueDate": st.datetimes().map(datetime.isoformat) | scalars,
    },
)
items = st.fixed_dictionaries(
    {},
    optional={
        "index": st.integers(min_value=-1, max_value=4) | any_json,
        "advertiserMarketplace": st.sampled_from([name(pair) for pair in (A, B, C)]) | any_json,
        "billingStatus": st.sampled_from([VALID, EXPIRED]) | any_json,
        "billingNotifications": st.lists(notices | any_json, max_size=4) | any_json,
        "errorCode": st.sampled_from(["NOT_FOUND", "NOT_AUTHORIZED"]) | any_json,
    },
)
answers = st.one_of(
    any_json,
    st.fixed_dictionaries(
        {}, optional={"success": st.lists(items | any_json, max_size=5), "error": st.lists(items, max_size=3)}
    ),
)


@given(answers, st.lists(st.sampled_from([A, B, C]), unique=True))
def test_any_answer_gives_each_pair_one_result_or_is_unreadable(
    value: object, asked: list[AdvertiserMarketplace]
) -> None:
    for reader in (read_billing_statuses, read_billing_notices):
        try:
            results: Any = reader(value, asked)
        except UnreadableAnswerError:
            continue
        assert list(results) == asked
        for result in results.values():
            for each in result if isinstance(result, list) else [result]:
                assert isinstance(each, BillingStatus | BillingItemError | BillingNotice)
                texts = [text for text in vars(each).values() if isinstance(text, str)]
                assert all(len(text) <= 2000 for text in texts)
                assert not {unicodedata.category(c) for text in texts for c in text} & {"Cc", "Cf", "Cs"}


@given(st.lists(items, max_size=5), st.lists(st.sampled_from([A, B, C]), unique=True))
def test_no_pair_gets_an_answer_that_may_be_about_another(
    success: list[dict[str, Any]], asked: list[AdvertiserMarketplace]
) -> None:
    results = read_billing_statuses({"success": success}, asked)
    for place, pair in enumerate(asked):
        result = results[pair]
        if not isinstance(result, BillingStatus):
            continue
        others = [name(other) for other in (A, B, C) if other != pair]
        for entry in success:
            if type(entry.get("index")) is int and entry["index"] == place:
                assert isinstance(entry["billingStatus"], dict)
                assert entry.get("advertiserMarketplace") not in others
