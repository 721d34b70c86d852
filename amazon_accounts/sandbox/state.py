"""The sandbox Amazon as one object: what a test reads and changes, and how a call is answered."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from amazon_accounts.sandbox.ads_api import routes as ads_api
from amazon_accounts.sandbox.ads_api.truth import describe_everything
from amazon_accounts.sandbox.answers import Answer
from amazon_accounts.sandbox.calls import Call
from amazon_accounts.sandbox.choices import Choices
from amazon_accounts.sandbox.clock import Clock
from amazon_accounts.sandbox.faults.rules import Faults, Plan
from amazon_accounts.sandbox.faults.throttle import Throttle
from amazon_accounts.sandbox.journal import Entry, Journal
from amazon_accounts.sandbox.login_with_amazon import authorize, token
from amazon_accounts.sandbox.login_with_amazon.grants import Grant, Grants
from amazon_accounts.sandbox.world.entities import DEFAULT_CLIENT_ID, World

SCOPES = ("profile", "advertising::campaign_management")


class DroppedError(Exception):
    """The sandbox gives no answer and closes the connection."""


class Sandbox:
    def __init__(self, world: World) -> None:
        self.world = world
        self.clock = Clock()
        self.choices = Choices()
        self.grants = Grants(self.world, self.clock, self.choices)
        self.throttle = Throttle(self.clock, self.choices)
        self.faults = Faults(self.world, self.clock, self.choices, self.throttle, self.grants)
        self.journal = Journal()

    def reset(self, world: World | None = None) -> None:
        """Forget faults, limits, choices, clock, journal and revocations, and take over `world` if it is given.

        Tokens stay valid if the new world has the same seed and their login.
        """
        if world is not None:
            self.world.replace_with(world)
        self.clock.reset()
        self.choices.reset()
        self.grants.reset()
        self.throttle.lift()
        self.faults.clear()
        self.journal.clear()

    def grant(
        self,
        login_id: str,
        *,
        client_id: str = DEFAULT_CLIENT_ID,
        scopes: tuple[str, ...] = SCOPES,
        consented_at: float | None = None,
    ) -> Grant:
        if login_id not in self.world.logins:
            raise KeyError(f"No login is called {login_id!r}; there are {', '.join(self.world.logins)}.")
        return self.grants.consent(login_id, client_id, scopes, consented_at=consented_at)

    def refresh_token(self, login_id: str, **details: Any) -> str:
        """A refresh token of a new consent, for `manage.py connect`."""
        return self.grants.new_refresh_token(self.grant(login_id, **details))

    def access_token(self, login_id: str, **details: Any) -> str:
        return self.grants.new_access_token(self.grant(login_id, **details))

    def revoke(self, login_id: str, client_id: str = DEFAULT_CLIENT_ID) -> None:
        self.grants.revoke(login_id, client_id)

    def truth(self, login_id: str) -> dict[str, Any]:
        """The records of every list, as Amazon would show them to this login."""
        return describe_everything(self.world.logins[login_id], self.world, self.choices, self.clock.now())

    def consent(self, authorize_url: str, login_id: str, decision: str = "allow") -> str:
        """Press Allow (or "cancel") on the page at this address. Returns the URL that the browser is sent to.

        Raises ValueError if the page shows an error instead of the question.
        """
        form = authorize.consent_form(authorize_url, login_id, decision)
        call = Call(
            area="authorize",
            method="POST",
            path=authorize.CONSENT_PATH,
            region=None,
            url=authorize_url,
            query={},
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=urlencode(form).encode(),
        )
        answer = self._answer_normally(call, self.faults.plan(call))
        if answer.status != 302:
            raise ValueError(f"The authorize page answers {answer.status}: {answer.render()[-600:].decode()}")
        return answer.headers["Location"]

    async def answer(self, call: Call, closed: Callable[[], Awaitable[None]]) -> Answer:
        """Answer one call, and record it in the journal.

        `closed` returns when the caller has closed the connection. Raises DroppedError to give no answer.
        """
        arrived = self.clock.now()
        began = time.perf_counter()
        call.identify(self.world, self.grants)
        state = call.credential
        status = 0
        try:
            answer = await self._answer_with_faults(call, closed)
            status = answer.status
            return answer
        finally:
            self.journal.write(_make_entry(call, state, status, arrived, time.perf_counter() - began))

    async def _answer_with_faults(self, call: Call, closed: Callable[[], Awaitable[None]]) -> Answer:
        began = time.perf_counter()
        if call.area == "api" and (refusal := ads_api.refuse_route(call, self.choices)):
            return refusal
        plan = self.faults.plan(call)
        for function in plan.functions:
            if (waiting := function(call)) is not None:
                await waiting
        if plan.end_token:
            self.grants.end_token(call.bearer())
            call.identify(self.world, self.grants)
        throttled = self.throttle.refuse(call)
        if plan.silence == "hang":
            await _wait(closed(), plan.delay)
            raise DroppedError
        answer = throttled
        if throttled is None and not plan.silence:
            answer = self.faults.change(plan.answer or self._answer_normally(call, plan), call, plan)
        # The delay is the duration of the whole call, including the time that the answer has taken so far.
        await asyncio.sleep(max(0.0, plan.delay - (time.perf_counter() - began)))
        if answer is None or (plan.drop_after and throttled is None):
            raise DroppedError
        return answer

    def _answer_normally(self, call: Call, plan: Plan) -> Answer:
        if call.area == "api":
            return ads_api.respond(call, self.world, self.grants, self.clock, plan.choices)
        if call.area == "authorize":
            return self._authorize(call, plan)
        return token.respond(call, self.world, self.grants, self.clock, plan.choices)

    def _authorize(self, call: Call, plan: Plan) -> Answer:
        if plan.redirect_error:
            error, description = plan.redirect_error
            if answer := authorize.error_redirect(call, self.world, plan.choices, error, description):
                return answer
        return authorize.respond(call, self.world, self.grants, plan.choices)


async def _wait(event: Awaitable[None], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event
    except TimeoutError:
        pass


def _make_entry(call: Call, credential: str, status: int, arrived: float, seconds: float) -> Entry:
    query = {
        name: "..." if name in {"access_token", "state"} else value for name, value in call.query.items()
    }
    return Entry(
        time=arrived,
        seconds=seconds,
        area=call.area,
        method=call.method,
        path=call.path,
        query=query,
        region=call.region,
        login=call.login.login_id if call.login else None,
        client_id=call.client_id,
        scope=call.headers.get("amazon-advertising-api-scope", ""),
        ads_account_id=call.ads_account_id,
        status=status,
        request_id=call.request_id,
        token_fingerprint=call.fingerprint,
        credential=credential,
        grant_type=(call.form or {}).get("grant_type", ""),
        faults=tuple(call.faults),
    )
