"""The export of accounts."""

from typing import Any

from django.db.models import Exists, OuterRef
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.api.authentication import get_person
from accounts.api.documentation import describe, describe_filters
from accounts.api.lists import Word, read_parameters
from accounts.lists.export import stream_accounts
from accounts.lists.filters import filter_accounts
from accounts.lists.parameters import PAGE_PARAMETERS, AccountFilterSet, read_account_query
from accounts.models.account import AccountQuerySet
from amazon_accounts.postgresql.clock import approximate_now
from amazon_accounts.web.problems import NOT_FOUND
from tokens.models import Team
from tokens.people.audit import Action, AuditedObject, record_many

EXCEL = "excel"
MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


class ExportParameters(serializers.Serializer[Any]):
    format = Word(list(MEDIA_TYPES), default="csv", help_text="CSV with a header, or JSON Lines.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # `for` is a word of Python, so it cannot be declared.
        excel = Word(
            [EXCEL],
            required=False,
            help_text="CSV that Excel shows as it is: UTF-8 with a mark, ids as text.",
        )
        return {**super().get_fields(), "for": excel}

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if "for" in given and given["format"] != "csv":
            raise serializers.ValidationError({"for": "Only CSV can be made for Excel."})
        return given


class CSVRenderer(BaseRenderer):
    # Only for the negotiation of the media type: the stream renders itself.
    media_type = "text/csv"
    format = "csv"


class JSONLinesRenderer(CSVRenderer):
    media_type = "application/x-ndjson"
    format = "jsonl"


def _name_exported(accounts: AccountQuerySet) -> list[AuditedObject]:
    """Return the accounts for the trail of each of their teams."""
    of_team = accounts.order_by().filter(team=OuterRef("pk"))
    teams = Team.objects.filter(Exists(of_team)).order_by("pk").values_list("pk", flat=True)
    return [AuditedObject("accounts", team_id=team) for team in teams] or [AuditedObject("accounts")]


class AccountExport(APIView):
    # The first renderer also renders errors.
    renderer_classes = [JSONRenderer, CSVRenderer, JSONLinesRenderer]

    @describe(
        "Export accounts",
        "Streams all accounts that match, ordered by id. In CSV, a text that a spreadsheet would read as a formula"
        " begins with a quote. `for=excel` makes CSV for Excel. The query string of the accounts page in the dashboard is valid here, too; its"
        " `ordering`, `cursor`, `page_size` and `view` change nothing.",
        operation_id="export_accounts",
        parameters=[*describe_filters(AccountFilterSet), ExportParameters],
        response={(200, "text/csv"): OpenApiTypes.STR, (200, "application/x-ndjson"): OpenApiTypes.STR},
        errors=[NOT_FOUND],
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        given = read_parameters(request, ExportParameters, alone=False)
        format_ = given["format"]
        query = read_account_query(request.query_params, ignored=[*PAGE_PARAMETERS, "format", "for"]).check()
        accounts = filter_accounts(get_person(request), query)
        record_many(
            get_person(request),
            Action.ACCOUNTS_EXPORT,
            _name_exported(accounts),
            # The values of a filter may be names of accounts.
            after={"format": format_, "filtered_by": sorted(query.filters)},
        )
        today = approximate_now().date()
        return StreamingHttpResponse(
            stream_accounts(accounts, format_, for_excel=given.get("for") == EXCEL),
            content_type=MEDIA_TYPES[format_],
            headers={"Content-Disposition": f'attachment; filename="accounts-{today}.{format_}"'},
        )
