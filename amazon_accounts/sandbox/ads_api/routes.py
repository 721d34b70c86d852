"""The Ads API: accounts, profiles, manager accounts and DSP advertisers."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from amazon_accounts.sandbox import answers
from amazon_accounts.sandbox.answers import Answer
from amazon_accounts.sandbox.calls import Call
from amazon_accounts.sandbox.choices import Choices
from amazon_accounts.sandbox.clock import Clock
from amazon_accounts.sandbox.login_with_amazon.grants import Grants
from amazon_accounts.sandbox.world.entities import (
    AdsAccount,
    Alternate,
    DspAdvertiser,
    Link,
    Login,
    ManagerAccount,
    Profile,
    World,
)
from amazon_accounts.sandbox.world.geography import REGIONS

LIST_TYPE = "application/vnd.listaccountsresource.v1+json"
ACCOUNT_TYPE = "application/vnd.accountresource.v1+json"
MANAGER_TYPE = "application/vnd.getmanageraccountsresponse.v1+json"

PAGE_SIZE = 100
MOST_PROFILES = 5000
MOST_LINKS = 50
LAST_START_INDEX = 29_900
LEAST_BUDGET = 1.0

ACCOUNT_ID = re.compile(r"[A-Za-z0-9.-]+")
#: More digits than any id has, fewer than Python refuses to read.
NUMBER = re.compile(r"[0-9]{1,1000}")
API_PROGRAMS = ("billing", "campaign", "paymentMethod", "store", "report", "account", "posts")
PROFILE_TYPES = ("seller", "vendor", "agency")
INVALID_PARAMETERS = "Request failed because invalid parameters were provided. Ensure that all required parameters are provided."
NO_ACCESS = "User does not have sufficient access to perform this action."


@dataclass
class Desk:
    """What answering one call takes."""

    call: Call
    login: Login
    world: World
    grants: Grants
    clock: Clock
    choices: Choices


@dataclass(frozen=True)
class Operation:
    answer: Callable[[Desk], Answer]
    #: Media type of the answer, and of the body where there is one.
    produces: str = answers.JSON
    consumes: str = ""


class BadQueryError(Exception):
    """A query parameter has a value that it cannot have."""

    def __init__(self, name: str, rule: str = "") -> None:
        super().__init__(name)
        self.name = name
        self.rule = rule


def resource(path: str) -> dict[str, Operation] | None:
    """The operations of a path by method, or None if Amazon knows no such path."""
    for pattern, operations in RESOURCES:
        if pattern.fullmatch(path):
            return operations
    return None


def refuse_route(call: Call, choices: Choices) -> Answer | None:
    """Rows 1 and 2 of Amazon's checks: the path, then the method."""
    operations = resource(call.path)
    if operations is None:
        if choices.unknown_path == 403:
            return answers.missing_authentication_token()
        details = f"Could not find resource for full path: {call.url}"
        return answers.classic(404, "NOT_FOUND", details, call.rid)
    if call.method not in operations:
        if choices.wrong_method == 403:
            return answers.missing_authentication_token()
        answer = answers.classic(405, "405", "HTTP 405 Method Not Allowed", call.rid)
        answer.headers["Allow"] = ", ".join(operations)
        return answer
    return None


def respond(call: Call, world: World, grants: Grants, clock: Clock, choices: Choices) -> Answer:
    """Answer a call whose path and method are known."""
    operations = resource(call.path)
    assert operations is not None  # noqa: S101 - refuse_route has seen to it
    operation = operations[call.method]
    refusal = _refuse_token(call, world, grants, choices) or _refuse_media(call, operation, choices)
    if refusal is None:
        assert call.login is not None  # noqa: S101 - a token that passed has a login
        answer = operation.answer(Desk(call, call.login, world, grants, clock, choices))
        if answer.status < 300:
            answer.content_type = operation.produces
    else:
        answer = refusal
    if call.path == "/managerAccounts" and answer.status >= 400:
        answer = _manager_error(answer, choices)
    return answer


