"""The faults of real connections: each ends in its named error, in time, and shows no secret."""

import asyncio
import datetime
import ipaddress
import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.conf import LazySettings

from amazon_accounts.amazon_ads.client import AdsApi, AmazonClient
from amazon_accounts.amazon_ads.errors import (
    AmazonError,
    PermanentError,
    UnreachableError,
    UnreadableAnswerError,
)
from amazon_accounts.amazon_ads.pacing.rate_limiter import MAX_CONNECTIONS
from amazon_accounts.amazon_ads.wire import Reply, Request, Timeouts, Wire
from amazon_accounts.sandbox.app import create_app
from amazon_accounts.sandbox.world import generated_world, small_world
from tests.amazon_ads.conftest import OWN_TABLES, AdsApiFactory, GivenTokens
from tests.sandbox_fixtures import SandboxServer, serve

pytestmark = OWN_TABLES


# These faults never end by themselves.
ENDLESS = {"hang", "slow", "dribble"}


@pytest.fixture(autouse=True)
def one_attempt(settings: LazySettings) -> None:
    settings.AMAZON_MAX_ATTEMPTS = 1


@pytest.fixture
def short_timeouts(settings: LazySettings, request: pytest.FixtureRequest) -> Timeouts:
    """Half a second to read and a second in all. Faults that end by themselves get the time a busy machine needs."""
    callspec = getattr(request.node, "callspec", None)
    seconds = 1.0 if callspec is None or callspec.params.get("kind", "hang") in ENDLESS else 20.0
    settings.LWA_TIMEOUT_SECONDS = seconds
    return Timeouts(read=seconds / 2, exchange=seconds)


@pytest.fixture
def timeouts(request: pytest.FixtureRequest) -> Timeouts:
    if "short_timeouts" in request.fixturenames:
        return cast("Timeouts", request.getfixturevalue("short_timeouts"))
    return Timeouts()


FAULTS: list[tuple[str, dict[str, Any], type[AmazonError]]] = [
    ("hang", {}, UnreachableError),
    ("slow", {"seconds": 5}, UnreachableError),
    ("dribble", {"seconds": 20}, UnreachableError),
    ("drop", {}, UnreachableError),
    ("drop_after", {}, UnreachableError),
    ("drop_body", {}, UnreachableError),
    ("truncated", {}, UnreadableAnswerError),
    ("empty", {}, UnreadableAnswerError),
    ("html", {}, UnreadableAnswerError),
    ("gzip_broken", {}, UnreadableAnswerError),
    ("huge", {"megabytes": 50}, UnreadableAnswerError),
    ("gzip_bomb", {"megabytes": 50}, UnreadableAnswerError),
]


@pytest.mark.usefixtures("short_timeouts")
@pytest.mark.parametrize(("kind", "options", "error_class"), FAULTS)
async def test_the_api_ends_in_a_named_error_in_its_time(
    api_over_http_for: AdsApiFactory,
    sandbox_server: SandboxServer,
    kind: str,
    options: dict[str, Any],
    error_class: type[AmazonError],
) -> None:
    sandbox_server.sandbox.faults.add(kind, **options)
    tokens = GivenTokens(sandbox_server.sandbox.access_token("alice"))
    began = time.monotonic()
    with pytest.raises(AmazonError) as raised:
        await api_over_http_for(token=tokens).profiles("NA", "view")
    assert kind not in ENDLESS or time.monotonic() - began < 4
    assert type(raised.value) is error_class
    assert "Atz" not in all_texts_of(raised.value)
    assert ("is longer than" in str(raised.value)) is (kind in {"huge", "gzip_bomb"})
    if kind not in {"hang", "slow", "drop", "drop_after"}:
        assert raised.value.request_id


@pytest.mark.usefixtures("short_timeouts")
@pytest.mark.parametrize(("kind", "options", "error_class"), FAULTS)
async def test_login_with_amazon_ends_in_a_named_error_in_its_time(
    amazon_over_http: AmazonClient,
    sandbox_server: SandboxServer,
    kind: str,
    options: dict[str, Any],
    error_class: type[AmazonError],
) -> None:
    sandbox_server.sandbox.faults.add(kind, **options)
    began = time.monotonic()
    with pytest.raises(AmazonError) as raised:
        await amazon_over_http.lwa.refresh(sandbox_server.sandbox.refresh_token("alice"), subject="alice")
    assert kind not in ENDLESS or time.monotonic() - began < 4
    assert type(raised.value) is error_class
    assert "Atz" not in all_texts_of(raised.value)


class TestDrops:
    @pytest.fixture
    def timeouts(self) -> Timeouts:
        return Timeouts(read=30, exchange=1)

    async def test_an_answer_that_arrives_in_drops_ends_too(
        self, api_over_http_for: AdsApiFactory, sandbox_server: SandboxServer
    ) -> None:
        sandbox_server.sandbox.faults.add("dribble", seconds=20)
        with pytest.raises(UnreachableError, match="No whole answer to GET /v2/profiles") as raised:
            await api_over_http_for().profiles("NA", "view")
        assert raised.value.request_id


