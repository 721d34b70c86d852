"""Libraries that send by sessions of their own, as Apprise does."""

import os
from collections.abc import MutableMapping

from django.conf import settings


def instruct_libraries(environ: MutableMapping[str, str] = os.environ) -> None:
    """Make the variables that requests reads agree with our settings, for libraries whose sessions are not ours.

    To be called before threads start. Only names in small letters are written, so that a process that starts from
    this process finds our settings as they were given.
    """
    proxy = settings.HTTPS_PROXY
    direct = [str(entry) for entry in settings.NO_PROXY]
    environ.update(
        {
            "https_proxy": proxy.url_with_password if proxy else "",
            "no_proxy": "*" if "*" in direct else ",".join(["localhost", "127.0.0.1", "::1", *direct]),
            # An empty value hides the variable in capitals too.
            "http_proxy": "",
            "all_proxy": "",
            "REQUESTS_CA_BUNDLE": settings.CA_BUNDLE,
            "CURL_CA_BUNDLE": "",
            "NETRC": os.devnull,
        }
    )