def _refuse_token(call: Call, world: World, grants: Grants, choices: Choices) -> Answer | None:
    unauthorized = answers.classic(401, "UNAUTHORIZED", "HTTP 401 Unauthorized", call.rid)
    failed = answers.classic(401, "401", "Authentication failed", call.rid)
    if not call.bearer():
        return unauthorized
    if not call.headers.get("amazon-advertising-api-clientid"):
        return answers.classic(401, "UNAUTHORIZED", "Invalid authorization inputs", call.rid)
    if call.credential != "valid" or call.token is None:
        return unauthorized
    grant = call.token.grant
    client = world.clients.get(grant.client_id)
    if client is None or client.client_id != call.client_id or not client.approved:
        return failed
    if not any("advertising" in scope for scope in grant.scopes):
        return failed
    if choices.after_revocation == "refused" and grants.is_revoked(grant):
        return unauthorized
    return None


def _refuse_media(call: Call, operation: Operation, choices: Choices) -> Answer | None:
    if operation.consumes:
        sent = media_type(call.headers.get("content-type", ""))
        is_plain = sent == answers.JSON and choices.plain_json_body == "accepted"
        if sent != operation.consumes and not is_plain:
            return answers.classic(415, "415", "Cannot consume content type", call.rid)
    if not accepts(call.headers.get("accept", ""), operation.produces):
        return answers.classic(406, "406", "HTTP 406 Not Acceptable", call.rid)
    return None


def media_type(header: str) -> str:
    return header.partition(";")[0].strip().lower()


def accepts(header: str, produced: str) -> bool:
    """Whether an Accept header lets this type through; a missing one does."""
    if not header.strip():
        return True
    for part in header.split(","):
        name, *parameters = (each.strip().lower() for each in part.split(";"))
        is_refused = any(re.fullmatch(r"q=0(\.0*)?", parameter) for parameter in parameters)
        if name in {produced, "*/*", "application/*"} and not is_refused:
            return True
    return False


def _manager_error(answer: Answer, choices: Choices) -> Answer:
    """The shape that the sibling operations of GET /managerAccounts document."""
    if choices.manager_errors == "empty":
        return Answer(answer.status, body=b"", headers=answer.headers)
    codes = {400: "BAD_REQUEST", 401: "UNAUTHORIZED", 403: "FORBIDDEN", 429: "TOO_MANY_REQUESTS"}
    if isinstance(answer.payload, dict) and "details" in answer.payload:
        code = codes.get(answer.status, answer.payload["code"])
        answer.payload = {"code": code, "message": answer.payload["details"]}
    return answer


# /adsAccounts


def _bad_input(text: str) -> Answer:
    return answers.account_list_error(400, "INVALID_INPUT", text)


def _list_ads_accounts(desk: Desk) -> Answer:
    try:
        request = json.loads(desk.call.body) if desk.call.body.strip() else {}
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict):
        return _bad_input("Request body is not valid.")
    size = request.get("maxResults", PAGE_SIZE)
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= PAGE_SIZE:
        return _bad_input("maxResults must be between 1 and 100.")
    start = _page_start(desk, request.get("nextToken"))
    if start is None:
        return _bad_input("nextToken is not valid.")
    if desk.login.barred:
        return answers.account_list_error(403, "ACCESS_DENIED", NO_ACCESS)
    return _ads_accounts_page(desk, start, size)


def _page_start(desk: Desk, token: object) -> int | None:
    """Where the page begins; None if the token is bad."""
    if token is None or token == "":
        return 0
    if not isinstance(token, str):
        return None
    desk.call.page_token = token
    return desk.grants.read_page_token(token, desk.login.login_id)


