"""/billing: statuses and notifications of pairs, and who is told."""

import json
from typing import Any

import pytest

from amazon_accounts.sandbox.world import MESSAGES, Notification, Profile, generated_world
from tests.sandbox.conftest import NOTIFICATIONS, STATUSES, AmazonCaller, name_pair

BOTH = pytest.mark.parametrize("operation", [STATUSES, NOTIFICATIONS], ids=["statuses", "notifications"])
Operation = tuple[str, str, str]


def profiles_of(amazon: AmazonCaller, login: str = "alice", region: str = "NA") -> list[Profile]:
    world = amazon.sandbox.world
    found = [world.profiles[each] for each in world.logins[login].profiles]
    return [each for each in found if each.region == region]


def error_codes(answer: Any) -> dict[int, str]:
    return {each["index"]: each["errorCode"] for each in answer.json()["error"]}


def profile_in(amazon: AmazonCaller, country: str, login: str = "alice") -> Profile:
    world = amazon.sandbox.world
    found = [world.profiles[each] for each in world.logins[login].profiles]
    return next(each for each in found if each.country_code == country)


async def test_a_pair_is_valid_and_has_no_notices_unless_something_is_set(amazon: AmazonCaller) -> None:
    profile = profile_in(amazon, "US")
    answer = await amazon.billing(STATUSES, profile)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == STATUSES[2]
    status = {"billingStatusCode": "VALID_BILLING_STATUS", "message": MESSAGES["VALID_BILLING_STATUS"]}
    item = {"index": 0, "advertiserMarketplace": name_pair(profile)}
    assert answer.json() == {"success": [{**item, "billingStatus": status}], "error": []}
    answer = await amazon.billing(NOTIFICATIONS, profile)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == NOTIFICATIONS[2]
    assert answer.json() == {"success": [{**item, "billingNotifications": []}], "error": []}


async def test_a_status_has_its_code_and_message(amazon: AmazonCaller) -> None:
    profile = profile_in(amazon, "US")
    amazon.sandbox.world.set_billing(profile, "PAYMENT_METHOD_EXPIRED")
    (item,) = (await amazon.billing(STATUSES, profile)).json()["success"]
    assert item["billingStatus"] == {
        "billingStatusCode": "PAYMENT_METHOD_EXPIRED",
        "message": "Your payment method has expired.",
    }
    amazon.sandbox.world.set_billing(profile, "NEW_CODE", message="New words")
    (item,) = (await amazon.billing(STATUSES, profile)).json()["success"]
    assert item["billingStatus"] == {"billingStatusCode": "NEW_CODE", "message": "New words"}


async def test_a_notice_has_the_fields_of_the_specification(amazon: AmazonCaller) -> None:
    profile = profile_in(amazon, "US")
    notice = Notification(
        "PAY_BY_INVOICE_OVERDUE_PAYMENT_PENDING_SUSPENSION",
        "ALERT",
        title="Pay",
        description="Soon",
        payment_due_date="2026-12-01T00:00:00Z",
        suspension_date="2026-12-15T00:00:00Z",
    )
    amazon.sandbox.world.set_billing(profile, "ACCOUNT_BILLING_ISSUE", notice, Notification("ACCOUNT_ERROR"))
    (item,) = (await amazon.billing(NOTIFICATIONS, profile)).json()["success"]
    first, second = item["billingNotifications"]
    assert first == {
        "notificationName": "PAY_BY_INVOICE_OVERDUE_PAYMENT_PENDING_SUSPENSION",
        "severity": "ALERT",
        "impact": "NO_IMPACT",
        "priority": 1,
        "title": "Pay",
        "description": "Soon",
        "paymentDueDate": "2026-12-01T00:00:00Z",
        "suspensionDate": "2026-12-15T00:00:00Z",
        "advertiserMarketplaces": [name_pair(profile)],
    }
    assert not {"paymentDueDate", "suspensionDate"} & set(second)


