"""What the audit trail says of a batch: each team that it concerns has an entry with the number of its rows."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db.models import Count, QuerySet

from accounts.models import BatchOperation
from tokens.connect.update import describe_changes
from tokens.people.audit import AuditedObject


def name_batch(batch: BatchOperation, of_teams: Mapping[UUID, Mapping[str, Any]]) -> list[AuditedObject]:
    """Return the batch for the trail of each team, with what the entry of this team alone says.

    Without teams the entry is for superusers.
    """
    named = AuditedObject.of(batch)
    return [replace(named, team_id=team, details=details) for team, details in of_teams.items()] or [named]


def describe_batch(batch: BatchOperation) -> dict[str, Any]:
    """Return what every entry says. The values of a filter may be names."""
    is_of_accounts = batch.subject == BatchOperation.Subject.ACCOUNTS
    return {
        "operation": str(batch.operation),
        "options": batch.options if is_of_accounts else describe_changes(batch.options),
        "filtered_by": None if batch.filter is None else sorted(batch.filter),
    }


def count_by_team(items: QuerySet[Any], batch: BatchOperation, name: str) -> dict[UUID, dict[str, int]]:
    """Return for each team that has accounts or connections among the items their number, under this name."""
    numbers = items.order_by().values_list(f"{batch.noun}__team").annotate(number=Count("batch"))
    return {team: {name: number} for team, number in numbers}
