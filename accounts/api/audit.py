"""The audit trail."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import examples
from accounts.api.authentication import get_person
from accounts.api.documentation import build_page_example, describe, describe_page
from accounts.api.lists import PageParameters, Word, check_team, read_parameters, respond_with_rows
from accounts.api.representation import ReadOnlySerializer
from amazon_accounts.web.problems import NOT_FOUND
from tokens.models import AuditEntry
from tokens.people.audit.query import VIEW, AuditQuery, find_entries

MAX_LENGTH = 200


class AuditParameters(PageParameters):
    action = serializers.RegexField(
        r"^[a-z_]+\.[a-z_]+$", max_length=64, required=False, help_text="Such as `connection.disconnect`."
    )
    actor = serializers.CharField(
        max_length=MAX_LENGTH, required=False, help_text="The user name that the person had then."
    )
    object = serializers.CharField(
        max_length=MAX_LENGTH, required=False, help_text="The id of what something was done to."
    )
    team = serializers.UUIDField(required=False, help_text="The id of the team.")
    outcome = Word(AuditEntry.Outcome, required=False)
    since = serializers.DateTimeField(required=False, help_text="Entries at or after this time.")
    until = serializers.DateTimeField(required=False, help_text="Entries before this time.")


class AuditEntrySerializer(ReadOnlySerializer):
    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    actor_kind = Word(AuditEntry.ActorKind)
    actor_id = serializers.IntegerField(
        allow_null=True, help_text="The person, also if a key of theirs did it."
    )
    actor_name = serializers.CharField(allow_blank=True, help_text="The user name, or the command.")
    key_id = serializers.CharField(allow_blank=True)
    key_name = serializers.CharField(allow_blank=True)
    action = serializers.CharField()
    object_type = serializers.CharField(allow_blank=True)
    object_id = serializers.CharField(allow_blank=True)
    object_name = serializers.CharField(
        allow_blank=True, help_text="Empty for connections and accounts: their names can be erased."
    )
    team_id = serializers.UUIDField(allow_null=True)
    team_name = serializers.CharField(allow_blank=True)
    address = serializers.IPAddressField(allow_null=True, help_text="Where the request came from.")
    request_id = serializers.CharField(allow_blank=True, help_text="The header `X-Request-ID` of the answer.")
    outcome = Word(AuditEntry.Outcome)
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)


class AuditList(APIView):
    @describe(
        "List the audit trail",
        "Who did what to which object, newest first.",
        operation_id="list_audit_entries",
        parameters=[AuditParameters],
        response=describe_page(AuditEntrySerializer),
        example=build_page_example(examples.AUDIT_ENTRY),
        permission=VIEW,
        errors=[NOT_FOUND],
    )
    def get(self, request: Request) -> Response:
        given: dict[str, Any] = read_parameters(request, AuditParameters)
        asked = {name: given[name] for name in AuditQuery.__dataclass_fields__ if name in given}
        if "team" in asked:
            check_team(request, asked["team"], VIEW)
        entries = find_entries(get_person(request), AuditQuery(**asked))
        return respond_with_rows(request, entries, "-at", AuditEntrySerializer, given)
