"""The sandbox Amazon for tests of the product.

    sandbox             state.Sandbox in this process, with the world `small_world` (alice, bob and charlie). The
                        settings point at it. Give `sandbox_transport` to the client under test.
    sandbox_transport   an httpx transport to it. Unlike httpx's own transport it has a read timeout and dropped
                        connections.
    sandbox_server      a sandbox over HTTP on a free loopback port: `.url`, `.sandbox`, and `.environ()` for other
                        processes. The settings point at it.
    untrusted_url       a sandbox behind a certificate that no client may trust.

Each test gets a fresh world. A test takes another world with `sandbox.reset(generated_world(...))`, a refresh
token with `sandbox.refresh_token("alice")`, and the callback's URL of a browser with
`sandbox.consent(authorize_url, "alice")`. `sandbox.truth("alice")` is what the API shows, and
`sandbox.journal.entries(path="/v2/profiles")` are the calls so far.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from typing import Any

import httpx
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from amazon_accounts.sandbox.app import SandboxApplication, create_app
from amazon_accounts.sandbox.state import DroppedError, Sandbox
from amazon_accounts.sandbox.world import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, small_world

IN_PROCESS_URL = "http://sandbox.test"


class SandboxTransport(httpx.AsyncBaseTransport):
    """Calls the application directly, and raises httpx's errors for timeouts and dropped connections."""

    def __init__(self, app: SandboxApplication) -> None:
        self._asgi = httpx.ASGITransport(app=app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        seconds = request.extensions.get("timeout", {}).get("read")
        try:
            async with asyncio.timeout(seconds):
                return await self._asgi.handle_async_request(request)
        except TimeoutError as error:
            raise httpx.ReadTimeout("The sandbox did not answer in time", request=request) from error
        except DroppedError as error:
            raise httpx.RemoteProtocolError("The sandbox closed the connection", request=request) from error


@dataclass
class SandboxServer:
    url: str
    sandbox: Sandbox

    def environ(self) -> dict[str, str]:
        """The environment variables by which another process of the product uses this sandbox."""
        return {
            "AMAZON_ADS_API_URL": f"{self.url}/{{region}}/api",
            "AMAZON_LWA_URL": f"{self.url}/{{region}}",
            "AMAZON_CLIENT_ID": DEFAULT_CLIENT_ID,
            "AMAZON_CLIENT_SECRET": DEFAULT_CLIENT_SECRET,
        }


@contextlib.contextmanager
def serve(app: SandboxApplication, **options: Any) -> Iterator[str]:
    """Serve the application on a free loopback port in a thread. Yields the address without a last slash.

    `options` are uvicorn's; with `ssl_certfile` the address begins with https.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        server_header=False,
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="off",
        loop="asyncio",
        timeout_graceful_shutdown=1,
        **options,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True)
    thread.start()
    try:
        yield f"{'https' if config.is_ssl else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()


def point_settings(settings: Any, environ: dict[str, str]) -> None:
    for name, value in environ.items():
        setattr(settings, name, value)


@pytest.fixture
def sandbox_app() -> SandboxApplication:
    return create_app(small_world())


@pytest.fixture
def sandbox(sandbox_app: SandboxApplication, settings: Any) -> Sandbox:
    found: Sandbox = sandbox_app.state.sandbox
    point_settings(settings, SandboxServer(IN_PROCESS_URL, found).environ())
    return found


@pytest.fixture
def sandbox_transport(sandbox: Sandbox, sandbox_app: SandboxApplication) -> SandboxTransport:
    return SandboxTransport(sandbox_app)


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[SandboxServer]:
    app = create_app(small_world())
    with serve(app) as url:
        yield SandboxServer(url, app.state.sandbox)


@pytest.fixture(scope="session")
def untrusted_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1)
        )
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    with serve(
        create_app(small_world()), ssl_certfile=folder / "cert.pem", ssl_keyfile=folder / "key.pem"
    ) as url:
        yield url


@pytest.fixture
def sandbox_server(running_sandbox: SandboxServer, settings: Any) -> SandboxServer:
    running_sandbox.sandbox.reset(small_world())
    point_settings(settings, running_sandbox.environ())
    return running_sandbox
