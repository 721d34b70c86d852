"""The export of accounts."""

from typing import Any

from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.api.accounts import represented, with_relations
from accounts.api.authentication import person
from accounts.api.documentation import account_filters, describe
from accounts.api.lists import Word, read_parameters
from accounts.lists.export import stream_accounts
from accounts.lists.filters import filter_accounts
from accounts.lists.parameters import read_account_query

MEDIA_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


class ExportParameters(serializers.Serializer[Any]):
    format = Word(list(MEDIA_TYPES), default="csv", help_text="CSV with a header, or JSON Lines.")


class CSVRenderer(BaseRenderer):
    """For the negotiation of the media type alone; the stream renders itself."""

    media_type = "text/csv"
    format = "csv"


class JSONLinesRenderer(CSVRenderer):
    media_type = "application/x-ndjson"
    format = "jsonl"


class AccountExport(APIView):
    # The first one renders errors, too.
    renderer_classes = [JSONRenderer, CSVRenderer, JSONLinesRenderer]

    @describe(
        "Export accounts",
        "All that match, in the order of their ids, streamed. In CSV, text that a spreadsheet would take for a formula"
        " has a quote before it.",
        operation_id="export_accounts",
        parameters=[*account_filters(), ExportParameters],
        response={(200, "text/csv"): OpenApiTypes.STR, (200, "application/x-ndjson"): OpenApiTypes.STR},
        errors=[404],
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        format_ = read_parameters(request, ExportParameters, alone=False)["format"]
        query = read_account_query(request.query_params, ignored=["format"]).check()
        accounts = filter_accounts(person(request), query)
        today = timezone.now().date()
        return StreamingHttpResponse(
            stream_accounts(with_relations(accounts), lambda rows: list(represented(rows)), format_),
            content_type=MEDIA_TYPES[format_],
            headers={"Content-Disposition": f'attachment; filename="accounts-{today}.{format_}"'},
        )
