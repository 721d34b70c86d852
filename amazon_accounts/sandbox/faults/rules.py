"""Which calls a fault hits, and what it does to them.

A rule names a kind of fault and the calls that it may hit. Of these calls it hits the n-th, every k-th, or
some at random (from the world's seed), up to a number of hits or until a time. The delays of several rules
add up, the first rule with an answer gives the answer, and the changes to a good answer are made one after
another.
"""

import copy
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from amazon_accounts.sandbox.answers import Answer
from amazon_accounts.sandbox.calls import Call, check_place
from amazon_accounts.sandbox.choices import Choices, check_retry_after
from amazon_accounts.sandbox.clock import Clock
from amazon_accounts.sandbox.faults.changes import CHANGES
from amazon_accounts.sandbox.faults.failures import FAILURES
from amazon_accounts.sandbox.faults.throttle import Throttle
from amazon_accounts.sandbox.login_with_amazon.grants import Grants
from amazon_accounts.sandbox.world.entities import World

MAX_HANG_SECONDS = 3600.0
#: The options of all kinds of faults.
OPTIONS = frozenset(
    {
        *("seconds", "retry_after", "megabytes", "function", "accounts", "to"),
        *("status", "error", "description", "json", "body", "headers", "content_type"),
        *("item", "index", "code"),
    }
)
KINDS = frozenset(
    {
        *("slow", "hang", "drop", "drop_after", "redirect_error", "run", "switch", "end_token", "shift"),
        *("throttle", "throttle_html"),
        *FAILURES,
        *CHANGES,
    }
)


class BadRuleError(ValueError):
    """The rule names an unknown kind, option or place."""


@dataclass
class Rule:
    kind: str
    name: str = ""
    # The calls that the rule may hit; an empty field matches every call. The path may be a pattern (`/dsp/*`).
    # The path of a token request is /auth/o2/token.
    area: str = ""
    path: str = ""
    method: str = ""
    region: str = ""
    login: str = ""
    client_id: str = ""
    #: "authorization_code" or "refresh_token".
    grant_type: str = ""
    # Which of these calls the rule hits; by default all.
    nth: list[int] = field(default_factory=list)
    every: int = 0
    probability: float = 1.0
    #: The number of calls that pass first.
    after: int = 0
    #: The maximum number of hits; 0 is unlimited.
    count: int = 0
    #: When the rule ends, by the sandbox's clock; 0 is never.
    until: float = 0.0
    #: The options of the kind: seconds, status, retry_after, ...
    options: dict[str, Any] = field(default_factory=dict)
    #: The number of calls that the rule saw and hit so far.
    calls: int = 0
    struck: int = 0

    def matches(self, call: Call) -> bool:
        grant_type = (call.form or {}).get("grant_type", "")
        return (
            call.is_at(area=self.area, path=self.path, region=self.region, login=self.login)
            and self.method in {"", call.method}
            and self.client_id in {"", call.client_id}
            and self.grant_type in {"", grant_type}
        )

    def hits_next(self, now: float, chance: random.Random) -> bool:
        """Count one call, and return whether the rule hits it."""
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
    #: The choices that hold for this call.
    choices: Choices
    delay: float = 0.0
    answer: Answer | None = None
    #: No answer: "hang" keeps the connection open for `delay` seconds, "drop" closes it.
    silence: str = ""
    #: End the call's access token when the call arrives.
    end_token: bool = False
    #: Functions of a test that run when the call arrives.
    functions: list[Callable[[Call], Awaitable[None] | None]] = field(default_factory=list)
    #: Send the browser back to the application with this error and description.
    redirect_error: tuple[str, str] | None = None
    #: Do what was asked, then close the connection without an answer.
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
        """Add a rule. `details` are fields of Rule; other names are options of the kind."""
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
        # A misspelt rule would hit nothing, and its test would pass for the wrong reason.
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
        plan = Plan(choices=self._choices)
        now = self._clock.now()
        for rule in list(self.rules.values()):
            if rule.matches(call) and rule.hits_next(now, self._chances[rule.name]):
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
        elif rule.kind == "shift":
            self._shift_list(rule, call)
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
            plan.delay += (seconds or MAX_HANG_SECONDS) if rule.kind == "hang" else 0.0
        elif rule.kind in {"throttle", "throttle_html"}:
            plan.answer = self._throttled(rule, call, seconds)
        else:
            plan.answer = FAILURES[rule.kind](call, rule.options)

    def _shift_list(self, rule: Rule, call: Call) -> None:
        # The first `accounts` of the caller's list leave it before the call is answered: for the list of the login
        # `to`, or for good. A page token that is a place then leads past as many others.
        if call.login is None:
            return
        receiver = self._world.logins.get(str(rule.options.get("to", "")))
        for account_id in call.login.ads_accounts[: int(rule.options.get("accounts", 1))]:
            if receiver is None:
                self._world.remove_ads_account(account_id)
            else:
                self._world.let_see(receiver, ads_account_id=account_id)
                self._world.let_see(call.login, ads_account_id=account_id, level=None)

    def _throttled(self, rule: Rule, call: Call, seconds: float) -> Answer:
        html = rule.kind == "throttle_html"
        return self._throttle.too_many_requests(
            call, seconds or 1.0, str(rule.options.get("retry_after", "")), html=html
        )

    def change(self, answer: Answer, call: Call, plan: Plan) -> Answer:
        if plan.changes and answer.status < 300:
            # The payload may share lists and dicts with the world.
            answer.payload = copy.deepcopy(answer.payload)
            for rule in plan.changes:
                CHANGES[rule.kind](answer, call, rule.options, self._grants)
        return answer
