"""Where a request comes from."""

import ipaddress

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle


def remote_address(request: Request) -> str | None:
    """The IP address of whoever asks: behind NUM_PROXIES proxies the one that the outermost of them saw."""
    # REST framework keeps its reading of X-Forwarded-For with its throttles.
    found = BaseThrottle().get_ident(request)
    try:
        return str(ipaddress.ip_address(found))
    except ValueError:
        return None