def _ads_accounts_page(desk: Desk, start: int, size: int) -> Answer:
    if desk.choices.list_shape == "array":
        # An array has no room for a token, so it holds all.
        size = len(desk.login.ads_accounts)
    end = min(start + size, len(desk.login.ads_accounts))
    records = [
        ads_account(desk.world.ads_accounts[each], desk.choices, desk.clock.now())
        for each in desk.login.ads_accounts[start:end]
    ]
    if desk.choices.list_shape == "array":
        return Answer(200, [{"adsAccount": record} for record in records])
    desk.call.walk = (start, end)
    payload: dict[str, Any] = {"adsAccounts": records}
    if end < len(desk.login.ads_accounts):
        payload["nextToken"] = desk.grants.sign_page_token(desk.login.login_id, end)
    elif desk.choices.end_of_list != "absent":
        payload["nextToken"] = "" if desk.choices.end_of_list == "empty" else None
    return Answer(200, payload)


def _get_ads_account(desk: Desk) -> Answer:
    ads_account_id = desk.call.path.removeprefix("/adsAccounts/")
    if not ACCOUNT_ID.fullmatch(ads_account_id):
        return answers.message(400, INVALID_PARAMETERS)
    if desk.login.barred:
        return answers.message(403, NO_ACCESS)
    if ads_account_id not in desk.login.ads_accounts:
        return answers.message(404, "Advertising Account not found.")
    account = desk.world.ads_accounts[ads_account_id]
    return Answer(200, {"adsAccount": ads_account(account, desk.choices, desk.clock.now())})


def _register_ads_account(_desk: Desk) -> Answer:
    return answers.account_list_error(403, "ACCESS_DENIED", NO_ACCESS)


def ads_account(account: AdsAccount, choices: Choices, now: float) -> dict[str, Any]:
    """An ads account as Amazon writes it."""
    record: dict[str, Any] = {"adsAccountId": account.ads_account_id}
    if account.account_name is not None:
        record["accountName"] = account.account_name
    if account.status is not None:
        record["status"] = account.status
    record["countryCodes"] = [_country(code, choices) for code in account.country_codes]
    shows_profiles = now >= account.created_at + choices.profile_id_delay_seconds
    merged = choices.alternate_ids == "merged" or (choices.alternate_ids == "mixed" and _is_even(account))
    record["alternateIds"] = [
        each
        for alternate in account.alternates
        for each in _alternate_ids(alternate, choices, merged=merged, shows_profiles=shows_profiles)
    ]
    if account.errors is not None:
        record["errors"] = account.errors
    return record | account.extra


def _is_even(account: AdsAccount) -> bool:
    return sum(account.ads_account_id.encode()) % 2 == 0


def _country(code: str, choices: Choices) -> str:
    return choices.united_kingdom if code == "UK" else code


def _alternate_ids(
    alternate: Alternate, choices: Choices, *, merged: bool, shows_profiles: bool
) -> list[dict[str, Any]]:
    country = {"countryCode": _country(alternate.country_code, choices)}
    parts: list[dict[str, Any]] = []
    if alternate.profile_id is not None and shows_profiles:
        parts.append({"profileId": _profile_id(alternate.profile_id, choices)})
    if alternate.entity_id is not None:
        parts.append({"entityId": alternate.entity_id})
    if merged:
        return [country | {name: value for part in parts for name, value in part.items()}] if parts else []
    return [country | part for part in parts]


def _profile_id(profile_id: int, choices: Choices) -> int | str:
    return str(profile_id) if choices.profile_id == "string" else profile_id


# /v2/profiles


def _list_profiles(desk: Desk) -> Answer:
    try:
        wanted = _profile_filter(desk)
    except BadQueryError as error:
        return answers.classic(400, "INVALID_ARGUMENT", f"Invalid value for {error.name}", desk.call.rid)
    found = [each for each in desk.login.profiles if wanted(each)][:MOST_PROFILES]
    return Answer(200, [profile(desk.world.profiles[each], desk.choices) for each in found])


