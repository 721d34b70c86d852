"""deploy/nginx.conf and deploy/Caddyfile in the real programs, before a real server."""

import contextlib
import datetime
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.ports import free_port
from tests.processes import PROJECT, eventually
from tests.server.conftest import HOST, Server

NAME = "localhost"
PROGRAMS = {"nginx": shutil.which("nginx") or shutil.which("/usr/sbin/nginx"), "caddy": shutil.which("caddy")}

REFUSALS = "refusals.log"

pytestmark = pytest.mark.xdist_group("web server")


class Proxy:
    def __init__(self, name: str, port: int, folder: Path) -> None:
        self.name, self.port = name, port
        self._refusals = folder / REFUSALS
        self._tls = ssl.create_default_context()
        self._tls.check_hostname, self._tls.verify_mode = False, ssl.CERT_NONE

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPSConnection(NAME, self.port, timeout=20, context=self._tls)
        with contextlib.closing(connection):
            connection.request(
                method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
            )
            response = connection.getresponse()
            return response.status, response.read()

    def connect(self, data: bytes) -> ssl.SSLSocket:
        client = self._tls.wrap_socket(
            socket.create_connection(("127.0.0.1", self.port), timeout=20), server_hostname=NAME
        )
        client.sendall(data)
        return client

    def refusals(self) -> list[str]:
        """What nginx wrote about requests that web does not write about."""
        return self._refusals.read_text().splitlines()

    def answers(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.ask("GET", "/healthz")[0] == 200
        return False


def make_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "fullchain.pem", folder / "privkey.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths


def replace(text: str, replacements: dict[str, str]) -> str:
    for old, new in replacements.items():
        assert old in text, f"{old} is not in the file any more"
        text = text.replace(old, new)
    return text


def configure_nginx(folder: Path, port: int, upstream: int) -> list[str]:
    text = replace(
        Path(PROJECT, "deploy/nginx.conf").read_text(),
        {
            "listen 80;": f"listen 127.0.0.1:{free_port()};",
            "    listen [::]:80;\n": "",
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "    listen [::]:443 ssl http2;\n": "",
            "/etc/ssl/ads.example.com": str(folder),
            "/var/log/nginx/amazon-accounts-refused.log": f"{folder}/{REFUSALS}",
            "ads.example.com": NAME,
            "127.0.0.1:8000": f"127.0.0.1:{upstream}",
        },
    )
    (folder / "site.conf").write_text(text)
    folders = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {folders} include {folder}/site.conf; }}\n"
    )
    return ["-c", str(folder / "nginx.conf"), "-e", "stderr"]


