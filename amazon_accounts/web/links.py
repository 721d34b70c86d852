"""Absolute links. They are built from PUBLIC_URL, whatever a request says about its host and scheme."""

from urllib.parse import urljoin

from django.conf import settings
from django.utils.encoding import iri_to_uri


def build_link(location: str, *, base: str = "/") -> str:
    """Return the absolute address of a path of ours. A relative path is resolved against `base`."""
    return str(iri_to_uri(urljoin(settings.PUBLIC_URL + base, location)))
