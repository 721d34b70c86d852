"""Request bodies: strict JSON of a limited size."""

import re
from collections.abc import Mapping
from typing import IO, Any

from django.core.exceptions import ValidationError
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from accounts.api.exceptions import ContentTooLargeError
from accounts.errors import build_validation_error
from accounts.strict_json import BadJSONError, read_json

MEGABYTE = 1024 * 1024
MAX_BODY_BYTES = MEGABYTE
# Of an address that takes many ids: a batch of 100,000 ids is 4 MB.
MAX_BODY_BYTES_OF_MANY_IDS = 8 * MEGABYTE
# What is not inside of strings costs many times its size in memory and time.
MAX_BYTES_OUTSIDE_STRINGS = MEGABYTE
MAX_VALUES = 200_000
# Of a name and a string for each value. The scan of more strings would take long itself.
MAX_QUOTES = 4 * MAX_VALUES

# Possessive, and without its last quote if there is none: each byte is looked at once, whatever the body is.
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


class StrictJSONParser(BaseParser):
    """Reads JSON. A view that takes many ids has the attribute `max_body_bytes`."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        context = parser_context or {}
        max_bytes = getattr(context.get("view"), "max_body_bytes", MAX_BODY_BYTES)
        if (request := context.get("request")) is not None:
            _refuse_too_large(_read_content_length(request.META), max_bytes)
        body = stream.read(max_bytes + 1)
        _refuse_too_large(len(body), max_bytes)
        refuse_too_many_values(body)
        try:
            return read_json(body)
        except BadJSONError as error:
            if error.field:
                raise ValidationError({error.field: str(error)}) from error
            raise ParseError(f"The body cannot be read. {error}") from error


def _read_content_length(headers: Mapping[str, Any]) -> int:
    try:
        return int(headers.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def _refuse_too_large(number: int, max_bytes: int) -> None:
    if number > max_bytes:
        raise ContentTooLargeError(f"The body is larger than {max_bytes // MEGABYTE} MB.")


def refuse_too_many_values(body: bytes) -> None:
    """Raise ContentTooLargeError if the body has very many values, before they become objects in memory."""
    if len(body) <= MAX_BYTES_OUTSIDE_STRINGS and _count_separators(body) < MAX_VALUES:
        return
    if body.count(b'"') > MAX_QUOTES:
        raise ContentTooLargeError(f"The body has more than {MAX_VALUES:,} values.")
    outside = _STRINGS.sub(b"", body)
    if len(outside) > MAX_BYTES_OUTSIDE_STRINGS:
        raise ContentTooLargeError("The body is larger than 1 MB, even without its strings.")
    if _count_separators(outside) >= MAX_VALUES:
        raise ContentTooLargeError(f"The body has more than {MAX_VALUES:,} values.")


def _count_separators(text: bytes) -> int:
    # Before each value but the first stands one of these. An empty object or array is counted twice.
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def read_field(body: Any, field: str) -> Any:
    """Return the value of the only field that the body may have. Raises ValidationError."""
    if not isinstance(body, dict):
        raise ValidationError("The body must be a JSON object.")
    if unknown := [name for name in body if name != field]:
        hint = f"There is no such field. The field is: {field}."
        raise build_validation_error({name[:60]: hint for name in unknown})
    if field not in body:
        raise ValidationError({field: "It is missing."})
    return body[field]


def read_fields(body: Any, fields: type[serializers.Serializer[Any]]) -> Mapping[str, Any]:
    """Return the validated fields that the body has. Raises ValidationError, also for fields that are not known."""
    if not isinstance(body, dict):
        raise ValidationError("The body must be a JSON object.")
    known = list(fields().fields)
    if unknown := [name for name in body if name not in known]:
        hint = f"There is no such field. The fields are: {', '.join(known)}."
        raise build_validation_error({str(name)[:60]: hint for name in unknown})
    serializer = fields(data=body)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
