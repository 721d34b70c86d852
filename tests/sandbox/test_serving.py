"""The sandbox over HTTP and in the same process, and where it refuses to run."""

import httpx
import pytest

from amazon_accounts.sandbox import app as app_module
from amazon_accounts.sandbox.app import served_app
from amazon_accounts.sandbox.state import Sandbox
from tests.sandbox_fixtures import IN_PROCESS_URL, SandboxServer, SandboxTransport


def test_it_refuses_to_start_in_production() -> None:
    with pytest.raises(SystemExit, match="does not start in production"):
        served_app({"DATABASE_URL": "postgres://db/production"})


def test_it_starts_beside_a_database_if_this_is_allowed() -> None:
    app = served_app({"DATABASE_URL": "postgres://db/test", "SANDBOX_WITH_DATABASE_URL": "1"})
    assert len(app.state.world.ads_accounts) > 250


def test_the_module_makes_no_other_name_on_demand() -> None:
    name = "application"
    with pytest.raises(AttributeError, match=name):
        getattr(app_module, name)


def test_it_takes_return_urls_from_the_environment() -> None:
    app = served_app(
        {"SANDBOX_RETURN_URLS": "https://console.example/connect/amazon/callback/, http://b.example/x"}
    )
    (client,) = app.state.world.clients.values()
    assert client.return_urls == ["https://console.example/connect/amazon/callback/", "http://b.example/x"]


async def test_it_answers_over_http(sandbox_server: SandboxServer) -> None:
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{sandbox_server.url}/_sandbox/")
    assert set(answer.json()["logins"]) == {"alice", "bob", "charlie"}
    assert answer.headers.get_list("server") == []


async def test_a_fault_drops_a_connection_over_http(sandbox_server: SandboxServer) -> None:
    sandbox_server.sandbox.faults.add("drop")
    async with httpx.AsyncClient() as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get(f"{sandbox_server.url}/user/profile")


async def test_a_fault_drops_a_connection_within_a_body_over_http(sandbox_server: SandboxServer) -> None:
    sandbox = sandbox_server.sandbox
    sandbox.faults.add("drop_body")
    headers = {"Authorization": f"Bearer {sandbox.access_token('alice')}"}
    async with httpx.AsyncClient() as http:
        with pytest.raises(httpx.RemoteProtocolError, match="peer closed"):
            await http.get(f"{sandbox_server.url}/user/profile", headers=headers)


async def test_it_hangs_until_the_caller_hangs_up_over_http(sandbox_server: SandboxServer) -> None:
    sandbox_server.sandbox.faults.add("hang")
    async with httpx.AsyncClient(timeout=0.2) as http:
        with pytest.raises(httpx.ReadTimeout):
            await http.get(f"{sandbox_server.url}/user/profile")


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("drop", httpx.RemoteProtocolError),
        ("hang", httpx.ReadTimeout),
        ("drop_body", httpx.RemoteProtocolError),
    ],
)
async def test_the_transport_in_process_fails_like_the_network(
    sandbox: Sandbox, sandbox_transport: SandboxTransport, kind: str, error: type[Exception]
) -> None:
    sandbox.faults.add(kind)
    headers = {"Authorization": f"Bearer {sandbox.access_token('alice')}"}
    async with httpx.AsyncClient(transport=sandbox_transport, timeout=0.2) as http:
        with pytest.raises(error):
            await http.get(f"{IN_PROCESS_URL}/user/profile", headers=headers)


async def test_a_client_refuses_an_untrusted_certificate(untrusted_url: str) -> None:
    async with httpx.AsyncClient() as http:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await http.get(f"{untrusted_url}/user/profile")


async def test_a_large_answer_is_complete_over_http(sandbox_server: SandboxServer) -> None:
    sandbox_server.sandbox.faults.add("huge", megabytes=5)
    async with httpx.AsyncClient() as http:
        assert len((await http.get(f"{sandbox_server.url}/user/profile")).content) == 5_000_002


async def test_an_empty_answer_is_complete_over_http(sandbox_server: SandboxServer) -> None:
    sandbox_server.sandbox.faults.add("empty")
    async with httpx.AsyncClient() as http:
        for _ in range(2):
            assert (await http.get(f"{sandbox_server.url}/user/profile")).content == b""
