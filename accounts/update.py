"""Changing what operators say about one account: its labels, whether it is the default, whether it is synced."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F, Q, Subquery
from django.db.models.functions import Greatest, Now

from accounts.errors import build_validation_error
from accounts.models import Account
from amazon_accounts.labels import find_error_in_labels, merge_labels
from tokens.people.audit import Action, record_audit
from tokens.permissions import require
from tokens.request_order import note_request, number_fields, take_request_number

CHANGEABLE = ("labels", "is_default", "sync_enabled")


class VersionConflictError(Exception):
    """The account has changed since it was read."""


def update_account(
    user: User, account_id: UUID, changes: Any, *, versions: Collection[datetime] | None = None
) -> None:
    """Change `labels` (a string sets a label, None removes it), `is_default` and `sync_enabled`, where given.

    `versions` are values of `updated_at`. If they are given and the account has none of them, somebody else has
    changed it: VersionConflictError. Raises Account.DoesNotExist, ValidationError and PermissionDenied.
    """
    checked = check_changes(changes, CHANGEABLE)
    try:
        _update(user, account_id, checked, versions)
    except IntegrityError:
        # Two requests made two accounts the default at once. A second try sees the other default and ends it.
        _update(user, account_id, checked, versions)


@transaction.atomic
def _update(
    user: User, account_id: UUID, changes: dict[str, Any], versions: Collection[datetime] | None
) -> None:
    # An account that the person does not see is not found, whatever the person may do.
    account, *others = _lock(user, account_id, with_default=bool(changes.get("is_default")))
    require(user, "accounts.update_account", account)
    if versions is not None and account.updated_at not in versions:
        raise VersionConflictError
    new = dict(changes)
    if "labels" in new:
        new["labels"] = merge_labels(account.labels, new["labels"])
    if fields := number_fields(changes):
        # Taken while the account is locked, so no request that has changed the account has a larger number. It is
        # stored even if no value changes: older requests that still wait must not change the fields.
        account.request_numbers = note_request(account.request_numbers, fields, take_request_number())
    if all(getattr(account, name) == value for name, value in new.items()):
        if fields:
            account.save(update_fields=["request_numbers"])
        return
    before = {name: getattr(account, name) for name, value in new.items() if getattr(account, name) != value}
    for other in others:
        _save(other, {"is_default": False})
    _save(account, {**new, "request_numbers": account.request_numbers})
    record_audit(
        user, Action.ACCOUNT_UPDATE, account, before=before, after={name: new[name] for name in before}
    )


def _lock(user: User, account_id: UUID, *, with_default: bool) -> list[Account]:
    # The account is returned first, then the default account of its team. Both are locked in the order of ids, so that
    # two requests cannot wait for each other.
    wanted = Q(pk=account_id)
    if with_default:
        team = Account.objects.filter(pk=account_id).values("team")
        wanted |= Q(team=Subquery(team), is_default=True)
    locked = Account.objects.visible_to(user).filter(wanted).order_by("pk").select_for_update(no_key=True)
    accounts = sorted(locked, key=lambda account: account.pk != account_id)
    if not accounts or accounts[0].pk != account_id:
        raise Account.DoesNotExist
    return accounts


def _save(account: Account, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(account, name, value)
    # The version grows, also when the clock of the database was set back.
    account.updated_at = Greatest(Now(), F("updated_at") + timedelta(microseconds=1))
    account.save(update_fields=[*values, "updated_at"])


def check_changes(changes: Any, offered: Collection[str], *, within: str = "") -> dict[str, Any]:
    # The errors name the fields as they stand in the request; `within` is the field around the changes.
    if not isinstance(changes, dict):
        raise ValidationError({within: f"It must be an object with any of: {', '.join(offered)}."})
    prefix = f"{within}." if within else ""
    unknown = f"There is no such field. The fields are: {', '.join(offered)}."
    errors = {}
    for name, value in changes.items():
        if name not in offered:
            errors[f"{prefix}{name[:60]}"] = unknown
        elif name == "labels":
            if error := find_error_in_labels(value):
                errors[f"{prefix}labels"] = error
        elif not isinstance(value, bool):
            errors[f"{prefix}{name}"] = "It must be true or false."
    if errors:
        raise build_validation_error(errors)
    return changes
