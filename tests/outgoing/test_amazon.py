"""Calls to Amazon through the company's proxy."""

import logging
import ssl
import time

import pytest
from django.conf import LazySettings

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import UnreachableError
from amazon_accounts.amazon_ads.wire import Timeouts
from amazon_accounts.sandbox.state import Sandbox
from tests.amazon_ads.conftest import CLIENT_ID, OWN_TABLES, GivenTokens, fast_pace
from tests.outgoing.conftest import AMAZON, PASSWORD, Company, UseProxy
from tests.outgoing.little_proxy import LittleProxy, run_little_proxy
from tests.ports import free_port
from tests.sandbox_fixtures import SandboxServer

pytestmark = OWN_TABLES
fast_pace = fast_pace


@pytest.fixture(autouse=True)
def one_attempt(settings: LazySettings) -> None:
    settings.AMAZON_MAX_ATTEMPTS = 1


async def refresh(sandbox: Sandbox, timeouts: Timeouts | None = None) -> str:
    async with AmazonClient(timeouts=timeouts) as amazon:
        grant = await amazon.lwa.refresh(sandbox.refresh_token("alice"), subject="alice")
        return grant.access_token


async def test_login_with_amazon_and_the_api_go_through_the_proxy(
    amazon_behind_proxy: Sandbox,
    proxy: LittleProxy,
    use_proxy: UseProxy,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in ("httpx", "httpcore", "amazon_accounts", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    use_proxy(user="ads", password=PASSWORD)
    sandbox = amazon_behind_proxy
    async with AmazonClient() as amazon:
        grant = await amazon.lwa.refresh(sandbox.refresh_token("alice"), subject="alice")
        alice = amazon.with_token(subject="alice", client_id=CLIENT_ID, token=GivenTokens(grant.access_token))
        page = await alice.profiles("NA", "view")
    assert page.items
    assert set(proxy.targets) == {f"{AMAZON}:443"}
    assert "Proxy-Authorization: Basic YWRzOmh1bnRlcjI6L0A=" in proxy.requests[0]
    # The proxy sees the tunnel, and in it only what TLS encrypts.
    seen = proxy.passed_on.decode("latin-1") + "".join(proxy.requests)
    assert len(proxy.passed_on) > 1000
    assert "Atz" not in seen
    logged = " ".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "httpcore" in logged
    for secret in ("hunter2", "YWRzOmh1bnRlcjI6L0A="):
        assert secret not in logged


async def test_an_http_address_is_never_sent_to_the_proxy(
    sandbox_server: SandboxServer, proxy: LittleProxy, use_proxy: UseProxy, settings: LazySettings
) -> None:
    use_proxy()
    # The host is not of this machine by its name, so only the scheme decides.
    port = sandbox_server.url.rsplit(":", 1)[1]
    settings.AMAZON_LWA_URL = f"http://{AMAZON}:{port}/{{region}}"
    with pytest.raises(UnreachableError, match="no connection"):
        await refresh(sandbox_server.sandbox)
    assert proxy.requests == []


@pytest.mark.parametrize("direct", [AMAZON, ".test", "*.test:443", "*"])
async def test_no_proxy_names_hosts_that_are_reached_directly(
    amazon_behind_proxy: Sandbox, proxy: LittleProxy, use_proxy: UseProxy, direct: str
) -> None:
    use_proxy(direct)
    with pytest.raises(UnreachableError, match="no connection"):
        await refresh(amazon_behind_proxy)
    assert proxy.requests == []


async def test_this_machine_is_reached_without_the_proxy(
    far_sandbox: tuple[Sandbox, int],
    amazon_behind_proxy: Sandbox,
    proxy: LittleProxy,
    use_proxy: UseProxy,
    settings: LazySettings,
) -> None:
    use_proxy()
    settings.AMAZON_LWA_URL = f"https://127.0.0.1:{far_sandbox[1]}/{{region}}"
    assert await refresh(amazon_behind_proxy)
    assert proxy.requests == []


async def test_variables_of_the_machine_change_nothing(
    amazon_behind_proxy: Sandbox,
    proxy: LittleProxy,
    use_proxy: UseProxy,
    monkeypatch: pytest.MonkeyPatch,
    company: Company,
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "*")
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
    use_proxy()
    assert await refresh(amazon_behind_proxy)
    assert proxy.targets == [f"{AMAZON}:443"]


async def test_a_proxy_that_is_down_is_named(amazon_behind_proxy: Sandbox, use_proxy: UseProxy) -> None:
    port = free_port()
    use_proxy(user="ads", password=PASSWORD, port=port)
    with pytest.raises(UnreachableError) as raised:
        await refresh(amazon_behind_proxy)
    assert f"the proxy 127.0.0.1:{port} does not answer" in str(raised.value)
    assert "hunter2" not in repr(raised.value)


async def test_a_proxy_that_stays_silent_is_named_before_the_call_runs_out(
    amazon_behind_proxy: Sandbox, proxy: LittleProxy, use_proxy: UseProxy, settings: LazySettings
) -> None:
    settings.LWA_TIMEOUT_SECONDS = 1.0
    proxy.answer = b""
    use_proxy()
    began = time.monotonic()
    with pytest.raises(UnreachableError, match=rf"the proxy 127\.0\.0\.1:{proxy.port} does not answer$"):
        await refresh(amazon_behind_proxy)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
            r"refuses the connection \(407 Proxy Authentication Required\): check user and password in HTTPS_PROXY",
        ),
        (b"HTTP/1.1 403 <b>No</b>\r\nContent-Length: 0\r\n\r\n", r"refuses the connection \(403 No \)"),
        (b"220 mail.test ESMTP\r\n\r\n", "does not answer"),
    ],
)
async def test_a_proxy_that_refuses_is_named(
    amazon_behind_proxy: Sandbox, proxy: LittleProxy, use_proxy: UseProxy, answer: bytes, words: str
) -> None:
    proxy.answer = answer
    use_proxy(user="ads", password=PASSWORD)
    with pytest.raises(UnreachableError, match=rf"the proxy 127\.0\.0\.1:{proxy.port} {words}") as raised:
        await refresh(amazon_behind_proxy)
    assert "hunter2" not in repr(raised.value)


async def test_a_proxy_can_be_spoken_to_over_tls(
    amazon_behind_proxy: Sandbox,
    far_sandbox: tuple[Sandbox, int],
    company: Company,
    use_proxy: UseProxy,
    settings: LazySettings,
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(company.certificate)
    with run_little_proxy(tls) as proxy:
        proxy.hosts[f"{AMAZON}:443"] = far_sandbox[1]
        use_proxy(port=proxy.port, scheme="https")
        assert await refresh(amazon_behind_proxy)
        assert proxy.targets == [f"{AMAZON}:443"]
        settings.CA_BUNDLE = ""
        with pytest.raises(UnreachableError, match=r"certificate of the proxy .* cannot be trusted"):
            await refresh(amazon_behind_proxy)


async def test_without_the_bundle_the_company_is_not_trusted(
    amazon_behind_proxy: Sandbox, use_proxy: UseProxy, settings: LazySettings
) -> None:
    use_proxy()
    settings.CA_BUNDLE = ""
    with pytest.raises(UnreachableError, match=r"server's certificate cannot be trusted .*CA_BUNDLE"):
        await refresh(amazon_behind_proxy)
