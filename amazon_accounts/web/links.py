"""Absolute links. They are built from PUBLIC_URL, whatever a request says about its host and scheme."""

import logging
import re
from typing import Final
from urllib.parse import urljoin

from django.conf import settings
from django.utils.encoding import iri_to_uri


def build_link(location: str, *, base: str = "/") -> str:
    """Return the absolute address of a path of ours. A relative path is resolved against `base`."""
    return str(iri_to_uri(urljoin(settings.PUBLIC_URL + base, location)))


# The path of a client link has its token.
_CLIENT_LINK: Final = re.compile(r"(?<![\w-])(/c/)[\w%-]{20,}", re.IGNORECASE)


class ClientLinkFilter(logging.Filter):
    """Takes the tokens of client links out of lines of the log that have a path or an address in them."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            line = record.getMessage()
        except (TypeError, ValueError):
            # The handler reports a line that does not fit its values.
            return True
        if "/c/" in line.lower():
            record.msg, record.args = _CLIENT_LINK.sub(r"\1…", line), ()
        return True
