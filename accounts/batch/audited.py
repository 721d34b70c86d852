"""What the audit trail says of a batch: each team whose accounts it concerns has an entry with their number."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db.models import Count, QuerySet

from accounts.models import BatchItem, BatchOperation
from tokens.people.audit import AuditedObject


def name_batch(batch: BatchOperation, of_teams: Mapping[UUID, Mapping[str, Any]]) -> list[AuditedObject]:
    """Return the batch for the trail of each team, with what the entry of this team alone says.

    Without teams the entry is for superusers.
    """
    named = AuditedObject.of(batch)
    return [replace(named, team_id=team, details=details) for team, details in of_teams.items()] or [named]


def describe_batch(batch: BatchOperation) -> dict[str, Any]:
    """Return what every entry says. The values of a filter may be names of accounts."""
    return {
        "operation": str(batch.operation),
        "options": batch.options,
        "filtered_by": None if batch.filter is None else sorted(batch.filter),
    }


def count_by_team(items: QuerySet[BatchItem], name: str) -> dict[UUID, dict[str, int]]:
    """Return for each team that has accounts among the items their number, under this name."""
    numbers = items.order_by().values_list("account__team").annotate(number=Count("account"))
    return {team: {name: number} for team, number in numbers}
