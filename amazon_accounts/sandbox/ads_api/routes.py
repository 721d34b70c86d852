"""The Ads API: which operation answers a call, and the checks that all operations share."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from amazon_accounts.sandbox import answers
from amazon_accounts.sandbox.ads_api.ads_accounts import (
    get_ads_account,
    list_ads_accounts,
    register_ads_account,
)
from amazon_accounts.sandbox.ads_api.billing import list_billing_notifications, list_billing_statuses
from amazon_accounts.sandbox.ads_api.context import Context
from amazon_accounts.sandbox.ads_api.dsp_advertisers import get_dsp_advertiser, list_dsp_advertisers
from amazon_accounts.sandbox.ads_api.manager_accounts import list_manager_accounts
from amazon_accounts.sandbox.ads_api.media import (
    ACCOUNT_TYPE,
    BILLING_NOTIFICATION_REQUEST_TYPE,
    BILLING_NOTIFICATION_TYPE,
    BILLING_STATUS_REQUEST_TYPE,
    BILLING_STATUS_TYPE,
    LIST_TYPE,
    MANAGER_TYPE,
    accepts,
    media_type,
)
from amazon_accounts.sandbox.ads_api.profiles import get_profile, list_profiles, put_profiles
from amazon_accounts.sandbox.answers import Answer
from amazon_accounts.sandbox.calls import Call
from amazon_accounts.sandbox.choices import Choices
from amazon_accounts.sandbox.clock import Clock
from amazon_accounts.sandbox.login_with_amazon.grants import Grants
from amazon_accounts.sandbox.world import Login, World


@dataclass(frozen=True)
class Operation:
    answer: Callable[[Context], Answer]
    #: Media types of the answer and of the request's body.
    produces: str = answers.JSON
    consumes: str = ""


RESOURCES: list[tuple[re.Pattern[str], dict[str, Operation]]] = [
    (re.compile(r"/adsAccounts/list"), {"POST": Operation(list_ads_accounts, LIST_TYPE, LIST_TYPE)}),
    (re.compile(r"/adsAccounts"), {"POST": Operation(register_ads_account)}),
    (re.compile(r"/adsAccounts/[^/]+"), {"GET": Operation(get_ads_account, ACCOUNT_TYPE)}),
    (
        re.compile(r"/v2/profiles"),
        {"GET": Operation(list_profiles), "PUT": Operation(put_profiles, consumes=answers.JSON)},
    ),
    (re.compile(r"/v2/profiles/[^/]+"), {"GET": Operation(get_profile)}),
    (re.compile(r"/managerAccounts"), {"GET": Operation(list_manager_accounts, MANAGER_TYPE)}),
    (re.compile(r"/dsp/advertisers/?"), {"GET": Operation(list_dsp_advertisers)}),
    (re.compile(r"/dsp/advertisers/[^/]+"), {"GET": Operation(get_dsp_advertiser)}),
    (
        re.compile(r"/billing/statuses"),
        {"POST": Operation(list_billing_statuses, BILLING_STATUS_TYPE, BILLING_STATUS_REQUEST_TYPE)},
    ),
    (
        re.compile(r"/billing/notifications"),
        {
            "POST": Operation(
                list_billing_notifications, BILLING_NOTIFICATION_TYPE, BILLING_NOTIFICATION_REQUEST_TYPE
            )
        },
    ),
]


def find_operations(path: str) -> dict[str, Operation]:
    """The operations of a path by method; none if Amazon knows no such path."""
    for pattern, operations in RESOURCES:
        if pattern.fullmatch(path):
            return operations
    return {}


def refuse_route(call: Call, choices: Choices) -> Answer | None:
    """The refusal of a call to an unknown path or with a wrong method: the first two of Amazon's checks."""
    operations = find_operations(call.path)
    if not operations:
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
    """Answer a call that `refuse_route` lets through."""
    operation = find_operations(call.path)[call.method]
    answer = _answer(call, operation, world, grants, clock, choices)
    if call.path == "/managerAccounts" and answer.status >= 400:
        answer = _manager_error(answer, choices)
    return answer


def _answer(
    call: Call, operation: Operation, world: World, grants: Grants, clock: Clock, choices: Choices
) -> Answer:
    login = _authenticate(call, world, grants, choices)
    if isinstance(login, Answer):
        return login
    refusal = _refuse_media(call, operation, choices)
    if refusal is not None:
        return refusal
    answer = operation.answer(Context(call, login, world, grants, clock, choices))
    if answer.status < 300:
        answer.content_type = operation.produces
    return answer


def _authenticate(call: Call, world: World, grants: Grants, choices: Choices) -> Login | Answer:
    """The login that the access token belongs to, or Amazon's refusal of the token."""
    unauthorized = answers.classic(401, "UNAUTHORIZED", "HTTP 401 Unauthorized", call.rid)
    failed = answers.classic(401, "401", "Authentication failed", call.rid)
    if not call.bearer():
        return unauthorized
    if not call.headers.get("amazon-advertising-api-clientid"):
        return answers.classic(401, "UNAUTHORIZED", "Invalid authorization inputs", call.rid)
    if call.credential != "valid" or call.token is None or call.login is None:
        return unauthorized
    grant = call.token.grant
    client = world.clients.get(grant.client_id)
    if client is None or client.client_id != call.client_id or not client.approved:
        return failed
    if not any("advertising" in scope for scope in grant.scopes):
        return failed
    if choices.after_revocation == "refused" and grants.is_revoked(grant):
        return unauthorized
    return call.login


def _refuse_media(call: Call, operation: Operation, choices: Choices) -> Answer | None:
    if operation.consumes:
        sent = media_type(call.headers.get("content-type", ""))
        is_plain = sent == answers.JSON and choices.plain_json_body == "accepted"
        if sent != operation.consumes and not is_plain:
            return answers.classic(415, "415", "Cannot consume content type", call.rid)
    if not accepts(call.headers.get("accept", ""), operation.produces):
        return answers.classic(406, "406", "HTTP 406 Not Acceptable", call.rid)
    return None


def _manager_error(answer: Answer, choices: Choices) -> Answer:
    # Amazon documents this shape only for the other operations of manager accounts.
    if choices.manager_errors == "empty":
        return Answer(answer.status, body=b"", headers=answer.headers)
    codes = {400: "BAD_REQUEST", 401: "UNAUTHORIZED", 403: "FORBIDDEN", 429: "TOO_MANY_REQUESTS"}
    if isinstance(answer.payload, dict) and "details" in answer.payload:
        code = codes.get(answer.status, answer.payload["code"])
        answer.payload = {"code": code, "message": answer.payload["details"]}
    return answer
