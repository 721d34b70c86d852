"""The address that a request comes from."""

import ipaddress

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle


def read_remote_address(request: HttpRequest | Request) -> str | None:
    """Return the IP address of the client, None if it is malformed.

    Behind NUM_PROXIES proxies this is the address that the outermost proxy saw.
    """
    # REST framework reads X-Forwarded-For in its throttles.
    found = BaseThrottle().get_ident(request)  # type: ignore[arg-type]
    try:
        return str(ipaddress.ip_address(found))
    except ValueError:
        return None
