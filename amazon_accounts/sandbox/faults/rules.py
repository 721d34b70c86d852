"""Faults on order: which calls they strike, and how.

A rule names a kind of fault, the calls it is for, and which of those it strikes: the n-th, every k-th, some at random
(from the world's seed), so many, until some time. Delays add up; of several answers the first rule's is given; changes to a
good answer are made one after the other.
"""

import copy
import gzip
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from amazon_accounts.sandbox import answers
from amazon_accounts.sandbox.answers import Answer
from amazon_accounts.sandbox.calls import Call, check_place
from amazon_accounts.sandbox.choices import Choices, check_retry_after
from amazon_accounts.sandbox.clock import Clock
from amazon_accounts.sandbox.faults.throttle import Throttle
from amazon_accounts.sandbox.login_with_amazon.grants import Grants
from amazon_accounts.sandbox.world.entities import World

FOR_EVER = 3600.0
#: What some kind of fault wants to know.
OPTIONS = frozenset(
    {
        *("seconds", "retry_after", "megabytes", "function"),
        *("status", "error", "description", "json", "body", "headers", "content_type"),
    }
)


class BadRuleError(ValueError):
    """The rule makes no sense."""


@dataclass
class Rule:
    kind: str
    name: str = ""
    # For whom; empty is everybody. The path may be a pattern (`/dsp/*`); of a token request it is /auth/o2/token.
    area: str = ""
    path: str = ""
    method: str = ""
    region: str = ""
    login: str = ""
    client_id: str = ""
    #: "authorization_code" or "refresh_token".
    grant_type: str = ""
    # Which of those calls; nothing set is each.
    nth: list[int] = field(default_factory=list)
    every: int = 0
    probability: float = 1.0
    #: Let so many calls pass first.
    after: int = 0
    #: Strike so often and no more; 0 is without end.
    count: int = 0
    #: Time by the sandbox's clock at which it is over; 0 is never.
    until: float = 0.0
    #: What the kind wants to know: seconds, status, retry_after, ...
    options: dict[str, Any] = field(default_factory=dict)
    #: Calls seen and struck so far.
    calls: int = 0
    struck: int = 0

    def concerns(self, call: Call) -> bool:
        grant_type = (call.form or {}).get("grant_type", "")
        return (
            self.area in {"", call.area}
            and (not self.path or fnmatchcase(call.path, self.path))
            and self.method in {"", call.method}
            and self.region in {"", call.region}
            and (not self.login or (call.login is not None and call.login.login_id == self.login))
            and self.client_id in {"", call.client_id}
            and self.grant_type in {"", grant_type}
        )

    def strikes(self, now: float, chance: random.Random) -> bool:
        """Count one call, and say whether it is struck."""
        self.calls += 1
        number = self.calls - self.after
        if number < 1 or (self.count and self.struck >= self.count) or (self.until and now >= self.until):
            return False
        if self.nth and number not in self.nth:
            return False
        if self.every and number % self.every:
            return False
        if self.probability < 1 and chance.random() >= self.probability:
            return False
        self.struck += 1
        return True


@dataclass
class Plan:
    """What the faults do to one call."""

    #: The switches as this call finds them.
    choices: Choices
    delay: float = 0.0
    answer: Answer | None = None
    #: Never answer: "hang" keeps the connection open for `delay`, "drop" closes it.
    silence: str = ""
    #: The access token of this call ends as the call arrives.
    end_token: bool = False
    #: Functions of a test that run as the call arrives.
    functions: list[Callable[[Call], Awaitable[None] | None]] = field(default_factory=list)
    #: Send the browser back to the application with this error and description.
    redirect_error: tuple[str, str] | None = None
    #: Do the work, then close the connection without an answer.
    drop_after: bool = False
    changes: list[Rule] = field(default_factory=list)


