"""Which connections go through the proxy, and the words for a proxy that fails."""

from urllib.parse import urlsplit

from django.conf import settings

from amazon_accounts.configuration.outgoing import Proxy, is_direct

ASKS_FOR_LOGIN = 407


def find_proxy(host: str, port: int) -> Proxy | None:
    """Return the proxy of a connection that is encrypted from here to the host. No other connection has a proxy."""
    proxy: Proxy | None = settings.HTTPS_PROXY
    return None if proxy is None or is_direct(host, port, settings.NO_PROXY) else proxy


def find_proxy_of_url(url: str) -> Proxy | None:
    address = urlsplit(url)
    if address.scheme != "https" or not address.hostname:
        return None
    return find_proxy(address.hostname, address.port or 443)


def explain_silence(proxy: Proxy, reason: str = "") -> str:
    return f"the proxy {proxy} does not answer" + (f" ({reason})" if reason else "")


def explain_refusal(proxy: Proxy, answer: str) -> str:
    """`answer` is the status, with or without its words."""
    text = f"the proxy {proxy} refuses the connection ({answer})"
    if answer.startswith(str(ASKS_FOR_LOGIN)):
        return f"{text}: check user and password in HTTPS_PROXY"
    return text