@BOTH
async def test_items_are_told_apart_by_index_alone(amazon: AmazonCaller, operation: Operation) -> None:
    amazon.sandbox.reset(generated_world(accounts_per_login=30, regions=("NA",)))
    asked = profiles_of(amazon, "login-1")
    items = (await amazon.billing(operation, *asked, login="login-1")).json()["success"]
    assert [each["index"] for each in items] != list(range(30))
    for index, profile in enumerate(asked):
        (item,) = [each for each in items if each["index"] == index]
        assert item["advertiserMarketplace"] == name_pair(profile)


@BOTH
async def test_a_pair_with_a_type_is_answered_with_it(amazon: AmazonCaller, operation: Operation) -> None:
    pair = name_pair(profile_in(amazon, "US")) | {"advertiserType": "SELLER"}
    answer = await amazon.billing(operation, body={"advertiserMarketplaces": [pair], "locale": "en_US"})
    assert answer.json()["success"][0]["advertiserMarketplace"] == pair


@BOTH
async def test_a_pair_that_the_login_cannot_see_is_not_found(
    amazon: AmazonCaller, operation: Operation
) -> None:
    known, foreign = profile_in(amazon, "US"), profile_in(amazon, "FR", "bob")
    unknown = {"advertiserId": "A0", "marketplaceId": known.marketplace_id}
    pairs = [unknown, name_pair(foreign), name_pair(known)]
    answer = await amazon.billing(operation, body={"advertiserMarketplaces": pairs})
    assert answer.status_code == 200
    assert error_codes(answer) == {0: "NOT_FOUND", 1: "NOT_FOUND"}
    assert [each["index"] for each in answer.json()["success"]] == [2]
    assert all(each["description"] for each in answer.json()["error"])


@BOTH
async def test_a_pair_of_another_region_is_not_found_unless_switched(
    amazon: AmazonCaller, operation: Operation
) -> None:
    pair = profile_in(amazon, "DE")
    assert error_codes(await amazon.billing(operation, pair, region="na")) == {0: "NOT_FOUND"}
    assert error_codes(await amazon.billing(operation, pair, region="eu")) == {}
    amazon.sandbox.choices.billing_of_other_regions = "answered"
    assert error_codes(await amazon.billing(operation, pair, region="na")) == {}


@BOTH
async def test_a_view_only_login_is_refused_for_that_pair_alone(
    amazon: AmazonCaller, operation: Operation
) -> None:
    view_only, own = profile_in(amazon, "DE", "bob"), profile_in(amazon, "FR", "bob")
    answer = await amazon.billing(operation, view_only, own, login="bob", region="eu")
    assert error_codes(answer) == {0: "NOT_AUTHORIZED"}
    assert [each["index"] for each in answer.json()["success"]] == [1]


@BOTH
async def test_of_two_profiles_of_one_pair_the_one_with_more_rights_counts(
    amazon: AmazonCaller, operation: Operation
) -> None:
    world = amazon.sandbox.world
    view_only, own = profile_in(amazon, "DE", "bob"), profile_in(amazon, "FR", "bob")
    own.account_id, own.marketplace_id = view_only.pair
    assert error_codes(await amazon.billing(operation, own, login="bob", region="eu")) == {}
    world.let_see(world.logins["bob"], profile_id=own.profile_id, level="view")
    answer = await amazon.billing(operation, own, login="bob", region="eu")
    assert error_codes(answer) == {0: "NOT_AUTHORIZED"}


@BOTH
async def test_an_unknown_advertiser_type_is_refused_for_that_pair_alone(
    amazon: AmazonCaller, operation: Operation
) -> None:
    pair = name_pair(profile_in(amazon, "US"))
    pairs = [pair | {"advertiserType": "seller"}, pair]
    answer = await amazon.billing(operation, body={"advertiserMarketplaces": pairs})
    assert error_codes(answer) == {0: "BAD_REQUEST"}
    assert [each["index"] for each in answer.json()["success"]] == [1]


PAIR = {"advertiserId": "A1", "marketplaceId": "M1"}