def _profile_filter(desk: Desk) -> Callable[[int], bool]:
    query = desk.call.query
    one_of(query, "apiProgram", API_PROGRAMS, "campaign")
    level = one_of(query, "accessLevel", ("edit", "view"), desk.choices.default_access_level)
    paid = one_of(query, "validPaymentMethodFilter", ("true", "false"), "")
    types = set(query["profileTypeFilter"].split(",")) if "profileTypeFilter" in query else set(PROFILE_TYPES)
    if not types <= set(PROFILE_TYPES):
        raise BadQueryError("profileTypeFilter")
    all_types = "profileTypeFilter" not in query

    def is_wanted(profile_id: int) -> bool:
        found = desk.world.profiles[profile_id]
        return (
            found.region == desk.call.region
            and found.has_campaigns
            and (level == "view" or desk.login.profiles[profile_id] == "edit")
            and (all_types or found.type in types)
            and (paid != "true" or found.valid_payment_method is not False)
            and (paid != "false" or found.valid_payment_method is False)
        )

    return is_wanted


def one_of(query: dict[str, str], name: str, values: tuple[str, ...], default: str) -> str:
    value = query.get(name)
    if value is None:
        return default
    if value not in values:
        raise BadQueryError(name)
    return value


def _get_profile(desk: Desk) -> Answer:
    text = desk.call.path.removeprefix("/v2/profiles/")
    not_found = answers.classic(404, "NOT_FOUND", "HTTP 404 Not Found", desk.call.rid)
    if not NUMBER.fullmatch(text):
        if desk.choices.bad_profile_id == 404:
            return not_found
        return answers.classic(400, "INVALID_ARGUMENT", "Invalid value for profileId", desk.call.rid)
    found = _visible_profile(desk, int(text))
    return not_found if found is None else Answer(200, profile(found, desk.choices))


def _visible_profile(desk: Desk, profile_id: object) -> Profile | None:
    if not isinstance(profile_id, int) or profile_id not in desk.login.profiles:
        return None
    found = desk.world.profiles[profile_id]
    return found if found.region == desk.call.region else None


def _put_profiles(desk: Desk) -> Answer:
    try:
        items = json.loads(desk.call.body)
    except (ValueError, RecursionError):
        items = None
    if not isinstance(items, list):
        return answers.classic(400, "INVALID_ARGUMENT", "Request body is not valid.", desk.call.rid)
    return Answer(desk.choices.put_profiles, [_put_profile(desk, item) for item in items])


def _put_profile(desk: Desk, item: object) -> dict[str, Any]:
    if not isinstance(item, dict):
        return {"profileId": None, "code": "INVALID_ARGUMENT", "details": "Not a profile"}
    wanted_id = item.get("profileId")
    number = int(wanted_id) if isinstance(wanted_id, str) and NUMBER.fullmatch(wanted_id) else wanted_id
    found = _visible_profile(desk, number)
    if found is None:
        return {"profileId": wanted_id, "code": "NOT_FOUND", "details": "Profile not found"}
    refusal = _refuse_budget(desk, found, item)
    if refusal:
        return {"profileId": wanted_id, "code": "INVALID_ARGUMENT", "details": refusal}
    found.daily_budget = float(item["dailyBudget"])
    return {"profileId": wanted_id, "code": "SUCCESS"}


def _refuse_budget(desk: Desk, found: Profile, item: dict[str, Any]) -> str:
    """Why this change is not allowed; empty if it is."""
    if found.type != "seller":
        return f"Cannot modify daily budget of a {found.type} profile"
    if desk.login.profiles[found.profile_id] != "edit":
        return "Not authorized to modify profile"
    budget = item.get("dailyBudget")
    if isinstance(budget, bool) or not isinstance(budget, int | float) or not budget >= LEAST_BUDGET:
        return "dailyBudget must be at least 1.00"
    shown = profile(found, desk.choices)
    for name, value in item.items():
        if name not in {"profileId", "dailyBudget"} and shown.get(name) != value:
            return f'Cannot modify "{name}" for profile'
    return ""


