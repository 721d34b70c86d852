"""Request bodies: strict JSON of a limited size."""

from collections.abc import Mapping
from typing import IO, Any

from django.core.exceptions import ValidationError
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from accounts.api.exceptions import ContentTooLargeError
from accounts.strict_json import BadJSONError, read_json

# A batch of 100,000 ids is 4 MB.
MAX_BODY_BYTES = 8 * 1024 * 1024


class StrictJSONParser(BaseParser):
    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise ContentTooLargeError(f"The body is larger than {MAX_BODY_BYTES // 1024**2} MB.")
        try:
            return read_json(body)
        except BadJSONError as error:
            if error.field:
                raise ValidationError({error.field: str(error)}) from error
            raise ParseError(f"The body cannot be read. {error}") from error
