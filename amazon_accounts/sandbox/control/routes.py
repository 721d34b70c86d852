"""The control path `/_sandbox/`: how a test in another process, or a person, reads and changes the sandbox.

    GET  /                  an overview: world, clock, choices, limits, faults, calls so far
    POST /reset             {"world": "demo" | "small" | "generated" | "empty", "seed": 1, ...}; the rest as in
                            generate.generated_world; without "world" the entities stay as they are
    GET, POST /clock        {"advance": seconds} or {"set": seconds since 1970}, {"frozen": true}
    GET, POST /switches     {name: value}, as in choices.Choices
    POST /grants            {"login", "client_id"?, "scopes"?, "consented_at"?}: a consent without the browser; answers
                            a refresh token and an access token
    POST /revoke            {"login", "client_id"?}
    POST /expire            {"tokens": "access" | "refresh", "login"?}: end the tokens issued so far
    POST /permissions       {"login", "ads_account_id" | "profile_id" | "manager_account_id", "level": "view" | "edit" |
                            "none"}; who may only view a profile is not told its billing
    GET, POST, DELETE /billing    {"profile_id" | "advertiser_id" and "marketplace_id", "status_code"?, "message"?,
                            "notifications"?: [{"name", ...}]}: what /billing says about a pair, as in
                            billing.Billing and billing.Notification; DELETE makes all valid
    GET, DELETE /billing/{advertiser_id}/{marketplace_id}    one pair
    GET  /truth?login=      the records of every list, as this login sees them
    GET  /entities/{kind}   kind: clients, logins, ads_accounts, profiles, manager_accounts, dsp_advertisers
    POST /entities/{kind}   add one: its fields, and "logins": who may see it
    GET, PATCH, DELETE /entities/{kind}/{id}    read, change fields of, remove one
    GET, POST, DELETE /faults, DELETE /faults/{name}     {"kind": ..., ...} as in faults.Rule
    GET, POST, DELETE /throttle, DELETE /throttle/{name} {"rate", "burst", "per": [...], ...} as in throttle.Limit
    POST /latency           {"seconds": 0.05, "path"?, "region"?, ...}: every call takes this long
    POST /outage            {"of": "lwa" | "api" | "NA" | "EU" | "FE", "kind": "error_503", "on": true}
    GET, DELETE /journal    ?area=&path=&region=&login=&status=&limit=
    GET  /journal/counts    ?by=path,status

Bodies are JSON objects. A mistake is answered with 400 and {"error": sentence}.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from amazon_accounts.sandbox.choices import UnknownChoiceError
from amazon_accounts.sandbox.control.billing import BillingControl
from amazon_accounts.sandbox.control.body import BadRequestError, Body, read_object, read_text
from amazon_accounts.sandbox.control.entities import Entities
from amazon_accounts.sandbox.faults.rules import BadRuleError
from amazon_accounts.sandbox.faults.throttle import BadLimitError, Limit
from amazon_accounts.sandbox.state import SCOPES, Sandbox
from amazon_accounts.sandbox.world.demo import demo_world
from amazon_accounts.sandbox.world.entities import (
    DEFAULT_CLIENT_ID,
    World,
    default_client,
)
from amazon_accounts.sandbox.world.generate import generated_world, small_world
from amazon_accounts.sandbox.world.geography import REGIONS

JOURNAL_PAGE = 1000


def control_routes(sandbox: Sandbox) -> list[Route]:
    control = Control(sandbox)
    entities = Entities(sandbox)
    billing = BillingControl(sandbox)

    def route(path: str, handle: Callable[[Request, Body], Any], *methods: str) -> Route:
        return Route(path, _answer_with(handle), methods=list(methods))

    return [
        route("/", control.summary, "GET"),
        route("/reset", control.reset, "POST"),
        route("/clock", control.clock, "GET", "POST"),
        route("/switches", control.switches, "GET", "POST"),
        route("/grants", control.grants, "POST"),
        route("/revoke", control.revoke, "POST"),
        route("/expire", control.expire, "POST"),
        route("/permissions", control.permissions, "POST"),
        route("/billing", billing.handle_all, "GET", "POST", "DELETE"),
        route("/billing/{advertiser_id}/{marketplace_id}", billing.handle_one, "GET", "DELETE"),
        route("/truth", control.truth, "GET"),
        route("/faults", control.faults, "GET", "POST", "DELETE"),
        route("/faults/{name}", control.fault, "DELETE"),
        route("/throttle", control.throttle, "GET", "POST", "DELETE"),
        route("/throttle/{name}", control.limit, "DELETE"),
        route("/latency", control.latency, "POST"),
        route("/outage", control.outage, "POST"),
        route("/journal", control.journal, "GET", "DELETE"),
        route("/journal/counts", control.counts, "GET"),
        route("/entities/{kind}", entities.handle_collection, "GET", "POST"),
        route("/entities/{kind}/{id:path}", entities.handle_one, "GET", "PATCH", "DELETE"),
    ]


def _answer_with(handle: Callable[[Request, Body], Any]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            body = read_object(await request.body())
            # As ASCII, because a name may contain half of a surrogate pair.
            return Response(json.dumps(handle(request, body)), media_type="application/json")
        except (
            UnknownChoiceError,
            BadRuleError,
            BadLimitError,
            BadRequestError,
            TypeError,
            ValueError,
        ) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        except KeyError as error:
            return JSONResponse({"error": f"There is no {error.args[0]!r}."}, status_code=404)

    return endpoint


class Control:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def summary(self, _request: Request, _body: Body) -> Body:
        sandbox = self._sandbox
        world = sandbox.world
        return {
            "what": "a sandbox Amazon; its control path is described in amazon_accounts/sandbox/control/routes.py",
            "now": sandbox.clock.moment().isoformat(),
            "seed": world.seed,
            "logins": {
                login.login_id: {
                    "name": login.name,
                    "ads_accounts": len(login.ads_accounts),
                    "profiles": len(login.profiles),
                    "manager_accounts": len(login.manager_accounts),
                }
                for login in world.logins.values()
            },
            "ads_accounts": len(world.ads_accounts),
            "profiles": len(world.profiles),
            "dsp_advertisers": len(world.dsp_advertisers),
            "switches": asdict(sandbox.choices),
            "faults": list(sandbox.faults.rules),
            "throttle": list(sandbox.throttle.limits),
            "calls": sandbox.journal.total,
        }

    def reset(self, request: Request, body: Body) -> Body:
        name = body.pop("world", None)
        seed = body.pop("seed", self._sandbox.world.seed)
        return_urls = [url for client in self._sandbox.world.clients.values() for url in client.return_urls]
        world = None if name is None else _new_world(name, seed, body)
        if world is not None:
            world.clients[DEFAULT_CLIENT_ID].return_urls = return_urls
        self._sandbox.reset(world)
        return self.summary(request, {})

    def clock(self, _request: Request, body: Body) -> Body:
        clock = self._sandbox.clock
        if "set" in body:
            clock.set(float(body["set"]))
        if "advance" in body:
            clock.advance(float(body["advance"]))
        if "frozen" in body:
            (clock.freeze if body["frozen"] else clock.run)()
        return {"now": clock.moment().isoformat(), "seconds": clock.now(), "frozen": clock.is_frozen}

    def switches(self, _request: Request, body: Body) -> Body:
        self._sandbox.choices.change(body)
        return asdict(self._sandbox.choices)

    def grants(self, _request: Request, body: Body) -> Body:
        grant = self._sandbox.grant(
            read_text(body, "login"),
            client_id=body.get("client_id", DEFAULT_CLIENT_ID),
            scopes=tuple(body.get("scopes", SCOPES)),
            consented_at=body.get("consented_at"),
        )
        grants = self._sandbox.grants
        return {
            "refresh_token": grants.new_refresh_token(grant),
            "access_token": grants.new_access_token(grant),
        }

    def revoke(self, _request: Request, body: Body) -> Body:
        self._sandbox.revoke(read_text(body, "login"), body.get("client_id", DEFAULT_CLIENT_ID))
        return {"revoked": True}

    def expire(self, _request: Request, body: Body) -> Body:
        kind = body.get("tokens", "access")
        if kind not in {"access", "refresh"}:
            raise BadRequestError("tokens is access or refresh.")
        self._sandbox.grants.end_tokens(kind, body.get("login", ""))
        return {"expired": True}

    def permissions(self, _request: Request, body: Body) -> Body:
        world = self._sandbox.world
        level = body.get("level", "edit")
        if level not in {"view", "edit", "none"}:
            raise BadRequestError("level is view, edit or none.")
        profile_id = body.get("profile_id")
        login = world.logins[read_text(body, "login")]
        world.let_see(
            login,
            ads_account_id=body.get("ads_account_id"),
            profile_id=None if profile_id is None else int(profile_id),
            manager_account_id=body.get("manager_account_id"),
            level=None if level == "none" else level,
        )
        return asdict(login)

    def truth(self, request: Request, _body: Body) -> Body:
        return self._sandbox.truth(request.query_params["login"])

    def faults(self, request: Request, body: Body) -> Any:
        if request.method == "DELETE":
            self._sandbox.faults.clear()
        if request.method == "POST":
            return asdict(self._sandbox.faults.add(read_text(body, "kind", pop=True), **body))
        return [asdict(rule) for rule in self._sandbox.faults.rules.values()]

    def fault(self, request: Request, _body: Body) -> Any:
        self._sandbox.faults.remove(request.path_params["name"])
        return []

    def throttle(self, request: Request, body: Body) -> Any:
        if request.method == "DELETE":
            self._sandbox.throttle.lift()
        if request.method == "POST":
            body["per"] = tuple(body.get("per", ()))
            self._sandbox.throttle.limit(body.pop("rate"), body.pop("burst", None), **body)
        return [_describe_limit(limit) for limit in self._sandbox.throttle.limits.values()]

    def limit(self, request: Request, _body: Body) -> Any:
        self._sandbox.throttle.lift(request.path_params["name"])
        return []

    def latency(self, _request: Request, body: Body) -> Any:
        rule = self._sandbox.faults.add("slow", **({"name": "latency", **body}))
        return asdict(rule)

    def outage(self, _request: Request, body: Body) -> Any:
        of = read_text(body, "of")
        name = f"outage-{of}"
        self._sandbox.faults.rules.pop(name, None)
        if not body.get("on", True):
            return {"of": of, "on": False}
        if of in REGIONS:
            where: dict[str, Any] = {"region": of, "area": "api"}
        elif of in {"lwa", "api"}:
            where = {"area": "token" if of == "lwa" else "api"}
        else:
            raise BadRequestError(f"of is lwa, api, {', '.join(REGIONS)}.")
        return asdict(self._sandbox.faults.add(body.get("kind", "error_503"), name=name, **where))

    def journal(self, request: Request, _body: Body) -> Any:
        if request.method == "DELETE":
            self._sandbox.journal.clear()
        criteria = dict(request.query_params)
        limit = int(criteria.pop("limit", JOURNAL_PAGE))
        entries = self._sandbox.journal.entries(**criteria)
        return {
            "total": len(entries),
            "entries": [entry.as_dict() for entry in entries[-limit:]] if limit else [],
        }

    def counts(self, request: Request, _body: Body) -> Any:
        by = request.query_params.get("by", "area,path,status").split(",")
        counted = self._sandbox.journal.counts(by)
        return [
            dict(zip(by, values, strict=True)) | {"calls": calls}
            for values, calls in sorted(counted.items(), key=str)
        ]


def _new_world(name: str, seed: int, details: Body) -> World:
    if name == "generated":
        if "regions" in details:
            details["regions"] = tuple(details["regions"])
        return generated_world(seed=seed, **details)
    if name == "demo":
        return demo_world(seed)
    if name == "small":
        return small_world(seed)
    if name == "empty":
        world = World(seed)
        world.add_client(default_client([]))
        return world
    raise BadRequestError("world is demo, small, generated or empty.")


def _describe_limit(limit: Limit) -> Body:
    return {field.name: getattr(limit, field.name) for field in fields(limit) if field.repr}
