"""Histories of syncs, of changes of accounts, and of token refreshes, newest first."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import F
from django.http import Http404
from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import documentation, examples
from accounts.api.authentication import get_person
from accounts.api.documentation import build_page_example, describe, describe_page
from accounts.api.lists import PageParameters, Word, read_parameters, respond_with_rows
from accounts.api.representation import ReadOnlySerializer
from accounts.models import Account, AccountChange, SyncRun
from accounts.models.changes import AccountChangeQuerySet
from amazon_accounts.web.problems import NOT_FOUND
from tokens.models import Connection, TokenRefresh

MAX_ID: Final = 2**63 - 1


class SyncRunListParameters(PageParameters):
    connection = serializers.UUIDField(required=False, help_text="Our id of the connection.")
    state = Word(SyncRun.State, required=False)


class SyncRunSerializer(ReadOnlySerializer):
    id = serializers.UUIDField()
    connection = serializers.UUIDField(source="connection_id")
    trigger = Word(SyncRun.Trigger)
    state = Word(SyncRun.State)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    seen = serializers.IntegerField()
    created = serializers.IntegerField()
    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    gone = serializers.IntegerField()
    rejected = serializers.IntegerField()
    requests = serializers.IntegerField(help_text="Calls made to Amazon.")
    throttled = serializers.IntegerField(help_text="Calls that Amazon answered with 429.")
    error = serializers.CharField(allow_blank=True)
    cause = serializers.CharField(
        allow_blank=True,
        help_text="Why not all was read, in one word such as `login_refused` or `no_answer`; empty: not known.",
    )
    sources = serializers.JSONField(help_text="The outcome of each source, by region.")


class SyncRunList(APIView):
    @describe(
        "List syncs",
        "Newest first, with the outcome of each source in each region.",
        operation_id="list_sync_runs",
        parameters=[SyncRunListParameters],
        response=describe_page(SyncRunSerializer),
        example=build_page_example(examples.RUN),
        errors=[NOT_FOUND],
        behind=documentation.SYNC,
    )
    def get(self, request: Request) -> Response:
        given = read_parameters(request, SyncRunListParameters)
        runs = SyncRun.objects.visible_to(get_person(request))
        if "connection" in given:
            runs = runs.filter(connection=_check_visible_connection(request, given["connection"]))
        if "state" in given:
            runs = runs.filter(state=given["state"])
        return respond_with_rows(request, runs, "-created_at", SyncRunSerializer, given)


class ChangeListParameters(PageParameters):
    since = serializers.DateTimeField(required=False, help_text="Changes at or after this time.")
    kind = Word(AccountChange.Kind, required=False)


class ChangeFeedParameters(ChangeListParameters):
    after = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=MAX_ID,
        help_text="The id of a change: the list ascends, and begins with the change after it; 0 is the first one.",
    )


class ChangeSerializer(ReadOnlySerializer):
    id = serializers.IntegerField()
    account = serializers.UUIDField(source="account_id")
    kind = Word(AccountChange.Kind)
    profile_id = serializers.CharField(allow_blank=True)
    old = serializers.JSONField(allow_null=True)
    new = serializers.JSONField(allow_null=True)
    changed_at = serializers.DateTimeField()
    run = serializers.UUIDField(
        source="visible_run",
        allow_null=True,
        help_text="The sync that found the change; null if a person made it, or if you do not see the sync.",
    )
    changed_by = serializers.CharField(
        source="changed_by_name",
        allow_null=True,
        help_text="The user name of the person who made the change; null if a sync or a command made it.",
    )


class ChangeList(APIView):
    @describe(
        "List changes of accounts",
        "What syncs and people changed, newest first.\n\n"
        "With `after` the list ascends instead: changes come in the order in which they became known, a few seconds after they "
        "happened, and never before a change that is in the list already. A program that asks with `after` for the changes "
        "after the last change that it knows misses none, also when a large sync is committed late. Begin with `after=0`. Changes from "
        "before the upgrade to this version are not in the ascending list.",
        operation_id="list_changes",
        parameters=[ChangeFeedParameters],
        response=describe_page(ChangeSerializer),
        example=build_page_example(examples.CHANGE),
    )
    def get(self, request: Request) -> Response:
        given: dict[str, Any] = read_parameters(request, ChangeFeedParameters)
        changes = AccountChange.objects.visible_to(get_person(request))
        if "after" not in given:
            return _respond_with_changes(request, changes, given)
        return _respond_with_changes(request, _select_after(changes, given["after"]), given, "number")


class AccountChangeList(APIView):
    @describe(
        "List changes of an account",
        "What syncs and people changed, newest first.",
        operation_id="list_account_changes",
        parameters=[ChangeListParameters],
        response=describe_page(ChangeSerializer),
        example=build_page_example(examples.CHANGE),
        errors=[NOT_FOUND],
    )
    def get(self, request: Request, account_id: UUID) -> Response:
        account = get_object_or_404(Account.objects.visible_to(get_person(request)).only("pk"), pk=account_id)
        given: dict[str, Any] = read_parameters(request, ChangeListParameters)
        return _respond_with_changes(request, AccountChange.objects.filter(account=account), given)


def _select_after(changes: AccountChangeQuerySet, change_id: int) -> AccountChangeQuerySet:
    """Keep the placed changes after this one. What has no place yet comes after all that have one."""
    if not change_id:
        return changes.filter(number__gt=0)
    known = changes.filter(pk=change_id).values_list("number", flat=True)
    if not known:
        raise ValidationError({"after": "You see no change with this id. Begin with after=0."})
    return changes.none() if known[0] is None else changes.filter(number__gt=max(known[0], 0))


def _respond_with_changes(
    request: Request, changes: AccountChangeQuerySet, given: Mapping[str, Any], ordering: str = "-changed_at"
) -> Response:
    if "since" in given:
        changes = changes.filter(changed_at__gte=given["since"])
    if "kind" in given:
        changes = changes.filter(kind=given["kind"])
    changes = changes.with_visible_run(get_person(request)).annotate(
        changed_by_name=F("changed_by__username")
    )
    return respond_with_rows(request, changes, ordering, ChangeSerializer, given, unique=ordering == "number")


class RefreshListParameters(PageParameters):
    outcome = Word(TokenRefresh.Outcome, required=False)


class RefreshSerializer(ReadOnlySerializer):
    id = serializers.UUIDField()
    trigger = Word(TokenRefresh.Trigger)
    tries = serializers.IntegerField(help_text="Calls made to Amazon.")
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    outcome = Word(TokenRefresh.Outcome, allow_null=True, help_text="null: it has not ended.")
    error_code = serializers.CharField(allow_blank=True)
    error = serializers.CharField(allow_blank=True)
    request_id = serializers.CharField(allow_blank=True, help_text="The id that Amazon gave its answer.")
    new_expires_at = serializers.DateTimeField(allow_null=True)


class RefreshList(APIView):
    @describe(
        "List the refreshes of a connection's token",
        "Newest first. The answer never contains a token.",
        operation_id="list_refreshes",
        parameters=[RefreshListParameters],
        response=describe_page(RefreshSerializer),
        example=build_page_example(examples.REFRESH),
        errors=[NOT_FOUND],
        behind=[documentation.REFRESH],
    )
    def get(self, request: Request, connection_id: UUID) -> Response:
        given = read_parameters(request, RefreshListParameters)
        refreshes = TokenRefresh.objects.filter(connection=_check_visible_connection(request, connection_id))
        if "outcome" in given:
            refreshes = refreshes.filter(outcome=given["outcome"])
        return respond_with_rows(request, refreshes, "-started_at", RefreshSerializer, given)


def _check_visible_connection(request: Request, connection_id: UUID) -> UUID:
    if not Connection.objects.visible_to(get_person(request)).filter(pk=connection_id).exists():
        raise Http404
    return connection_id