class Faults:
    def __init__(
        self, world: World, clock: Clock, choices: Choices, throttle: Throttle, grants: Grants
    ) -> None:
        self._world = world
        self._clock = clock
        self._choices = choices
        self._throttle = throttle
        self._grants = grants
        self._chances: dict[str, random.Random] = {}
        self._added = 0
        self.rules: dict[str, Rule] = {}

    def add(self, kind: str, *, for_seconds: float = 0.0, **details: Any) -> Rule:
        """Put a rule in force. `details` are the fields of Rule; any other name is an option of the kind."""
        known = {name: details.pop(name) for name in list(details) if name in Rule.__dataclass_fields__}
        options = {**known.pop("options", {}), **details}
        if isinstance(known.get("nth"), int):
            known["nth"] = [known["nth"]]
        rule = Rule(kind=kind, options=options, **known)
        self._check(rule)
        if for_seconds:
            rule.until = self._clock.now() + for_seconds
        self._added += 1
        rule.name = rule.name or f"{kind}-{self._added}"
        self.rules[rule.name] = rule
        self._chances[rule.name] = random.Random(f"{self._world.seed} {rule.name}")
        return rule

    def _check(self, rule: Rule) -> None:
        """A rule with a slip in it would strike nothing, and its test pass."""
        if rule.kind not in KINDS:
            raise BadRuleError(f"No fault is called {rule.kind!r}; there are {', '.join(sorted(KINDS))}.")
        check_place(rule.area, rule.region)
        if rule.kind == "switch":
            replace(self._choices).change(rule.options)
        elif unknown := set(rule.options) - OPTIONS:
            raise BadRuleError(
                f"No option is called {', '.join(sorted(unknown))}; there are {', '.join(sorted(OPTIONS))}."
            )
        if "retry_after" in rule.options:
            check_retry_after(str(rule.options["retry_after"]))

    def remove(self, name: str) -> None:
        del self.rules[name]

    def clear(self) -> None:
        self.rules.clear()
        self._added = 0

    def plan(self, call: Call) -> Plan:
        """What strikes this call."""
        plan = Plan(choices=self._choices)
        now = self._clock.now()
        for rule in list(self.rules.values()):
            if rule.concerns(call) and rule.strikes(now, self._chances[rule.name]):
                call.faults.append(rule.name)
                self._apply(rule, call, plan)
        return plan

    def _apply(self, rule: Rule, call: Call, plan: Plan) -> None:
        seconds = float(rule.options.get("seconds", 0.0))
        if rule.kind == "slow":
            plan.delay += seconds
        elif rule.kind == "switch":
            plan.choices = replace(plan.choices, **rule.options)
        elif rule.kind == "run":
            plan.functions.append(rule.options["function"])
        elif rule.kind == "end_token":
            plan.end_token = True
        elif rule.kind == "drop_after":
            plan.drop_after = True
        elif rule.kind == "redirect_error":
            error = str(rule.options.get("error", "server_error"))
            plan.redirect_error = (error, str(rule.options.get("description", "")))
        elif rule.kind in CHANGES:
            plan.changes.append(rule)
        elif plan.answer is not None or plan.silence:
            pass  # an earlier rule has already decided
        elif rule.kind in {"hang", "drop"}:
            plan.silence = rule.kind
            plan.delay += (seconds or FOR_EVER) if rule.kind == "hang" else 0.0
        elif rule.kind in {"throttle", "throttle_html"}:
            plan.answer = self._throttled(rule, call, seconds)
        else:
            plan.answer = ANSWERS[rule.kind](call, rule.options)

    def _throttled(self, rule: Rule, call: Call, seconds: float) -> Answer:
        html = rule.kind == "throttle_html"
        return self._throttle.too_many_requests(
            call, seconds or 1.0, str(rule.options.get("retry_after", "")), html=html
        )

    def change(self, answer: Answer, call: Call, plan: Plan) -> Answer:
        """Spoil a good answer as planned."""
        if plan.changes and answer.status < 300:
            # The payload may share lists and dicts with the world.
            answer.payload = copy.deepcopy(answer.payload)
            for rule in plan.changes:
                CHANGES[rule.kind](answer, call, rule.options, self._grants)
        return answer


def family(call: Call) -> str:
    """Whose error shape this call gets."""
    if call.area != "api":
        return "lwa"
    if call.path in {"/adsAccounts/list", "/adsAccounts"}:
        return "list"
    if call.path.startswith("/adsAccounts/"):
        return "account"
    if call.path.startswith("/managerAccounts"):
        return "manager"
    return "dsp" if call.path.startswith("/dsp/") else "classic"


Options = Mapping[str, Any]
SERVER_TEXT = {500: "Unexpected error during processing of request.", 503: "Service Unavailable"}


def failure(call: Call, status: int, code: str, text: str) -> Answer:
    """An error in the shape of the endpoint."""
    match family(call):
        case "lwa":
            return answers.lwa(status, "ServerError", text)
        case "list":
            return answers.account_list_error(status, code, text)
        case "account":
            return answers.message(status, text)
        case "manager":
            return Answer(status, {"code": code, "message": text})
        case "dsp":
            return answers.dsp(status, text, call.rid)
        case _:
            return answers.classic(status, code, text, call.rid)


