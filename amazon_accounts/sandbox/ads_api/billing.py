"""`/billing/statuses` and `/billing/notifications`: whether advertisers can pay, and what Amazon will do if not."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from amazon_accounts.sandbox import answers
from amazon_accounts.sandbox.ads_api.context import Context
from amazon_accounts.sandbox.answers import Answer
from amazon_accounts.sandbox.world import MESSAGES, Billing, Login, Notification, Pair, Profile, World

ADVERTISER_TYPES = ("SELLER", "VENDOR", "AGENCY", "DSP_ADVERTISING_ACCOUNT")
DESCRIPTIONS = {
    "BAD_REQUEST": "advertiserType is not valid.",
    "NOT_AUTHORIZED": "Not authorized to read the billing of this advertiser.",
    "NOT_FOUND": "Advertiser not found in this marketplace.",
}
AdvertiserMarketplace = dict[str, Any]


class BadPairsError(Exception):
    """The body does not name pairs of advertiser and marketplace as Amazon wants them."""


def list_billing_statuses(context: Context) -> Answer:
    try:
        asked = _read_pairs(context)
    except BadPairsError as error:
        return answers.billing_status_error(400, str(error))
    return _answer_pairs(context, asked, context.login.profiles, _write_status)


def list_billing_notifications(context: Context) -> Answer:
    profile_ids: Iterable[int] = context.login.profiles
    if (status := context.choices.notifications_without_account) != 200:
        if context.call.ads_account_id not in context.login.ads_accounts:
            text = "Amazon-Ads-AccountId is missing or names no account of this login."
            return answers.billing_notification_error(status, text)
        account = context.world.ads_accounts[context.call.ads_account_id]
        of_account = {each.profile_id for each in account.alternates}
        profile_ids = [each for each in context.login.profiles if each in of_account]
    try:
        asked = _read_pairs(context)
    except BadPairsError as error:
        return answers.billing_notification_error(400, str(error))
    return _answer_pairs(context, asked, profile_ids, _write_notifications)


def _read_pairs(context: Context) -> list[AdvertiserMarketplace]:
    """The pairs of the body. Raises BadPairsError."""
    try:
        request = json.loads(context.call.body)
    except (ValueError, RecursionError) as error:
        raise BadPairsError("Request body is not valid.") from error
    asked = request.get("advertiserMarketplaces") if isinstance(request, dict) else None
    most = context.choices.max_billing_pairs
    if not isinstance(asked, list) or not 1 <= len(asked) <= most:
        raise BadPairsError(f"advertiserMarketplaces must have between 1 and {most} items.")
    for each in asked:
        for name in ("advertiserId", "marketplaceId"):
            value = each.get(name) if isinstance(each, dict) else None
            if not isinstance(value, str) or not value:
                raise BadPairsError(f"{name} is missing.")
    return asked


def _answer_pairs(
    context: Context,
    asked: list[AdvertiserMarketplace],
    profile_ids: Iterable[int],
    write: Callable[[Billing, AdvertiserMarketplace], dict[str, Any]],
) -> Answer:
    """Answer each pair that belongs to one of these profiles of the login, and refuse each other pair."""
    found = _find_profiles(context, {_key(each) for each in asked}, profile_ids)
    success: list[dict[str, Any]] = []
    error: list[dict[str, Any]] = []
    for index, each in enumerate(asked):
        code = _refuse_pair(context, each, found.get(_key(each)))
        if code:
            error.append({"index": index, "errorCode": code, "description": DESCRIPTIONS[code]})
        else:
            names = ("advertiserId", "marketplaceId", "advertiserType")
            pair = {name: each[name] for name in names if each.get(name) is not None}
            billing = context.world.billing.get(_key(each), Billing())
            success.append({"index": index, "advertiserMarketplace": pair, **write(billing, pair)})
    # Amazon promises no order; a client that goes by the place of an item is always wrong here.
    return Answer(200, {"success": success[::-1], "error": error[::-1]})


def _key(asked: AdvertiserMarketplace) -> Pair:
    return asked["advertiserId"], asked["marketplaceId"]


def _find_profiles(context: Context, wanted: set[Pair], profile_ids: Iterable[int]) -> dict[Pair, Profile]:
    """The profile of each wanted pair; of several, one that the login may edit."""
    found: dict[Pair, Profile] = {}
    for profile_id in profile_ids:
        profile = context.world.profiles[profile_id]
        if profile.pair in wanted and (
            profile.pair not in found or context.login.profiles[profile_id] == "edit"
        ):
            found[profile.pair] = profile
    return found


def _refuse_pair(context: Context, asked: AdvertiserMarketplace, profile: Profile | None) -> str:
    """Amazon's errorCode for the pair, or an empty string."""
    if asked.get("advertiserType") not in {None, *ADVERTISER_TYPES}:
        return "BAD_REQUEST"
    is_here = profile is not None and (
        profile.region == context.call.region or context.choices.billing_of_other_regions == "answered"
    )
    if profile is None or not is_here:
        return "NOT_FOUND"
    return "" if context.login.profiles[profile.profile_id] == "edit" else "NOT_AUTHORIZED"


def describe_billing(profile: Profile, login: Login, world: World) -> dict[str, Any]:
    """What both operations say about the profile's pair, if the login asks in the right region."""
    pair = {"advertiserId": profile.account_id, "marketplaceId": profile.marketplace_id}
    description: dict[str, Any] = {"profileId": profile.profile_id, "advertiserMarketplace": pair}
    if login.profiles[profile.profile_id] != "edit":
        return description | {"errorCode": "NOT_AUTHORIZED"}
    billing = world.billing.get(profile.pair, Billing())
    return description | _write_status(billing, pair) | _write_notifications(billing, pair)


def _write_status(billing: Billing, _pair: AdvertiserMarketplace) -> dict[str, Any]:
    message = MESSAGES.get(billing.status_code) if billing.message is None else billing.message
    return {"billingStatus": {"billingStatusCode": billing.status_code, "message": message}}


def _write_notifications(billing: Billing, pair: AdvertiserMarketplace) -> dict[str, Any]:
    return {"billingNotifications": [_write_notification(each, pair) for each in billing.notifications]}


def _write_notification(notification: Notification, pair: AdvertiserMarketplace) -> dict[str, Any]:
    dates = {
        "paymentDueDate": notification.payment_due_date,
        "suspensionDate": notification.suspension_date,
    }
    return {
        "notificationName": notification.name,
        "severity": notification.severity,
        "impact": notification.impact,
        "priority": notification.priority,
        "title": notification.title,
        "description": notification.description,
        **{name: value for name, value in dates.items() if value is not None},
        "advertiserMarketplaces": [pair],
        **notification.extra,
    }