def configure_caddy(folder: Path, port: int, upstream: int) -> list[str]:
    text = replace(
        Path(PROJECT, "deploy/Caddyfile").read_text(),
        {
            "{\n\tservers": "{\n\tadmin off\n\tauto_https off\n\tservers",
            "{$SITE_NAME:ads.example.com} {\n": f"{NAME}:{port} {{\n\ttls {folder}/fullchain.pem {folder}/privkey.pem\n",
            "127.0.0.1:8000": f"127.0.0.1:{upstream}",
        },
    )
    version = subprocess.run(
        [str(PROGRAMS["caddy"]), "version"], capture_output=True, text=True, check=True
    ).stdout
    if re.match(r"v?2\.[0-6]\b", version):
        text = replace(text, {"request_buffers 8MB": "buffer_requests\n\t\tmax_buffer_size 8MB"})
    (folder / "Caddyfile").write_text(text)
    return ["run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def proxy(
    request: pytest.FixtureRequest, started_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    name: str = request.param
    program = PROGRAMS[name]
    if program is None:
        pytest.skip(f"{name} is not installed")
    folder, port = tmp_path_factory.mktemp(name), free_port()
    folder.chmod(0o755)
    make_certificate(folder)
    configure = configure_nginx if name == "nginx" else configure_caddy
    log = (folder / "log").open("ab")
    process = subprocess.Popen(
        [program, *configure(folder, port, started_server.port)],
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
        stdout=log,
        stderr=log,
    )
    try:
        found = Proxy(name, port, folder)
        eventually(found.answers, 30, describe=(folder / "log").read_text)
        yield found
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def test_web_learns_the_address_of_the_client_and_the_scheme_from_the_proxy(
    proxy: Proxy, server: Server
) -> None:
    status, body = proxy.ask(
        "GET",
        "/test/echo",
        X_Forwarded_For="192.0.2.1",
        X_Forwarded_Proto="http",
        X_Forwarded_Host="evil.example",
        Forwarded="for=192.0.2.1",
    )
    found = json.loads(body)
    assert (status, found["HTTP_X_FORWARDED_FOR"], found["HTTP_X_FORWARDED_PROTO"]) == (
        200,
        "127.0.0.1",
        "https",
    )
    assert found["HTTP_HOST"].startswith(NAME)
    assert "evil.example" not in body.decode()
    assert "HTTP_FORWARDED" not in found


def test_web_does_not_hear_of_a_half_request(proxy: Proxy, server: Server) -> None:
    half = b"POST /auth/test/echo HTTP/1.1\r\n" + HOST + b"Content-Length: 1000\r\n\r\nhalf"
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(proxy.connect(half))
        # In this time web would refuse them.
        eventually(lambda: proxy.ask("GET", "/healthz")[0] == 200)
        status, body = proxy.ask("POST", "/test/echo", b"whole")
        assert (status, json.loads(body)["body"]) == (200, "whole")
    assert "Refused" not in server.log()


def test_the_proxy_refuses_a_large_body(proxy: Proxy, server: Server) -> None:
    with proxy.connect(
        b"POST /api/v1/accounts/batch/ HTTP/1.1\r\n" + HOST + b"Content-Length: 100000000\r\n\r\n"
    ) as client:
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")
    assert "Refused" not in server.log()


@pytest.mark.parametrize(
    ("line", "headers", "refusal"),
    [
        (b"GET /a?code=secret HTTP/1.1", b"X-%d: y\r\n", '431: "GET /a"'),
        (b"GET /c/the-token-of-a-link/ HTTP/1.1", b"X-%d: y\r\n", '431: "GET /c/..."'),
        (b"GET /\x1b[2J HTTP/1.1", b"", '400: "- -"'),
        (b"nonsense", b"", '400: "- -"'),
        (b"GET /b HTTP/1.1", b"Content-Length: 3x\r\n", '400: "GET /b"'),
        (b"GET /c HTTP/1.1", b"X-Long-%d: " + b"y" * 1000 + b"\r\n", '400: "GET /c"'),
    ],
    ids=["many headers", "client link", "control character", "no request", "length", "long head"],
)
def test_nginx_writes_one_line_about_a_request_that_no_code_of_ours_sees(
    proxy: Proxy, server: Server, line: bytes, headers: bytes, refusal: str
) -> None:
    if proxy.name == "caddy":
        pytest.skip("Caddy writes nothing about requests that it cannot read")
    before = len(proxy.refusals())
    many = b"".join(headers % number for number in range(150)) if b"%d" in headers else headers
    with proxy.connect(line + b"\r\n" + HOST + many + b"\r\n") as client:
        assert client.recv(100).startswith(b"HTTP/1.1 4")
    eventually(lambda: len(proxy.refusals()) > before, 20)
    [written] = proxy.refusals()[before:]
    assert written.endswith(f"refused a request from 127.0.0.1 with {refusal}")
    assert "Refused" not in server.log()


def test_nginx_writes_nothing_about_what_web_answers(proxy: Proxy, server: Server) -> None:
    if proxy.name == "caddy":
        pytest.skip("Caddy writes nothing about requests that it cannot read")
    before = len(proxy.refusals())
    assert proxy.ask("GET", "/nowhere/")[0] == 404
    assert proxy.ask("POST", "/auth/login/")[0] == 403
    large = {f"X_Large_{number}": "y" * 12_000 for number in range(3)}
    assert proxy.ask("GET", "/test/echo", b"", **large)[0] == 431
    server.wait_for("with 431")
    assert proxy.refusals()[before:] == []


def test_metrics_are_not_public(proxy: Proxy, server: Server) -> None:
    assert proxy.ask("GET", "/metrics")[0] == 404


def test_one_address_cannot_take_every_connection(proxy: Proxy, server: Server) -> None:
    if proxy.name == "caddy":
        pytest.skip(
            "Caddy has no cap of connections for each address; its file names a rule for the firewall"
        )
    half = b"POST /test/echo HTTP/1.1\r\n" + HOST + b"Content-Length: 1000\r\n\r\nhalf"
    with ExitStack() as stack:
        clients = [stack.enter_context(proxy.connect(half)) for _ in range(50)]
        eventually(lambda: proxy.ask("GET", "/healthz")[0] == 429, 10)
        clients[0].close()
    eventually(lambda: proxy.ask("GET", "/healthz")[0] == 200, 10)
