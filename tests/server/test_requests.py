"""What reaches the application of a request, and what is refused before."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from amazon_accounts.web.problems import CONTENT_TOO_LARGE
from tests.server.conftest import HOST, Server

pytestmark = pytest.mark.xdist_group("web server")


def echo(server: Server, request: bytes) -> dict[str, Any]:
    answer = server.send(request)
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    found: dict[str, Any] = json.loads(answer.split(b"\r\n\r\n", 1)[1])
    return found


def test_ten_thousand_headers_are_refused(server: Server) -> None:
    headers = b"".join(b"X-%d: y\r\n" % number for number in range(10_000))
    assert server.send(b"GET / HTTP/1.1\r\n" + HOST + headers + b"\r\n").startswith(b"HTTP/1.1 431 ")
    assert server.ask("GET", "/healthz")[0] == 200


def test_large_headers_are_refused_with_one_line_in_the_log(server: Server) -> None:
    status, body, _ = server.ask("GET", "/a%0a%1b[31mb", headers={"X-Large": "y" * 40_000})
    assert (status, body) == (431, b"The headers are larger than 32,768 bytes.\n")
    line = r"Refused GET '/a\n\x1b[31mb' from 127.0.0.1 with 431: The headers are larger than 32,768 bytes."
    assert server.log().count(line) == 1


def test_a_long_address_is_refused(server: Server) -> None:
    assert server.ask("GET", "/" + "y" * 20_000)[0] == 414
    assert server.ask("GET", "/?q=" + "y" * 20_000)[0] == 414


@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"], ids=["sent", "asked about"])
def test_a_body_of_a_gigabyte_is_refused_before_it_is_read(server: Server, expect: bytes) -> None:
    answer = server.send(
        b"POST /auth/login/ HTTP/1.1\r\n" + HOST + expect + b"Content-Length: 1000000000\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.endswith(b"The body is larger than 200,000 bytes.\n")
    assert server.log().count("with 413") == 1


def test_the_api_refuses_a_large_body_with_problem_details(server: Server) -> None:
    answer = server.send(
        b"POST /api/v1/accounts/batch/ HTTP/1.1\r\n" + HOST + b"Content-Length: 9999999\r\n\r\n"
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    problem = json.loads(body)
    assert problem["status"] == 413
    assert problem["type"].endswith(CONTENT_TOO_LARGE.path)


def test_a_chunked_body_is_refused_when_it_becomes_too_large(server: Server) -> None:
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    with server.connect(
        b"POST /test/echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    ) as client:
        try:
            for _ in range(100):
                client.sendall(chunk)
        except (BrokenPipeError, ConnectionResetError):
            pass
    server.wait_for("with 413: The body is larger than 200,000 bytes.")


@pytest.mark.parametrize(
    "chunks", [b"ZZ\r\nabc\r\n", b"f" * 18 + b"\r\nabc\r\n", b"3;" + b"a" * 70_000 + b"\r\nabc\r\n0\r\n\r\n"]
)
@pytest.mark.parametrize("path", [b"/auth/login/", b"/api/v1/accounts/batch/"])
def test_malformed_chunks_are_refused_with_one_line_in_the_log(
    server: Server, path: bytes, chunks: bytes
) -> None:
    answer = server.send(
        b"POST " + path + b" HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
    )
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert server.log().count("with 400: The body ended before it was complete, or is malformed.") == 1


def test_a_chunked_body_arrives_whole(server: Server) -> None:
    request = (
        b"POST /test/echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    found = echo(server, request + b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
    assert (found["body"], found["CONTENT_LENGTH"]) == ("abcdefg", "7")
    assert "HTTP_TRANSFER_ENCODING" not in found


def test_it_asks_for_a_body_that_waits_for_leave(server: Server) -> None:
    request = b"POST /test/echo HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    with server.connect(request) as client:
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abc")
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("lengths", [(b"3", b"4"), (b"-1",), (b"3x",), (b"99999999999999999999",)])
def test_a_malformed_length_is_refused(server: Server, lengths: tuple[bytes, ...]) -> None:
    headers = b"".join(b"Content-Length: %s\r\n" % length for length in lengths)
    answer = server.send(b"POST /test/echo HTTP/1.1\r\n" + HOST + headers + b"\r\nabcd")
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 413 ")), answer


def test_the_answer_to_head_has_no_body(server: Server) -> None:
    body = server.ask("GET", "/auth/login/")[1]
    answer = server.send(b"HEAD /auth/login/ HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in answer
    # A stream does not begin.
    assert server.send(b"HEAD /test/broken HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n").endswith(
        b"\r\n\r\n"
    )
    assert "RuntimeError" not in server.log()


def test_a_stream_that_breaks_is_not_mistaken_for_a_whole_answer(server: Server) -> None:
    answer = server.send(b"GET /test/broken HTTP/1.1\r\n" + HOST + b"\r\n")
    assert answer.endswith(b"half\r\n")


def test_a_stream_keeps_no_database_connection_between_two_chunks(server: Server) -> None:
    status, body, _ = server.ask("GET", "/test/rows")
    assert (status, body) == (200, b"closed closed closed ")


def test_forwarded_addresses_keep_their_order_and_cannot_be_replaced(server: Server) -> None:
    found = echo(
        server,
        b"GET /test/echo HTTP/1.1\r\n"
        + HOST
        + b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\n"
        b"X_Forwarded_For: 192.0.2.3\r\nCookie: a=1\r\nCookie: b=2\r\nConnection: close\r\n\r\n",
    )
    assert found["HTTP_X_FORWARDED_FOR"] == "192.0.2.1,192.0.2.2"
    assert found["HTTP_COOKIE"] == "a=1; b=2"
    assert found["REMOTE_ADDR"] == "127.0.0.1"


def test_the_path_arrives_as_its_bytes(server: Server) -> None:
    found = echo(
        server,
        b"GET /test/%C3%A9%FF/echo?q=%C3%A9 HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
    )
    assert found["PATH_INFO"].encode("latin-1") == b"/test/\xc3\xa9\xff/echo"
    assert found["QUERY_STRING"] == "q=%C3%A9"


@pytest.mark.parametrize(
    "target", [b"*", b"http://evil.example/healthz", b"//healthz", b"/%00", b"/?q=%ff%00"]
)
def test_odd_targets_are_answered(server: Server, target: bytes) -> None:
    method = b"OPTIONS" if target == b"*" else b"GET"
    answer = server.send(method + b" " + target + b" HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    assert answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 3", b"HTTP/1.1 4")), answer


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain; charset=rot13",
        "text/plain; charset=unicode_escape",
        "text/plain; charset=idna",
        "application/json; charset=zip",
        "text/plain; a*=nonsense''%41",
        "application/json; boundary*=nonsense''%41",
    ],
)
@pytest.mark.parametrize("path", ["/auth/login/", "/accounts/", "/api/v1/accounts/", "/nowhere/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_charset_of_a_media_type_is_an_error_of_ours(
    server: Server, media_type: str, path: str, method: str
) -> None:
    status = server.ask(method, f"{path}?search=%5Cud800", b"a=%5Cud800", {"Content-Type": media_type})[0]
    assert status < 500
    assert "Traceback" not in server.log()


def test_too_many_parameters_are_refused_whatever_the_charset_is(server: Server) -> None:
    query = "&".join(f"a{number}=1" for number in range(2_000))
    media_type = {"Content-Type": "application/json; charset=utf-8"}
    for path in ("/auth/login/", "/api/v1/accounts/"):
        assert server.ask("GET", f"{path}?{query}", headers=media_type)[0] in {400, 401}
    assert "Traceback" not in server.log()


def test_static_files_arrive_whole(server: Server) -> None:
    folder = Path(str(files("drf_spectacular_sidecar"))) / "static"
    largest = max(folder.rglob("*.js"), key=lambda path: path.stat().st_size)
    status, body, headers = server.ask("GET", f"/static/{largest.relative_to(folder)}")
    assert status == 200
    assert body == largest.read_bytes()
    assert headers["Content-Length"] == str(len(body))