def all_texts_of(error: BaseException) -> str:
    """Return the texts of the error and of all its causes, as a traceback shows them."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None:
        causes.append(cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return " ".join(f"{each} {each!r}" for each in causes)


async def test_a_closed_port_is_unreachable(api_over_http_for: AdsApiFactory, settings: LazySettings) -> None:
    settings.AMAZON_ADS_API_URL = "http://127.0.0.1:9/{region}/api"
    with pytest.raises(UnreachableError, match="GET /v2/profiles"):
        await api_over_http_for().profiles("NA", "view")


async def test_a_host_without_a_name_is_unreachable(
    api_over_http_for: AdsApiFactory, settings: LazySettings
) -> None:
    settings.AMAZON_ADS_API_URL = "http://no-such-host.invalid"
    with pytest.raises(UnreachableError):
        await api_over_http_for().profiles("NA", "view")


@pytest.mark.parametrize("url", ["http://[broken", "http://a b", "http://exa\x00mple"])
async def test_an_invalid_address_is_an_error(
    api_over_http_for: AdsApiFactory, settings: LazySettings, url: str
) -> None:
    settings.AMAZON_ADS_API_URL = url
    with pytest.raises((PermanentError, UnreachableError)):
        await api_over_http_for().profiles("NA", "view")


async def test_a_redirect_is_never_followed(
    api_over_http_for: AdsApiFactory, sandbox_server: SandboxServer
) -> None:
    elsewhere = f"{sandbox_server.url}/eu/api/v2/profiles"
    sandbox_server.sandbox.faults.add(
        "answer", status=307, body="", headers={"Location": elsewhere}, region="NA"
    )
    with pytest.raises(PermanentError, match="307"):
        await api_over_http_for().profiles("NA", "view")
    assert sandbox_server.sandbox.journal.count(region="EU") == 0


async def test_cookies_are_not_kept(api_over_http_for: AdsApiFactory, sandbox_server: SandboxServer) -> None:
    headers: list[dict[str, str]] = []
    sandbox_server.sandbox.faults.add("run", function=lambda call: headers.append(dict(call.headers)))
    sandbox_server.sandbox.faults.add(
        "answer", json=[], headers={"Set-Cookie": "session=alices; Path=/"}, count=1
    )
    await api_over_http_for("alice").profiles("NA", "view")
    await api_over_http_for("bob").profiles("NA", "view")
    assert ["cookie" in each for each in headers] == [False, False]


async def test_no_proxy_of_the_environment_gets_a_token(
    sandbox_server: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with AmazonClient() as amazon:
        grant = await amazon.lwa.refresh(sandbox_server.sandbox.refresh_token("alice"), subject="alice")
    assert grant.expires_in == 3600


async def test_a_header_that_cannot_be_sent_is_not_quoted(api_over_http_for: AdsApiFactory) -> None:
    with pytest.raises(AmazonError) as raised:
        await api_over_http_for(token=GivenTokens("Atza|bad\r\ntoken")).profiles("NA", "view")
    assert "bad" not in all_texts_of(raised.value).replace("badly", "")
    with pytest.raises(AmazonError) as raised:
        await api_over_http_for(token=GivenTokens("Atza|bäd")).profiles("NA", "view")
    assert "bäd" not in all_texts_of(raised.value)


async def test_five_thousand_profiles_and_big_accounts_pass(
    api_over_http_for: AdsApiFactory, sandbox_server: SandboxServer
) -> None:
    sandbox_server.sandbox.reset(generated_world(accounts_per_login=5100, regions=("NA",)))
    page = await api_over_http_for("login-1").profiles("NA", "view")
    assert len(page.items) == 5000
    assert page.cut
    countries = [f"C{number}" for number in range(100)]
    account = {
        "accountName": "n" * 1000,
        "countryCodes": countries,
        "alternateIds": [
            {"countryCode": each, "profileId": 2**53, "entityId": "E" * 30} for each in countries
        ],
        "errors": {each: [{"errorId": 1, "errorCode": "A", "errorMessage": "m" * 300}] for each in countries},
    }
    accounts = [{"adsAccountId": f"amzn1.ads-account.g.{number}", **account} for number in range(100)]
    sandbox_server.sandbox.faults.add("answer", json={"adsAccounts": accounts})
    pages = [page async for page in api_over_http_for("login-1").ads_accounts("NA")]
    assert len(pages[0].items) == 100


async def test_the_connections_that_it_opens_have_a_limit(
    api_over_http_for: AdsApiFactory, amazon_over_http: AmazonClient, sandbox_server: SandboxServer
) -> None:
    sandbox_server.sandbox.faults.add("slow", seconds=0.2)
    most = 0
    alice = api_over_http_for()
    token = sandbox_server.sandbox.refresh_token("alice")
    calls = [alice.profiles(region, "view") for region in ("NA", "EU", "FE") for _ in range(8)]
    refreshes = [amazon_over_http.lwa.refresh(token, subject="alice") for _ in range(12)]
    work = asyncio.gather(*calls, *refreshes, return_exceptions=True)
    pool: Any = amazon_over_http._wire._http._transport
    while not work.done():
        most = max(most, len(pool._pool.connections))
        await asyncio.sleep(0.02)
    await work
    assert 5 < most <= MAX_CONNECTIONS


async def test_no_log_shows_a_token(
    api_over_http_for: AdsApiFactory,
    amazon_over_http: AmazonClient,
    sandbox_server: SandboxServer,
    caplog: pytest.LogCaptureFixture,
    settings: LazySettings,
) -> None:
    settings.AMAZON_MAX_ATTEMPTS = 2
    sandbox = sandbox_server.sandbox
    for name in ("httpx", "httpcore", "amazon_accounts", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    refresh_token, access_token = sandbox.refresh_token("alice"), sandbox.access_token("alice")
    alice = api_over_http_for(token=GivenTokens(access_token))
    await alice.profiles("NA", "view")
    async for _ in alice.ads_accounts("NA"):
        pass
    grant = await amazon_over_http.lwa.refresh(refresh_token, subject="alice")
    await amazon_over_http.lwa.user_profile(grant.access_token)
    for kind in ("error_503", "drop_body", "unauthorized", "gzip_broken"):
        sandbox.faults.add(kind, name=kind)
        with pytest.raises(AmazonError):
            await alice.profiles("NA", "view")
        sandbox.faults.remove(kind)
    text = " ".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "httpcore" in text
    for secret in (refresh_token, access_token, grant.access_token, settings.AMAZON_CLIENT_SECRET):
        assert secret not in text
        assert secret[5:] not in text


def test_requests_and_replies_show_no_secrets() -> None:
    request = Request(
        "POST",
        "http://a.test/",
        "the request",
        headers={"Authorization": "Bearer s3cret"},
        content=b"s3cret",
        form={"client_secret": "s3cret"},
        secrets=("s3cret",),
    )
    assert "s3cret" not in repr(request)
    assert "s3cret" not in repr(Reply(200, {"set-cookie": "s3cret"}, b"s3cret"))


async def test_every_error_of_httpx_becomes_an_amazon_error() -> None:
    def subclasses(base: type[Exception]) -> Iterator[type[Exception]]:
        yield base
        for child in base.__subclasses__():
            yield from subclasses(child)

    for error_class in subclasses(httpx.RequestError):

        def fail(request: httpx.Request, error_class: type[Exception] = error_class) -> httpx.Response:
            raise error_class("Bearer s3cret")

        wired = Wire(
            connections=1, user_agent="test", transport=httpx.MockTransport(fail), timeouts=Timeouts()
        )
        with pytest.raises(AmazonError) as raised:
            await wired.send(Request("GET", "http://a.test/", "the request", secrets=("s3cret",)))
        assert "s3cret" not in all_texts_of(raised.value)
        await wired.aclose()


@pytest.fixture
def wrong_certificate(tmp_path: Path) -> tuple[str, str]:
    """A certificate that no authority signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    day = datetime.timedelta(days=1)
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return str(certificate_file), str(key_file)