@BOTH
@pytest.mark.parametrize(
    "body",
    [
        "",
        "not JSON",
        "[]",
        "[" * 100_000,
        {},
        {"advertiserMarketplaces": PAIR},
        {"advertiserMarketplaces": []},
        {"advertiserMarketplaces": [PAIR] * 31},
        {"advertiserMarketplaces": [PAIR, "A1"]},
        {"advertiserMarketplaces": [PAIR, {"advertiserId": "A1"}]},
        {"advertiserMarketplaces": [PAIR, {"marketplaceId": "M1"}]},
        {"advertiserMarketplaces": [PAIR, PAIR | {"advertiserId": ""}]},
        {"advertiserMarketplaces": [PAIR, PAIR | {"marketplaceId": 7}]},
    ],
    ids=lambda body: str(body)[:60],
)
async def test_a_bad_body_is_refused_as_a_whole(
    amazon: AmazonCaller, operation: Operation, body: Any
) -> None:
    answer = await amazon.billing(operation, body=body)
    assert answer.status_code == 400
    assert answer.json()["message"]
    if operation == STATUSES:
        assert answer.headers["content-type"] == ("application/vnd.bulkgetbillingstatuserrorresponse.v1+json")
        assert set(answer.json()) == {"message"}
    else:
        assert answer.headers["content-type"] == "application/json"
        assert set(answer.json()) == {"code", "message"}
        assert answer.json()["code"] == "400"


@BOTH
async def test_the_maximum_of_pairs_is_30_unless_switched(amazon: AmazonCaller, operation: Operation) -> None:
    async def status(number: int) -> int:
        body = {"advertiserMarketplaces": [PAIR] * number}
        return (await amazon.billing(operation, body=body)).status_code

    assert [await status(30), await status(31)] == [200, 400]
    amazon.sandbox.choices.max_billing_pairs = 10
    assert [await status(10), await status(11)] == [200, 400]


@BOTH
async def test_billing_takes_and_gives_its_own_media_types_only(
    amazon: AmazonCaller, operation: Operation
) -> None:
    profile = profile_in(amazon, "US")
    for wrong in ("application/json", operation[2]):
        answer = await amazon.billing(operation, profile, Content_Type=wrong)
        assert (answer.status_code, answer.json()["details"]) == (415, "Cannot consume content type")
    assert (await amazon.billing(operation, profile, Accept="application/json")).status_code == 406
    answer = await amazon.billing(operation, profile, Content_Type=f"{operation[1]};charset=UTF-8")
    assert answer.status_code == 200


async def test_a_switch_lets_notifications_take_a_limit_alone(amazon: AmazonCaller) -> None:
    amazon.sandbox.faults.add("switch", path="/billing/notifications", max_billing_pairs=10)
    body = {"advertiserMarketplaces": [PAIR] * 11}
    assert (await amazon.billing(STATUSES, body=body)).status_code == 200
    assert (await amazon.billing(NOTIFICATIONS, body=body)).status_code == 400


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_switch_makes_notifications_ask_for_the_account_header(
    amazon: AmazonCaller, status: Any
) -> None:
    world = amazon.sandbox.world
    outdoor, living = (
        next(each for each in world.ads_accounts.values() if each.account_name == name)
        for name in ("Nordwind Outdoor", "Nordwind Living")
    )
    bikes = world.logins["bob"].ads_accounts[-1]
    own, other = profile_in(amazon, "US"), profile_in(amazon, "CA")
    amazon.sandbox.choices.notifications_without_account = status
    assert (await amazon.billing(STATUSES, own)).status_code == 200
    for headers in ({}, {"Amazon_Ads_AccountId": bikes}, {"Amazon_Ads_AccountId": "unknown"}):
        answer = await amazon.billing(NOTIFICATIONS, own, **headers)
        assert (answer.status_code, answer.json()["code"]) == (status, str(status))
    answer = await amazon.billing(NOTIFICATIONS, own, other, Amazon_Ads_AccountId=outdoor.ads_account_id)
    assert [each["index"] for each in answer.json()["success"]] == [0]
    assert error_codes(answer) == {1: "NOT_FOUND"}
    answer = await amazon.billing(NOTIFICATIONS, other, Amazon_Ads_AccountId=living.ads_account_id)
    assert answer.status_code == 200
    assert error_codes(answer) == {}