def _error_500(call: Call, _options: Options) -> Answer:
    return failure(call, 500, "INTERNAL_SERVICE_ERROR", SERVER_TEXT[500])


def _error_503(call: Call, _options: Options) -> Answer:
    return failure(call, 503, "SERVICE_UNAVAILABLE", SERVER_TEXT[503])


def _busy(call: Call, options: Options) -> Answer:
    return answers.classic(int(options.get("status", 503)), "SERVER_IS_BUSY", "Server is busy.", call.rid)


def _page(status: int, title: str) -> Callable[[Call, Options], Answer]:
    return lambda _call, _options: answers.page(status, title, "The made-up Amazon was asked to fail.")


def _unauthorized(call: Call, _options: Options) -> Answer:
    return answers.classic(401, "UNAUTHORIZED", "HTTP 401 Unauthorized", call.rid)


def _authentication_failed(call: Call, _options: Options) -> Answer:
    return answers.classic(401, "401", "Authentication failed", call.rid)


def _no_access_to_scope(call: Call, options: Options) -> Answer:
    scope = call.headers.get("amazon-advertising-api-scope", "")
    details = f"Not authorized to access scope {scope}".strip()
    return answers.classic(int(options.get("status", 401)), "401", details, call.rid)


def _no_advertiser_for_scope(call: Call, _options: Options) -> Answer:
    return answers.classic(401, "401", "No matching advertiser found for scope", call.rid)


def _forbidden(call: Call, _options: Options) -> Answer:
    if family(call) == "list":
        text = "User does not have sufficient access to perform this action."
        return answers.account_list_error(403, "ACCESS_DENIED", text)
    return failure(call, 403, "FORBIDDEN", "Forbidden")


def _stale_page_token(call: Call, _options: Options) -> Answer:
    if family(call) == "list":
        return answers.account_list_error(400, "INVALID_INPUT", "nextToken is not valid.")
    return failure(call, 400, "BAD_REQUEST", "nextToken is not valid.")


def _lwa_error(_call: Call, options: Options) -> Answer:
    return answers.lwa(
        int(options.get("status", 400)),
        str(options.get("error", "invalid_grant")),
        str(options.get("description", "The request has an invalid grant parameter : refresh_token")),
    )


def _plain_text(_call: Call, _options: Options) -> Answer:
    return Answer(
        400, body=b"Invalid request: the made-up Amazon was asked to say so.", content_type="text/plain"
    )


def _huge(_call: Call, options: Options) -> Answer:
    """A good answer, but for its size: blanks are allowed in JSON."""
    return Answer(200, body=b"[" + b" " * (int(options.get("megabytes", 50)) * 1_000_000) + b"]")


def _gzip_bomb(call: Call, options: Options) -> Answer:
    packed = gzip.compress(_huge(call, options).rendered(), compresslevel=1)
    return Answer(200, body=packed, headers={"Content-Encoding": "gzip"})


def _gzip_broken(_call: Call, _options: Options) -> Answer:
    return Answer(200, body=b"\x1f\x8b\x08\x00 this is not gzip", headers={"Content-Encoding": "gzip"})


def _given_answer(_call: Call, options: Options) -> Answer:
    """Whatever the test says: status, json or body, headers, content_type."""
    body = options.get("body")
    return Answer(
        int(options.get("status", 200)),
        options.get("json"),
        body=None if body is None else str(body).encode(),
        content_type=str(options.get("content_type", answers.JSON)),
        headers={str(name): str(value) for name, value in options.get("headers", {}).items()},
    )


ANSWERS: dict[str, Callable[[Call, Options], Answer]] = {
    "error_500": _error_500,
    "error_503": _error_503,
    "request_timeout": _page(408, "Request Timeout"),
    "error_500_html": _page(500, "Internal Server Error"),
    "bad_gateway": _page(502, "Bad Gateway"),
    "unavailable_html": _page(503, "Service Temporarily Unavailable"),
    "gateway_timeout": _page(504, "Gateway Timeout"),
    "busy": _busy,
    "empty": lambda _call, _options: Answer(200, body=b""),
    "html": _page(200, "Welcome"),
    "wrong_type": lambda _call, _options: Answer(200, "maintenance"),
    "plain_text": _plain_text,
    "unauthorized": _unauthorized,
    "unauthorized_gateway": lambda _call, _options: answers.message(401, "Unauthorized"),
    "unauthorized_html": _page(401, "Unauthorized"),
    "authentication_failed": _authentication_failed,
    "no_access_to_scope": _no_access_to_scope,
    "no_advertiser_for_scope": _no_advertiser_for_scope,
    "forbidden": _forbidden,
    "stale_page_token": _stale_page_token,
    "lwa_error": _lwa_error,
    "huge": _huge,
    "gzip_bomb": _gzip_bomb,
    "gzip_broken": _gzip_broken,
    "answer": _given_answer,
}