def profile(found: Profile, choices: Choices) -> dict[str, Any]:
    """A profile as Amazon writes it."""
    info: dict[str, Any] = {
        "marketplaceStringId": found.marketplace_id,
        "id": found.account_id,
        "type": found.type,
    }
    optional = {
        "name": found.name,
        "subType": found.sub_type,
        "validPaymentMethod": found.valid_payment_method,
    }
    info |= {name: value for name, value in optional.items() if value is not None}
    record: dict[str, Any] = {
        "profileId": _profile_id(found.profile_id, choices),
        "countryCode": found.country_code,
        "currencyCode": found.currency_code,
    }
    if found.daily_budget is not None:
        record["dailyBudget"] = found.daily_budget
    record |= {"timezone": found.timezone, "accountInfo": info}
    return record | found.extra


# /managerAccounts


def _list_manager_accounts(desk: Desk) -> Answer:
    managers = [
        manager_account(desk.world.manager_accounts[each], desk.call.region or "", desk.choices)
        for each in desk.login.manager_accounts
    ]
    return Answer(200, {"managerAccounts": managers})


def manager_account(manager: ManagerAccount, region: str, choices: Choices) -> dict[str, Any]:
    links = [each for each in manager.links if each.region == region][:MOST_LINKS]
    return {
        "managerAccountId": manager.manager_account_id,
        "managerAccountName": manager.name,
        "linkedAccounts": [_linked_account(link, choices) for link in links],
    } | manager.extra


def _linked_account(link: Link, choices: Choices) -> dict[str, Any]:
    record: dict[str, Any] = {
        "accountId": link.account_id,
        "accountName": link.account_name,
        "accountType": link.account_type,
        "marketplaceId": link.marketplace_id,
    }
    profile_id = None if link.profile_id is None else str(link.profile_id)
    _set_or_none(record, "profileId", profile_id, choices.no_profile)
    _set_or_none(record, "dspAdvertiserId", link.dsp_advertiser_id, choices.no_dsp_advertiser)
    return record


def _set_or_none(record: dict[str, Any], name: str, value: str | None, if_none: str) -> None:
    if value is not None:
        record[name] = value
    elif if_none != "absent":
        record[name] = "" if if_none == "empty" else None


# /dsp/advertisers


def _list_dsp_advertisers(desk: Desk) -> Answer:
    agency = _agency(desk)
    if isinstance(agency, Answer):
        return agency
    try:
        start = whole_number(desk.call.query, "startIndex", 0, least=0, most=LAST_START_INDEX)
        count = whole_number(desk.call.query, "count", PAGE_SIZE, least=1, most=PAGE_SIZE)
    except BadQueryError as error:
        detail = {"errorType": "INVALID_PARAMETER", "field": error.name, "message": error.rule}
        return answers.dsp(desk.choices.bad_dsp_parameter, "Bad Request", desk.call.rid, detail)
    ids = desk.world.advertisers_of.get(agency.profile_id, [])
    if "advertiserIdFilter" in desk.call.query:
        wanted = set(desk.call.query["advertiserIdFilter"].split(","))
        ids = [each for each in ids if each in wanted]
    found = [dsp_advertiser(desk.world.dsp_advertisers[each]) for each in ids[start : start + count]]
    return Answer(200, {"totalResults": len(ids), "response": found})


def _get_dsp_advertiser(desk: Desk) -> Answer:
    agency = _agency(desk)
    if isinstance(agency, Answer):
        return agency
    advertiser = desk.world.dsp_advertisers.get(desk.call.path.removeprefix("/dsp/advertisers/"))
    if advertiser is None or advertiser.agency_profile_id != agency.profile_id:
        return answers.dsp(404, "Not Found", desk.call.rid)
    return Answer(200, dsp_advertiser(advertiser))


