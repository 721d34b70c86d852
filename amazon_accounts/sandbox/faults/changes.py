"""Faults that spoil a good answer: cut bodies, unknown or missing fields, and page tokens that lead astray."""

import copy
from collections.abc import Callable
from typing import Any

from amazon_accounts.sandbox.answers import Answer
from amazon_accounts.sandbox.calls import Call
from amazon_accounts.sandbox.faults.failures import Options
from amazon_accounts.sandbox.login_with_amazon.grants import Grants


def _records(answer: Answer) -> list[Any]:
    payload = answer.payload
    if isinstance(payload, list):
        return payload
    if isinstance(payload, dict):
        for name in ("adsAccounts", "managerAccounts", "response", "success"):
            if name in payload:
                records: list[Any] = payload[name]
                return records
    return []


def _refused_items(answer: Answer) -> list[Any]:
    """The pairs that billing refuses."""
    payload = answer.payload
    return payload["error"] if isinstance(payload, dict) and "success" in payload else []


def _truncate(answer: Answer, _call: Call, _options: Options, _grants: Grants) -> None:
    whole = answer.render()
    answer.body = whole[: max(1, len(whole) * 2 // 3)]


def _drop_body(answer: Answer, _call: Call, _options: Options, _grants: Grants) -> None:
    answer.cut_after = len(answer.render()) // 2


def _dribble(answer: Answer, _call: Call, options: Options, _grants: Grants) -> None:
    answer.dribble = float(options.get("seconds", 10.0))


def _unknown_values(answer: Answer, _call: Call, _options: Options, _grants: Grants) -> None:
    # Values that Amazon may add later.
    for record in _records(answer):
        if "adsAccountId" in record:
            record["status"] = "SUSPENDED"
            record["countryCodes"] = [*record.get("countryCodes", []), "XX"]
        elif "accountInfo" in record:
            record |= {"countryCode": "XX", "currencyCode": "XXX", "timezone": "Mars/Olympus"}
            record["accountInfo"] |= {"type": "new_type", "subType": "NEW_SUB_TYPE"}
        elif "linkedAccounts" in record:
            for link in record["linkedAccounts"]:
                link["accountType"] = "NEW_TYPE"
        elif "advertiserId" in record:
            record |= {"country": "XX", "currency": "XXX", "timezone": "Mars/Olympus"}
        elif "billingStatus" in record:
            record["billingStatus"]["billingStatusCode"] = "NEW_BILLING_STATUS"
        elif "billingNotifications" in record:
            for notice in record["billingNotifications"]:
                notice |= {
                    "notificationName": "NEW_NOTICE",
                    "severity": "NEW_SEVERITY",
                    "impact": "NEW_IMPACT",
                }
    for item in _refused_items(answer):
        item["errorCode"] = "NEW_ERROR"


def _extra_fields(answer: Answer, _call: Call, _options: Options, _grants: Grants) -> None:
    extra = {"newField": {"nested": [1, None, True]}, "anotherNewField": "value"}
    for record in _records(answer):
        record.update(copy.deepcopy(extra))
    if isinstance(answer.payload, dict):
        answer.payload.update(extra)


def _missing_fields(answer: Answer, _call: Call, _options: Options, _grants: Grants) -> None:
    kept = {
        "adsAccountId",
        "profileId",
        "managerAccountId",
        "advertiserId",
        "accountInfo",
        "countryCode",
        "index",
    }
    for record in _records(answer):
        for name in set(record) - kept:
            del record[name]


def _missing_ids(answer: Answer, _call: Call, _options: Options, _grants: Grants) -> None:
    # A record without an id can only be rejected.
    for record in _records(answer)[:1]:
        for name in ("adsAccountId", "profileId", "managerAccountId", "advertiserId", "index"):
            record.pop(name, None)


def _ids_as_strings(answer: Answer, _call: Call, _options: Options, _grants: Grants) -> None:
    answer.payload = _swapped(answer.payload)


def _swapped(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _swapped(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_swapped(each, name) for each in value]
    if name in {"profileId", "advertiserId", "dspAdvertiserId"}:
        if isinstance(value, int):
            return str(value)
        if isinstance(value, str) and value.isdigit():
            return int(value)
    return value


def _odd_errors(answer: Answer, _call: Call, _options: Options, _grants: Grants) -> None:
    # Amazon does not document the shape of `errors`.
    shapes: list[Any] = [
        "failed",
        ["failed"],
        {"DE": "failed"},
        {"DE": {"errorCode": 7}},
        {"DE": [None, 3]},
        0,
        None,
    ]
    for number, record in enumerate(_records(answer)):
        if "adsAccountId" in record:
            record["errors"] = shapes[number % len(shapes)]


def _duplicate_record(answer: Answer, call: Call, _options: Options, grants: Grants) -> None:
    # On a list with pages, the next page begins with the last record of this page. On other lists the first
    # record comes twice.
    records = _records(answer)
    if (
        call.page_range is not None
        and len(records) > 1
        and call.login is not None
        and "nextToken" in answer.payload
    ):
        answer.payload["nextToken"] = grants.sign_page_token(call.login.login_id, call.page_range[1] - 1)
    elif call.page_range is None and records:
        records.append(copy.deepcopy(records[0]))


def _empty_page(answer: Answer, call: Call, _options: Options, grants: Grants) -> None:
    # The next page starts where this page would start, so that no record is lost.
    if call.page_range is not None and call.login is not None:
        answer.payload = {
            "adsAccounts": [],
            "nextToken": grants.sign_page_token(call.login.login_id, call.page_range[0]),
        }


def _repeating_token(answer: Answer, call: Call, options: Options, grants: Grants) -> None:
    # A client that follows this token reads the same page for ever.
    if call.page_range is not None and call.login is not None:
        token = call.page_token or grants.sign_page_token(call.login.login_id, call.page_range[0])
        answer.payload["nextToken"] = token


def _endless_walk(answer: Answer, call: Call, _options: Options, grants: Grants) -> None:
    # After the last page comes the first page again, each time under a new token.
    if call.page_range is not None and call.login is not None and not answer.payload.get("nextToken"):
        answer.payload["nextToken"] = grants.sign_page_token(call.login.login_id, 0)


def _billing_items(answer: Answer, options: Options) -> list[Any]:
    # The option `item` is the place of a pair in the request, or the id of an advertiser.
    if not isinstance(answer.payload, dict) or "success" not in answer.payload:
        return []
    item = options.get("item", 0)
    return [
        record
        for record in answer.payload["success"]
        if item in (record["index"], record["advertiserMarketplace"]["advertiserId"])
    ]


def _item_error(answer: Answer, _call: Call, options: Options, _grants: Grants) -> None:
    # Billing refuses the pair.
    for record in _billing_items(answer, options):
        answer.payload["success"].remove(record)
        answer.payload["error"].append(
            {
                "index": record["index"],
                "errorCode": options.get("code", "INTERNAL_ERROR"),
                "description": "Unexpected error during processing of this item.",
            }
        )


def _item_index(answer: Answer, _call: Call, options: Options, _grants: Grants) -> None:
    # The answer for the pair has another `index`, of any type, or none without that option.
    for record in _billing_items(answer, options):
        del record["index"]
        if "index" in options:
            record["index"] = options["index"]


def _item_of_other_pair(answer: Answer, _call: Call, options: Options, _grants: Grants) -> None:
    # The answer for the pair names an advertiser that nobody asked for.
    for record in _billing_items(answer, options):
        record["advertiserMarketplace"]["advertiserId"] = "ENTITYNOBODYASKED"


def _without(name: str) -> Callable[[Answer, Call, Options, Grants], None]:
    def change(answer: Answer, _call: Call, _options: Options, _grants: Grants) -> None:
        if isinstance(answer.payload, dict):
            answer.payload.pop(name, None)

    return change


CHANGES: dict[str, Callable[[Answer, Call, Options, Grants], None]] = {
    "truncated": _truncate,
    "drop_body": _drop_body,
    "dribble": _dribble,
    "unknown_values": _unknown_values,
    "extra_fields": _extra_fields,
    "missing_fields": _missing_fields,
    "missing_ids": _missing_ids,
    "ids_as_strings": _ids_as_strings,
    "odd_errors": _odd_errors,
    "duplicate_record": _duplicate_record,
    "empty_page": _empty_page,
    "repeating_token": _repeating_token,
    "endless_walk": _endless_walk,
    "item_error": _item_error,
    "item_index": _item_index,
    "item_of_other_pair": _item_of_other_pair,
    "no_access_token": _without("access_token"),
    "no_refresh_token": _without("refresh_token"),
}
