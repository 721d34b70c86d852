"""Sessions of requests, the HTTP client of allauth and Apprise."""

import re
from typing import Any, Final

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter

from amazon_accounts.outgoing.deadline import POOLS
from amazon_accounts.outgoing.routes import explain_refusal, explain_silence, find_proxy_of_url

_REFUSAL: Final = re.compile(r"Tunnel connection failed: (\d{3}[^'\")]*)")


class OutgoingSession(requests.Session):
    """A session that reads our settings, and no variable or .netrc of the machine."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.verify = settings.CA_BUNDLE or True
        self.mount("https://", _RoutingAdapter())
        self.mount("http://", _RoutingAdapter())


class _RoutingAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = POOLS
        return manager

    # requests asks for the adapter of each address of a chain of redirects.
    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        proxy = find_proxy_of_url(request.url or "")
        options["proxies"] = {"https": proxy.url_with_password} if proxy else {}
        try:
            return super().send(request, *args, **options)
        except requests.exceptions.ProxyError as error:
            if proxy is None:
                raise
            refusal = _REFUSAL.search(str(error))
            text = explain_refusal(proxy, refusal[1].strip()) if refusal else explain_silence(proxy)
            raise requests.exceptions.ProxyError(text, request=request) from None
