"""What all lists have in common: strict parameters, pages by key, one envelope."""

from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import refusal
from accounts.lists.pages import KeysetPaginator
from accounts.lists.parameters import MAX_CURSOR_LENGTH, MAX_PAGE_SIZE

DEFAULT_PAGE_SIZE = 100


class Word(serializers.ChoiceField):
    """One of some words; a wrong one is answered with the right ones."""

    def __init__(self, choices: type[Any] | list[str], **kwargs: Any) -> None:
        words = choices if isinstance(choices, list) else list(choices.values)
        super().__init__(choices=words, **kwargs)
        self.error_messages["invalid_choice"] = f"“{{input}}” is not one of: {', '.join(words)}."


# The letters are base64's. They are described, so that nobody tries addresses of 200 kB; whether a cursor is one of
# ours is known from its signature.
@extend_schema_field(
    {"type": "string", "pattern": "^[A-Za-z0-9_:-]+$", "minLength": 1, "maxLength": MAX_CURSOR_LENGTH}
)
class Cursor(serializers.CharField):
    """Where a page begins; only the paginator can read it."""


class PageParameters(serializers.Serializer[Any]):
    """The parameters of every list; subclasses add theirs."""

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
    """Return these parameters of the query string, validated; repeated and empty ones are errors.

    Unknown ones, too, unless they are not `alone`: then somebody else reads the others.
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


def refuse_unknown(query: Mapping[str, Any], offered: list[str]) -> None:
    those = f"Those there are: {', '.join(offered)}." if offered else "It takes none."
    unknown = [name for name in query if name not in offered]
    if unknown:
        raise refusal({name[:60]: f"There is no such parameter. {those}" for name in unknown})


def refuse_body(request: Request) -> None:
    """For what is asked by the address alone: a body would be meant for something, and be ignored."""
    if request.data:
        raise ValidationError("This takes no body.")


def page_response(
    request: Request,
    paginator: KeysetPaginator[Any],
    represent: Callable[[list[Any]], Any],
    cursor: str | None,
) -> Response:
    page = paginator.page(cursor)
    return Response(
        {
            "results": represent(page.items),
            "next": _link(request, page.next_cursor),
            "previous": _link(request, page.previous_cursor),
        }
    )


def _link(request: Request, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    query = request.query_params.copy()
    query["cursor"] = cursor
    path = request.path if request.path.endswith("/") else f"{request.path}/"
    return request.build_absolute_uri(f"{path}?{query.urlencode()}")
