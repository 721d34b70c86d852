"""`/_sandbox/entities/`: the entities of the world as JSON, to read, add, change and remove."""

from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

from starlette.requests import Request

from amazon_accounts.sandbox.control.body import BadRequestError, Body
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world.entities import (
    AdsAccount,
    Alternate,
    Client,
    DspAdvertiser,
    Link,
    Login,
    ManagerAccount,
    Profile,
)

KINDS: dict[str, type[Any]] = {
    "clients": Client,
    "logins": Login,
    "ads_accounts": AdsAccount,
    "profiles": Profile,
    "manager_accounts": ManagerAccount,
    "dsp_advertisers": DspAdvertiser,
}
NESTED: dict[tuple[type[Any], str], type[Any]] = {
    (AdsAccount, "alternates"): Alternate,
    (ManagerAccount, "links"): Link,
}


class Entities:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def handle_collection(self, request: Request, body: Body) -> Any:
        kind = request.path_params["kind"]
        if request.method == "POST":
            return asdict(self._add(kind, body))
        return [asdict(each) for each in self._find_all(kind).values()]

    def handle_one(self, request: Request, body: Body) -> Any:
        kind = request.path_params["kind"]
        entity_id = _read_id(kind, request.path_params["id"])
        entity = self._find_all(kind)[entity_id]
        if request.method == "DELETE":
            self._remove(kind, entity_id)
        if request.method == "PATCH":
            _patch(entity, body)
        return asdict(entity)

    def _find_all(self, kind: str) -> dict[Any, Any]:
        if kind not in KINDS:
            raise BadRequestError(f"No kind of entity is called {kind!r}; there are {', '.join(KINDS)}.")
        entities: dict[Any, Any] = getattr(self._sandbox.world, kind)
        return entities

    def _add(self, kind: str, body: Body) -> Any:
        self._find_all(kind)
        world = self._sandbox.world
        level = body.pop("level", "edit")
        logins = [world.logins[each] for each in body.pop("logins", [])]
        entity = KINDS[kind](**_read_fields(KINDS[kind], body))
        if isinstance(entity, Client):
            return world.add_client(entity)
        if isinstance(entity, Login):
            world.logins[entity.login_id] = entity
            return entity
        if isinstance(entity, AdsAccount):
            return world.add_ads_account(entity, *logins)
        if isinstance(entity, Profile):
            return world.add_profile(entity, *logins, level=level)
        if isinstance(entity, ManagerAccount):
            return world.add_manager_account(entity, *logins)
        return world.add_dsp_advertiser(entity)

    def _remove(self, kind: str, entity_id: Any) -> None:
        world = self._sandbox.world
        remove: dict[str, Callable[[Any], Any]] = {
            "clients": world.clients.pop,
            "logins": world.remove_login,
            "ads_accounts": world.remove_ads_account,
            "profiles": world.remove_profile,
            "manager_accounts": world.remove_manager_account,
            "dsp_advertisers": world.remove_dsp_advertiser,
        }
        remove[kind](entity_id)


def _read_id(kind: str, text: str) -> str | int:
    return int(text) if kind == "profiles" else text


def _read_fields(type_: type[Any], body: Body) -> Body:
    """The fields of an entity as Python has them: inner entities made, profile ids as numbers."""
    made = dict(body)
    for name, value in body.items():
        inner = NESTED.get((type_, name))
        if inner is not None:
            made[name] = [inner(**each) for each in value]
        elif type_ is Login and name == "profiles":
            made[name] = {int(profile_id): level for profile_id, level in value.items()}
    return made


def _patch(entity: Any, body: Body) -> None:
    known = {field.name for field in fields(entity)}
    unknown = set(body) - known
    if unknown:
        raise BadRequestError(
            f"No field is called {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}."
        )
    for name, value in _read_fields(type(entity), body).items():
        setattr(entity, name, value)
