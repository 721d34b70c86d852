"""What all lists share: strict parameters, keyset pages and one envelope."""

import json
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.authentication import get_person
from accounts.errors import build_validation_error
from accounts.lists.account_json import get_json
from accounts.lists.pages import KeysetPaginator, Page
from accounts.lists.parameters import MAX_CURSOR_LENGTH, MAX_PAGE_SIZE
from accounts.models import Account
from amazon_accounts.web.links import build_link
from tokens.models import Team

DEFAULT_PAGE_SIZE = 100
JSON: Final = "application/json"


class Word(serializers.ChoiceField):
    def __init__(self, choices: type[Any] | list[str], **kwargs: Any) -> None:
        words = choices if isinstance(choices, list) else list(choices.values)
        super().__init__(choices=words, **kwargs)
        # REST framework's message does not name the valid words.
        self.error_messages["invalid_choice"] = f"“{{input}}” is not one of: {', '.join(words)}."


# A cursor is signed base64. The pattern and the length are only for the OpenAPI document; the paginator checks the
# signature.
@extend_schema_field(
    {"type": "string", "pattern": "^[A-Za-z0-9_:-]+$", "minLength": 1, "maxLength": MAX_CURSOR_LENGTH}
)
class Cursor(serializers.CharField):
    pass


class PageParameters(serializers.Serializer[Any]):
    page_size = serializers.IntegerField(
        min_value=1, max_value=MAX_PAGE_SIZE, default=DEFAULT_PAGE_SIZE, help_text="Rows on a page."
    )
    cursor = Cursor(
        max_length=MAX_CURSOR_LENGTH,
        required=False,
        help_text="Where the page begins: taken from `next` or `previous`.",
    )


def read_parameters(
    request: Request, parameters: type[serializers.Serializer[Any]], *, alone: bool = True
) -> dict[str, Any]:
    """Return the validated parameters of the query string, or raise a ValidationError by parameter.

    Repeated and empty parameters are errors. Unknown parameters are errors if `alone`; otherwise another reader
    checks them.
    """
    query = request.query_params
    declared = parameters().fields
    if alone:
        refuse_unknown(query, list(declared))
    given = {name: values for name, values in query.lists() if name in declared}
    wrong = {name: "It may be given once." for name, values in given.items() if len(values) > 1}
    wrong |= {name: "It is empty. Leave it out." for name, values in given.items() if not all(values)}
    if wrong:
        raise ValidationError(wrong)
    serializer = parameters(data={name: value for name, [value] in given.items()})
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def check_team(request: Request, team_id: UUID, permission: str) -> UUID:
    """Return the id of a team in which the person may do this. Raises Http404 for every other team."""
    teams = Team.objects.allowing(get_person(request), permission)
    return get_object_or_404(teams.only("pk"), pk=team_id).pk


def refuse_unknown(query: Mapping[str, Any], offered: list[str]) -> None:
    hint = f"The parameters are: {', '.join(offered)}." if offered else "It takes none."
    if unknown := [name for name in query if name not in offered]:
        raise build_validation_error({name[:60]: f"There is no such parameter. {hint}" for name in unknown})


def refuse_body(request: Request) -> None:
    # The address says all. A client that sends a body expects it to change something.
    if request.data:
        raise ValidationError("This takes no body.")


def respond_with_rows(
    request: Request,
    rows: QuerySet[Any],
    ordering: str,
    serializer: type[serializers.Serializer[Any]],
    given: Mapping[str, Any],
    *,
    unique: bool = False,
) -> Response:
    """Answer with the page of the rows that the validated parameters of the list ask for.

    `unique` says that no two rows have the same value of the ordering.
    """
    paginator = KeysetPaginator(rows, ordering, given["page_size"], unique=unique)
    return respond_with_page(request, paginator, serializer, given.get("cursor"))


def respond_with_page(
    request: Request,
    paginator: KeysetPaginator[Any],
    serializer: type[serializers.Serializer[Any]],
    cursor: str | None,
) -> Response:
    page = paginator.page(cursor)
    return Response(
        {
            "results": serializer(page.items, many=True).data,
            "next": _build_link(request, page.next_cursor),
            "previous": _build_link(request, page.previous_cursor),
        }
    )


def respond_with_json(request: Request, page: Page[Account]) -> HttpResponse:
    """Answer as `respond_with_page` with a page of accounts that have their JSON."""
    rows = ",".join(map(get_json, page.items))
    following, previous = (
        json.dumps(_build_link(request, cursor)) for cursor in (page.next_cursor, page.previous_cursor)
    )
    body = f'{{"results":[{rows}],"next":{following},"previous":{previous}}}'
    return HttpResponse(body, content_type=JSON)


def _build_link(request: Request, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    query = request.query_params.copy()
    query["cursor"] = cursor
    path = request.path if request.path.endswith("/") else f"{request.path}/"
    return build_link(f"{path}?{query.urlencode()}")