async def test_the_account_header_changes_nothing_unless_switched(amazon: AmazonCaller) -> None:
    answer = await amazon.billing(NOTIFICATIONS, profile_in(amazon, "US"), Amazon_Ads_AccountId="unknown")
    assert (answer.status_code, len(answer.json()["success"])) == (200, 1)


async def test_the_journal_names_the_account_header(amazon: AmazonCaller) -> None:
    await amazon.billing(NOTIFICATIONS, profile_in(amazon, "US"), Amazon_Ads_AccountId="amzn1.account")
    await amazon.billing(STATUSES, profile_in(amazon, "US"))
    assert [entry.ads_account_id for entry in amazon.sandbox.journal] == ["amzn1.account", ""]


async def test_the_truth_is_what_the_regions_answer(amazon: AmazonCaller) -> None:
    profile = profile_in(amazon, "US")
    amazon.sandbox.world.set_billing(profile, "ACCOUNT_BILLING_ISSUE", Notification("ACCOUNT_ERROR", "ALERT"))
    profile_in(amazon, "UK").has_campaigns = False
    for login in ("alice", "bob"):
        truth = amazon.sandbox.truth(login)["billing"]
        for region in ("NA", "EU", "FE"):
            asked = [each for each in profiles_of(amazon, login, region) if each.has_campaigns]
            assert [each["profileId"] for each in truth[region]] == [each.profile_id for each in asked]
            if not asked:
                continue
            for operation, name in ((STATUSES, "billingStatus"), (NOTIFICATIONS, "billingNotifications")):
                answer = await amazon.billing(operation, *asked, login=login, region=region.lower())
                answered = {each["index"]: each[name] for each in answer.json()["success"]}
                expected = {index: each[name] for index, each in enumerate(truth[region]) if name in each}
                assert answered == expected
                refused = {
                    index: each["errorCode"]
                    for index, each in enumerate(truth[region])
                    if "errorCode" in each
                }
                assert error_codes(answer) == refused


def hostile_notices() -> list[dict[str, Any]]:
    return [
        {"name": "N" * 10_000, "severity": "NEW", "impact": "NEW"},
        {"name": None, "severity": 7, "impact": ["CAMPAIGNS_SUSPENDED"], "priority": "high"},
        {
            "name": "DATES",
            "payment_due_date": "2026-12-01T00:00:00",
            "suspension_date": "9999-12-31T23:59:59Z",
        },
        {"name": "DATES", "payment_due_date": "1970-01-01T00:00:00Z", "suspension_date": 1},
        {
            "name": "MARKUP",
            "title": "<script>alert(1)</script>" + "x" * 10_000,
            "description": "\u202e\ud83d",
        },
        {"name": "FIELDS", "extra": {"title": None, "newField": {"deep": [1]}}},
    ]


async def test_hostile_values_are_sent_as_they_were_set(amazon: AmazonCaller) -> None:
    profile = profile_in(amazon, "US")
    notices = hostile_notices()
    notices += [{"name": "MANY"}] * (500 - len(notices))
    body = {"profile_id": profile.profile_id, "status_code": 7, "message": ["x"], "notifications": notices}
    answer = await amazon.http.post("/_sandbox/billing", content=json.dumps(body))
    assert answer.status_code == 200, answer.text
    (item,) = (await amazon.billing(STATUSES, profile)).json()["success"]
    assert item["billingStatus"] == {"billingStatusCode": 7, "message": ["x"]}
    (item,) = (await amazon.billing(NOTIFICATIONS, profile)).json()["success"]
    sent = item["billingNotifications"]
    assert len(sent) == 500
    assert len(sent[0]["notificationName"]) == 10_000
    assert (sent[1]["severity"], sent[1]["impact"]) == (7, ["CAMPAIGNS_SUSPENDED"])
    assert sent[2]["paymentDueDate"] == "2026-12-01T00:00:00"
    assert sent[2]["suspensionDate"] == "9999-12-31T23:59:59Z"
    assert sent[3]["suspensionDate"] == 1
    assert sent[4]["title"].startswith("<script>")
    assert sent[4]["description"] == "\u202e\ud83d"
    assert (sent[5]["title"], sent[5]["newField"]) == (None, {"deep": [1]})