def _agency(desk: Desk) -> Profile | Answer:
    """The agency profile that the Scope header names, or the refusal."""
    scope = desk.call.headers.get("amazon-advertising-api-scope", "").strip()
    if not scope:
        return answers.classic(401, "401", "Scope header is missing", desk.call.rid)
    found = desk.world.profiles.get(int(scope)) if NUMBER.fullmatch(scope) else None
    if found is None or found.region != desk.call.region:
        return answers.classic(401, "401", "No matching advertiser found for scope", desk.call.rid)
    if found.profile_id not in desk.login.profiles:
        return answers.classic(401, "401", f"Not authorized to access scope {scope}", desk.call.rid)
    if found.type != "agency" or found.sub_type == "AMAZON_ATTRIBUTION":
        return answers.dsp(403, "Forbidden", desk.call.rid)
    return found


def whole_number(query: dict[str, str], name: str, default: int, *, least: int, most: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise BadQueryError(name, f"must be between {least} and {most}")
    return int(text)


def dsp_advertiser(advertiser: DspAdvertiser) -> dict[str, Any]:
    return {
        "advertiserId": advertiser.advertiser_id,
        "name": advertiser.name,
        "currency": advertiser.currency,
        "url": advertiser.url,
        "country": advertiser.country,
        "timezone": advertiser.timezone,
    } | advertiser.extra


RESOURCES: list[tuple[re.Pattern[str], dict[str, Operation]]] = [
    (re.compile(r"/adsAccounts/list"), {"POST": Operation(_list_ads_accounts, LIST_TYPE, LIST_TYPE)}),
    (re.compile(r"/adsAccounts"), {"POST": Operation(_register_ads_account)}),
    (re.compile(r"/adsAccounts/[^/]+"), {"GET": Operation(_get_ads_account, ACCOUNT_TYPE)}),
    (
        re.compile(r"/v2/profiles"),
        {"GET": Operation(_list_profiles), "PUT": Operation(_put_profiles, consumes=answers.JSON)},
    ),
    (re.compile(r"/v2/profiles/[^/]+"), {"GET": Operation(_get_profile)}),
    (re.compile(r"/managerAccounts"), {"GET": Operation(_list_manager_accounts, MANAGER_TYPE)}),
    (re.compile(r"/dsp/advertisers/?"), {"GET": Operation(_list_dsp_advertisers)}),
    (re.compile(r"/dsp/advertisers/[^/]+"), {"GET": Operation(_get_dsp_advertiser)}),
]


def truth(login: Login, world: World, choices: Choices, now: float) -> dict[str, Any]:
    """All that the API shows to this login, as complete walks of every source would find it."""
    found = [world.profiles[each] for each in login.profiles]
    shown = [each for each in found if each.has_campaigns]
    agencies = [each for each in found if each.type == "agency" and each.sub_type != "AMAZON_ATTRIBUTION"]
    return {
        "login": login.login_id,
        "ads_accounts": []
        if login.barred
        else [ads_account(world.ads_accounts[each], choices, now) for each in login.ads_accounts],
        "profiles": {
            region: [
                profile(each, choices) | {"accessLevel": login.profiles[each.profile_id]}
                for each in shown
                if each.region == region
            ][:MOST_PROFILES]
            for region in REGIONS
        },
        "manager_accounts": {
            region: [
                manager_account(world.manager_accounts[each], region, choices)
                for each in login.manager_accounts
            ]
            for region in REGIONS
        },
        "dsp_advertisers": {
            str(agency.profile_id): [
                dsp_advertiser(world.dsp_advertisers[each])
                for each in world.advertisers_of.get(agency.profile_id, [])[: LAST_START_INDEX + PAGE_SIZE]
            ]
            for agency in agencies
        },
    }
