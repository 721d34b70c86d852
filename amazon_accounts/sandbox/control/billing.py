"""`/_sandbox/billing`: what Amazon's billing says about each pair of advertiser and marketplace."""

from dataclasses import asdict
from typing import Any

from starlette.requests import Request

from amazon_accounts.sandbox.control.body import BadRequestError, Body, read_text
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import Billing, Notification, Pair, World


class BillingControl:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def handle_all(self, request: Request, body: Body) -> Any:
        world = self._sandbox.world
        if request.method == "DELETE":
            world.billing.clear()
        if request.method == "POST":
            pair = _read_pair(world, body)
            body["notifications"] = [Notification(**each) for each in body.get("notifications", ())]
            world.billing[pair] = Billing(**body)
            return _describe(world, pair)
        return [_describe(world, each) for each in world.billing]

    def handle_one(self, request: Request, _body: Body) -> Body:
        world = self._sandbox.world
        pair = (request.path_params["advertiser_id"], request.path_params["marketplace_id"])
        _check_pair(world, pair)
        if request.method == "DELETE":
            world.billing.pop(pair, None)
        return _describe(world, pair)


def _read_pair(world: World, body: Body) -> Pair:
    """Take the pair out of the body: of a profile, or as its two ids."""
    profile_id = body.pop("profile_id", None)
    if profile_id is not None:
        return world.profiles[int(profile_id)].pair
    pair = read_text(body, "advertiser_id", pop=True), read_text(body, "marketplace_id", pop=True)
    _check_pair(world, pair)
    return pair


def _check_pair(world: World, pair: Pair) -> None:
    # The billing of a misspelt pair would never be shown, and its test would pass for the wrong reason.
    if all(profile.pair != pair for profile in world.profiles.values()):
        raise BadRequestError(f"No profile belongs to {pair[0]!r} in {pair[1]!r}.")


def _describe(world: World, pair: Pair) -> Body:
    billing = world.billing.get(pair, Billing())
    return {"advertiser_id": pair[0], "marketplace_id": pair[1], **asdict(billing)}
