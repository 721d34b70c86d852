"""Writing entries of the audit trail."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import AnonymousUser, Group, User
from django.db.models import Model

from amazon_accounts.logs.trace import read_trace
from tokens.models import ApiKey, AuditEntry, Team
from tokens.models.audit import MAX_AUDITED_NAME
from tokens.people.audit.actions import Action
from tokens.people.audit.origin import Origin, get_origin
from tokens.permissions import System

Kind = AuditEntry.ActorKind
Outcome = AuditEntry.Outcome
Values = Mapping[str, Any]

# Where the name of the model is not the word that people use.
TYPES: Final = {
    "alertaddress": "alert_address",
    "apikey": "api_key",
    "authenticator": "second_factor",
    "batchoperation": "batch",
    "connectlink": "connect_link",
    "savedview": "view",
    "socialaccount": "single_sign_on",
    "user": "person",
}


@dataclass(frozen=True)
class AuditedObject:
    """What something was done to, as the trail names it. For what is no row, or is no row any more."""

    type: str
    id: str = ""
    name: str = ""
    team_id: UUID | None = None
    # What only the entry of this object says, beside what is the same for all.
    details: Values = field(default_factory=dict)

    @classmethod
    def of(cls, row: Model) -> "AuditedObject":
        return cls(
            type=TYPES.get(str(row._meta.model_name), str(row._meta.model_name)),
            id=str(row.pk),
            name=_name(row),
            team_id=getattr(row, "team_id", None),
        )


def record_audit(
    actor: User | AnonymousUser | System | None,
    action: Action | str,
    obj: Model | AuditedObject | None,
    *,
    before: Values | None = None,
    after: Values | None = None,
    outcome: AuditEntry.Outcome = Outcome.DONE,
) -> None:
    """Write one entry, in the transaction of the caller. None is an actor of whom nothing is known.

    `before` and `after` hold no secret, no address of a person, and no name or e-mail of an Amazon login or account:
    the trail cannot be changed when a login is forgotten.
    """
    record_many(actor, action, [obj], before=before, after=after, outcome=outcome)


def record_many(
    actor: User | AnonymousUser | System | None,
    action: Action | str,
    objects: Iterable[Model | AuditedObject | None],
    *,
    before: Values | None = None,
    after: Values | None = None,
    outcome: AuditEntry.Outcome = Outcome.DONE,
) -> None:
    """Write an entry for each of the objects, to all of which the same was done.

    What concerns several teams is named once for each team: its administrators read it in their trail.
    """
    origin = get_origin()
    shared = {
        **_describe_actor(actor, origin),
        "action": action,
        "address": origin.address,
        "request_id": read_trace().request_id,
        "outcome": outcome,
        "before": before,
    }
    named = [AuditedObject.of(obj) if isinstance(obj, Model) else obj or AuditedObject("") for obj in objects]
    teams = _read_team_names({each.team_id for each in named if each.team_id})
    AuditEntry.objects.bulk_create(
        AuditEntry(
            **shared,
            object_type=each.type,
            object_id=each.id,
            object_name=_cut(each.name),
            team_id=each.team_id,
            team_name=teams.get(each.team_id, ""),
            after={**(after or {}), **each.details} if each.details else after,
        )
        for each in named
    )


def _read_team_names(ids: set[UUID]) -> dict[UUID | None, str]:
    return dict(Team.objects.filter(pk__in=ids).values_list("pk", "name")) if ids else {}


def _describe_actor(actor: User | AnonymousUser | System | None, origin: Origin) -> dict[str, Any]:
    if isinstance(actor, User):
        return {
            "actor_kind": Kind.KEY if origin.key_id else Kind.PERSON,
            "actor_id": actor.pk,
            "actor_name": _cut(actor.get_username()),
            "key_id": origin.key_id,
            "key_name": _cut(origin.key_name),
        }
    if not isinstance(actor, System):
        return {"actor_kind": Kind.NOBODY}
    if origin.command:
        return {"actor_kind": Kind.COMMAND, "actor_name": _cut(origin.command)}
    return {"actor_kind": Kind.SYSTEM}


def _name(row: Model) -> str:
    # Labels of connections and names of accounts may name an Amazon login: pages look them up by the id.
    match row:
        case User():
            return row.get_username()
        case Group():
            return row.name
        case ApiKey():
            return f"{row.name} of {row.user or row.team}"
        case Authenticator():
            return f"{row.type} of {row.user.get_username()}"
        case _:
            return str(getattr(row, "audited_name", ""))


def _cut(text: str) -> str:
    return text[:MAX_AUDITED_NAME]