def _records(answer: Answer) -> list[Any]:
    """The records of any of the lists."""
    payload = answer.payload
    if isinstance(payload, list):
        return payload
    if isinstance(payload, dict):
        for name in ("adsAccounts", "managerAccounts", "response"):
            if name in payload:
                records: list[Any] = payload[name]
                return records
    return []


def _truncate(answer: Answer, _call: Call, _options: Options, _grants: Grants) -> None:
    whole = answer.rendered()
    answer.body = whole[: max(1, len(whole) * 2 // 3)]


def _drop_body(answer: Answer, _call: Call, _options: Options, _grants: Grants) -> None:
    answer.cut_after = len(answer.rendered()) // 2


def _dribble(answer: Answer, _call: Call, options: Options, _grants: Grants) -> None:
    answer.dribble = float(options.get("seconds", 10.0))


def _unknown_values(answer: Answer, _call: Call, _options: Options, _grants: Grants) -> None:
    """Every record gets a status, type, country and currency that nobody has heard of."""
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


def _extra_fields(answer: Answer, _call: Call, _options: Options, _grants: Grants) -> None:
    extra = {"newField": {"nested": [1, None, True]}, "anotherNewField": "value"}
    for record in _records(answer):
        record.update(copy.deepcopy(extra))
    if isinstance(answer.payload, dict):
        answer.payload.update(extra)


def _missing_fields(answer: Answer, _call: Call, _options: Options, _grants: Grants) -> None:
    """Only what must be there stays."""
    kept = {"adsAccountId", "profileId", "managerAccountId", "advertiserId", "accountInfo", "countryCode"}
    for record in _records(answer):
        for name in set(record) - kept:
            del record[name]


def _missing_ids(answer: Answer, _call: Call, _options: Options, _grants: Grants) -> None:
    """The first record has lost its id: it can only be rejected."""
    for record in _records(answer)[:1]:
        for name in ("adsAccountId", "profileId", "managerAccountId", "advertiserId"):
            record.pop(name, None)


def _ids_as_strings(answer: Answer, _call: Call, _options: Options, _grants: Grants) -> None:
    """Numbers where strings are due and strings where numbers are."""
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
    """The `errors` of ads accounts in shapes that no document names."""
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
    """The last record of this page comes again as the first of the next; elsewhere, the first comes twice."""
    records = _records(answer)
    if (
        call.walk is not None
        and len(records) > 1
        and call.login is not None
        and "nextToken" in answer.payload
    ):
        answer.payload["nextToken"] = grants.sign_page_token(call.login.login_id, call.walk[1] - 1)
    elif call.walk is None and records:
        records.append(copy.deepcopy(records[0]))


def _empty_page(answer: Answer, call: Call, _options: Options, grants: Grants) -> None:
    """No record and yet a token; nothing is lost, the next page begins where this one should have."""
    if call.walk is not None and call.login is not None:
        answer.payload = {
            "adsAccounts": [],
            "nextToken": grants.sign_page_token(call.login.login_id, call.walk[0]),
        }


def _repeating_token(answer: Answer, call: Call, options: Options, grants: Grants) -> None:
    """The page's nextToken is the one that was sent: a walk that stands still."""
    if call.walk is not None and call.login is not None:
        token = call.page_token or grants.sign_page_token(call.login.login_id, call.walk[0])
        answer.payload["nextToken"] = token


def _endless_walk(answer: Answer, call: Call, _options: Options, grants: Grants) -> None:
    """After the last page the first one comes again, always with a new token."""
    if call.walk is not None and call.login is not None and not answer.payload.get("nextToken"):
        answer.payload["nextToken"] = grants.sign_page_token(call.login.login_id, 0)


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
    "no_access_token": _without("access_token"),
    "no_refresh_token": _without("refresh_token"),
}

KINDS = frozenset(
    {
        *("slow", "hang", "drop", "drop_after", "redirect_error", "run", "switch", "end_token"),
        *("throttle", "throttle_html"),
        *ANSWERS,
        *CHANGES,
    }
)