async def test_a_certificate_that_fails_is_named(
    amazon_over_http: AmazonClient, settings: LazySettings, wrong_certificate: tuple[str, str]
) -> None:
    certificate_file, key_file = wrong_certificate
    app = create_app(small_world())
    with serve(app, ssl_certfile=certificate_file, ssl_keyfile=key_file) as url:
        settings.AMAZON_LWA_URL = url
        with pytest.raises(UnreachableError, match="certificate cannot be trusted"):
            await amazon_over_http.lwa.refresh("Atzr|x", subject="alice")


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A server that accepts connections and sends nothing, not even for TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.usefixtures("short_timeouts")
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_silent_server_is_unreachable(
    amazon_over_http: AmazonClient, settings: LazySettings, silent_server: str, scheme: str
) -> None:
    settings.AMAZON_LWA_URL = f"{scheme}://{silent_server}"
    began = time.monotonic()
    with pytest.raises(UnreachableError):
        await amazon_over_http.lwa.refresh("Atzr|x", subject="alice")
    assert time.monotonic() - began < 3


def test_a_login_shows_no_token(api_over_http_for: AdsApiFactory) -> None:
    alice: AdsApi = api_over_http_for(token=GivenTokens("Atza|s3cret"))
    assert "s3cret" not in repr(alice)
