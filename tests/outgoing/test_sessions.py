"""Sessions of requests: our session for single sign-on, and the sessions that Apprise makes."""

import pytest
import requests
from django.conf import LazySettings
from django.core.cache import caches

from amazon_accounts.outgoing.libraries import instruct_libraries
from amazon_accounts.outgoing.sessions import OutgoingSession
from amazon_accounts.sandbox.state import Sandbox
from tests.outgoing.conftest import AMAZON, PASSWORD, UseProxy
from tests.outgoing.little_proxy import LittleProxy
from tests.ports import free_port
from tests.sandbox_fixtures import SandboxServer
from tokens.alerts.sending import DeliveryError, notify
from tokens.sign_in.oidc.calls import ProviderSession
from tokens.sign_in.oidc.errors import ProviderDownError, UselessAnswerError

VARIABLES = (
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NETRC",
)
ADDRESS = f"https://{AMAZON}/na/user/profile"


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes of the environment end with the test."""
    for name in VARIABLES:
        for each in (name, name.lower()):
            monkeypatch.setenv(each, "")


def get(url: str = ADDRESS) -> requests.Response:
    with OutgoingSession() as session:
        return session.get(url, timeout=5)


def test_a_session_goes_through_the_proxy(
    amazon_behind_proxy: Sandbox, proxy: LittleProxy, use_proxy: UseProxy
) -> None:
    use_proxy(user="ads", password=PASSWORD)
    assert get().headers["Content-Type"].startswith("application/json")
    assert proxy.targets == [f"{AMAZON}:443"]
    assert "Proxy-Authorization: Basic YWRzOmh1bnRlcjI6L0A=" in proxy.requests[0]


def test_a_session_follows_no_proxy_and_no_variable(
    amazon_behind_proxy: Sandbox, proxy: LittleProxy, use_proxy: UseProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file")
    use_proxy(AMAZON)
    with pytest.raises(requests.ConnectionError, match="resolve"):
        get()
    assert proxy.requests == []


def test_an_http_address_never_reaches_the_proxy(
    sandbox_server: SandboxServer, proxy: LittleProxy, use_proxy: UseProxy
) -> None:
    use_proxy()
    with pytest.raises(requests.ConnectionError):
        get(ADDRESS.replace("https", "http"))
    assert proxy.requests == []


def test_each_address_of_a_chain_of_redirects_has_its_own_route(
    amazon_behind_proxy: Sandbox, sandbox_server: SandboxServer, proxy: LittleProxy, use_proxy: UseProxy
) -> None:
    use_proxy()
    near = f"{sandbox_server.url}/na/user/profile"
    amazon_behind_proxy.faults.add("answer", status=307, body="", headers={"Location": near})
    answer = get()
    assert answer.url == near
    assert proxy.targets == [f"{AMAZON}:443"]


def test_a_proxy_that_fails_is_named(
    amazon_behind_proxy: Sandbox, proxy: LittleProxy, use_proxy: UseProxy
) -> None:
    port = free_port()
    use_proxy(user="ads", password=PASSWORD, port=port)
    with pytest.raises(requests.exceptions.ProxyError) as raised:
        get()
    assert str(raised.value) == f"the proxy 127.0.0.1:{port} does not answer"
    proxy.answer = b"HTTP/1.1 407 Who are you\r\n\r\n"
    use_proxy(user="ads", password=PASSWORD)
    with pytest.raises(requests.exceptions.ProxyError, match=r"refuses the connection \(407 Who are you\)"):
        get()


def test_single_sign_on_goes_through_the_proxy(
    amazon_behind_proxy: Sandbox, proxy: LittleProxy, use_proxy: UseProxy
) -> None:
    caches["process"].clear()
    use_proxy(user="ads", password=PASSWORD)
    with ProviderSession() as session, pytest.raises(UselessAnswerError, match="the provider answered 4"):
        session.get(ADDRESS)
    assert proxy.targets == [f"{AMAZON}:443"]
    port = free_port()
    use_proxy(user="ads", password=PASSWORD, port=port)
    with ProviderSession() as session, pytest.raises(ProviderDownError) as raised:
        session.get(ADDRESS)
    caches["process"].clear()
    assert str(raised.value) == f"the provider does not answer (the proxy 127.0.0.1:{port} does not answer)"


def test_apprise_goes_through_the_proxy(
    amazon_behind_proxy: Sandbox, proxy: LittleProxy, use_proxy: UseProxy, caplog: pytest.LogCaptureFixture
) -> None:
    use_proxy(user="ads", password=PASSWORD)
    instruct_libraries()
    with pytest.raises(DeliveryError, match="could not reach"):
        notify(f"jsons://{AMAZON}/", "the address", "title", "text")
    assert proxy.targets == [f"{AMAZON}:443"]
    # The answer of the host behind the proxy, which has the company's certificate.
    assert "error=404" in caplog.text


def test_apprise_reads_no_variable_of_the_machine(
    amazon_behind_proxy: Sandbox,
    proxy: LittleProxy,
    settings: LazySettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    instruct_libraries()
    with pytest.raises(DeliveryError, match="could not reach"):
        notify(f"jsons://{AMAZON}/", "the address", "title", "text")
    assert proxy.requests == []


@pytest.mark.parametrize(
    ("direct", "no_proxy"),
    [
        ((), "localhost,127.0.0.1,::1"),
        (
            ("mail.test:465", "10.0.0.0/8", "10.0.0.1"),
            "localhost,127.0.0.1,::1,mail.test:465,10.0.0.0/8,10.0.0.1",
        ),
        (("mail.test", "*"), "*"),
    ],
)
def test_libraries_are_told_what_is_reached_directly(
    use_proxy: UseProxy, direct: tuple[str, ...], no_proxy: str
) -> None:
    use_proxy(*direct)
    environ: dict[str, str] = {"HTTPS_PROXY": "as given"}
    instruct_libraries(environ)
    assert environ["no_proxy"] == no_proxy
    assert environ["HTTPS_PROXY"] == "as given"
