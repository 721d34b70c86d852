"""Histories: syncs, changes of accounts, refreshes of tokens. Newest first."""

from typing import Any
from uuid import UUID

from django.http import Http404
from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.authentication import person
from accounts.api.lists import PageParameters, Word, page_response, read_parameters
from accounts.models import Account, AccountChange, SyncRun
from accounts.pagination import KeysetPaginator
from tokens.models import Connection, TokenRefresh


class SyncRunListParameters(PageParameters):
    connection = serializers.UUIDField(required=False, help_text="Our id of the connection.")
    state = Word(SyncRun.State, required=False)


class SyncRunSerializer(serializers.Serializer[Any]):
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
    throttled = serializers.IntegerField(help_text="Calls that Amazon refused for being too many.")
    error = serializers.CharField(allow_blank=True)
    sources = serializers.JSONField(help_text="What came of each source, per region.")


class SyncRunList(APIView):
    def get(self, request: Request) -> Response:
        given = read_parameters(request, SyncRunListParameters)
        runs = SyncRun.objects.all()
        if not person(request).has_perm("accounts.view_all_accounts"):
            runs = runs.filter(connection__owner=person(request))
        if "connection" in given:
            runs = runs.filter(connection=_connection(request, given["connection"]))
        if "state" in given:
            runs = runs.filter(state=given["state"])
        paginator = KeysetPaginator(runs, "-created_at", given["page_size"])
        return page_response(
            request, paginator, lambda rows: SyncRunSerializer(rows, many=True).data, given.get("cursor")
        )


class ChangeListParameters(PageParameters):
    since = serializers.DateTimeField(required=False, help_text="Changes at or after this time.")
    kind = Word(AccountChange.Kind, required=False)


class ChangeSerializer(serializers.Serializer[Any]):
    account = serializers.UUIDField(source="account_id")
    kind = Word(AccountChange.Kind)
    profile_id = serializers.CharField(allow_blank=True)
    old = serializers.JSONField(allow_null=True)
    new = serializers.JSONField(allow_null=True)
    changed_at = serializers.DateTimeField()
    run = serializers.UUIDField(
        source="run_id", allow_null=True, help_text="The sync that found it, if one did."
    )


class ChangeList(APIView):
    """Changes of all accounts, or of one."""

    def get(self, request: Request, account_id: UUID | None = None) -> Response:
        given = read_parameters(request, ChangeListParameters)
        accounts = Account.objects.visible_to(person(request))
        changes = AccountChange.objects.all()
        if account_id is not None:
            changes = changes.filter(account=get_object_or_404(accounts.only("pk"), pk=account_id))
        elif not person(request).has_perm("accounts.view_all_accounts"):
            changes = changes.filter(account__in=accounts)
        if "since" in given:
            changes = changes.filter(changed_at__gte=given["since"])
        if "kind" in given:
            changes = changes.filter(kind=given["kind"])
        paginator = KeysetPaginator(changes, "-changed_at", given["page_size"])
        return page_response(
            request, paginator, lambda rows: ChangeSerializer(rows, many=True).data, given.get("cursor")
        )


class RefreshListParameters(PageParameters):
    outcome = Word(TokenRefresh.Outcome, required=False)


class RefreshSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    trigger = Word(TokenRefresh.Trigger)
    tries = serializers.IntegerField(help_text="Calls made to Amazon.")
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    outcome = Word(TokenRefresh.Outcome, allow_null=True, help_text="null: under way.")
    error_code = serializers.CharField(allow_blank=True)
    error = serializers.CharField(allow_blank=True)
    request_id = serializers.CharField(allow_blank=True, help_text="Amazon's id of its answer.")
    new_expires_at = serializers.DateTimeField(allow_null=True)


class RefreshList(APIView):
    def get(self, request: Request, connection_id: UUID) -> Response:
        given = read_parameters(request, RefreshListParameters)
        refreshes = TokenRefresh.objects.filter(connection=_connection(request, connection_id))
        if "outcome" in given:
            refreshes = refreshes.filter(outcome=given["outcome"])
        paginator = KeysetPaginator(refreshes, "-started_at", given["page_size"])
        return page_response(
            request, paginator, lambda rows: RefreshSerializer(rows, many=True).data, given.get("cursor")
        )


def _connection(request: Request, connection_id: UUID) -> UUID:
    if not Connection.objects.visible_to(person(request)).filter(pk=connection_id).exists():
        raise Http404
    return connection_id
