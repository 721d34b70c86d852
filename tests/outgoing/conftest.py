"""A private authority, an Amazon that only the proxy reaches, and the proxy."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from django.conf import LazySettings

from amazon_accounts.configuration.outgoing import DirectHost, Proxy
from amazon_accounts.sandbox.app import create_app
from amazon_accounts.sandbox.state import Sandbox
from amazon_accounts.sandbox.world import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, small_world
from tests.outgoing.little_proxy import LittleProxy, run_little_proxy
from tests.sandbox_fixtures import serve

AMAZON = "amazon.test"
MAIL = "mail.test"
PASSWORD = "hunter2:/@"


@dataclass
class Company:
    """An authority of its own, whose certificates the hosts of the test have."""

    authority: trustme.CA
    bundle: Path
    certificate: Path


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    folder = tmp_path_factory.mktemp("company")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    certificate = authority.issue_cert(AMAZON, MAIL, "127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(folder / "host.pem")
    return Company(authority, folder / "authority.pem", folder / "host.pem")


@pytest.fixture(scope="session")
def far_sandbox(company: Company) -> Iterator[tuple[Sandbox, int]]:
    app = create_app(small_world())
    with serve(app, ssl_certfile=company.certificate, ssl_keyfile=company.certificate) as url:
        yield app.state.sandbox, urlsplit(url).port or 0


@pytest.fixture
def proxy() -> Iterator[LittleProxy]:
    with run_little_proxy() as little:
        yield little


@pytest.fixture
def amazon_behind_proxy(
    far_sandbox: tuple[Sandbox, int], proxy: LittleProxy, settings: LazySettings, company: Company
) -> Sandbox:
    """Amazon at https://amazon.test, a name that only the proxy knows."""
    sandbox, port = far_sandbox
    sandbox.reset(small_world())
    proxy.hosts[f"{AMAZON}:443"] = port
    settings.AMAZON_ADS_API_URL = f"https://{AMAZON}/{{region}}/api"
    settings.AMAZON_LWA_URL = f"https://{AMAZON}/{{region}}"
    settings.AMAZON_CLIENT_ID = DEFAULT_CLIENT_ID
    settings.AMAZON_CLIENT_SECRET = DEFAULT_CLIENT_SECRET
    settings.CA_BUNDLE = str(company.bundle)
    return sandbox


UseProxy = Callable[..., None]


@pytest.fixture
def use_proxy(settings: LazySettings, proxy: LittleProxy) -> UseProxy:
    def use(*direct: str, user: str = "", password: str = "", port: int = 0, scheme: str = "http") -> None:
        settings.HTTPS_PROXY = Proxy(scheme, "127.0.0.1", port or proxy.port, user, password)
        settings.NO_PROXY = tuple(DirectHost.parse(entry) for entry in direct)

    return use
