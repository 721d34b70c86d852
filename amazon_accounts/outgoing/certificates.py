"""The certificates that are trusted."""

import ssl
from functools import lru_cache

import certifi
from django.conf import settings

from amazon_accounts.configuration.outgoing import read_certificates


def make_tls_context() -> ssl.SSLContext:
    """Return a context of its own for each caller, because libraries change it."""
    if settings.CA_BUNDLE:
        return ssl.create_default_context(cadata=_read_once(settings.CA_BUNDLE))
    # Named, so that SSL_CERT_FILE and SSL_CERT_DIR of the machine change nothing.
    return ssl.create_default_context(cafile=certifi.where())


# A file that is replaced while the process runs counts from the next start on, for all connections alike.
@lru_cache(maxsize=1)
def _read_once(path: str) -> str:
    return read_certificates(path)
