"""Clients that send or read slowly occupy no thread, and are dropped."""

import json
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.processes import eventually
from tests.server.conftest import HEADER_SECONDS, HOST, Server, read_all, running_server

# What application.py sets: a larger body is worked on in the bulk lane.
BULK_BODY_BYTES = 20_000
HALF_POST = b"POST /auth/login/ HTTP/1.1\r\n" + HOST + b"Content-Length: 1000\r\n\r\nuser=half"

pytestmark = pytest.mark.xdist_group("web server")


def seconds_until_closed(client: socket.socket) -> float:
    began = time.monotonic()
    assert read_all(client) == b""
    return time.monotonic() - began


def test_half_posts_stop_neither_probes_nor_pages_and_end_with_408(server: Server) -> None:
    with ExitStack() as stack:
        halves = [stack.enter_context(server.connect(HALF_POST)) for _ in range(50)]
        began = time.monotonic()
        assert server.ask("GET", "/healthz")[0] == 200
        assert server.ask("GET", "/auth/login/")[0] == 200
        assert time.monotonic() - began < 1.9, "an answer waited until the half requests had ended"
        answers = [read_all(half) for half in halves]
    assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers), answers
    assert answers[0].endswith(b"The body was not complete after 2 seconds.\n")
    assert server.log().count("Refused POST '/auth/login/' from 127.0.0.1 with 408") == 50


@pytest.mark.parametrize("data", [b"", b"GET / HTTP/1.1\r\nHo"], ids=["nothing", "half a header"])
def test_a_socket_without_a_complete_header_is_closed(server: Server, data: bytes) -> None:
    with server.connect(data) as client:
        assert seconds_until_closed(client) < HEADER_SECONDS * 4


def test_a_client_that_leaves_in_the_middle_of_its_body_is_one_line_in_the_log(server: Server) -> None:
    server.connect(HALF_POST).close()
    server.wait_for(
        "Refused POST '/auth/login/' from 127.0.0.1 with 400: The body ended before it was complete"
    )
    assert server.ask("GET", "/healthz")[0] == 200
    assert server.log().count("Refused") == 1


def test_a_stream_ends_when_its_client_leaves(server: Server) -> None:
    with server.connect(b"GET /test/endless?left HTTP/1.1\r\n" + HOST + b"\r\n") as client:
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")
    server.wait_for("ended left")


def test_a_client_that_stops_reading_a_stream_is_dropped(server: Server) -> None:
    request = b"GET /test/endless?slow HTTP/1.1\r\n" + HOST + b"\r\n"
    with server.connect(request, receive_bytes=4096):
        server.wait_for("ended slow")
        server.wait_for("Dropped a client that took nothing for 1 seconds")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has TCP_USER_TIMEOUT and /proc")
@pytest.mark.parametrize("path", [b"large", b"endless"])
def test_the_connection_of_a_client_that_reads_nothing_ends(server: Server, path: bytes) -> None:
    request = b"GET /test/" + path + b" HTTP/1.1\r\n" + HOST + b"\r\n"
    with server.connect(request, receive_bytes=4096) as client:
        assert server.holds(client)
        eventually(lambda: not server.holds(client), 10)


def test_streams_to_slow_readers_leave_pages_alone(server: Server) -> None:
    request = b"GET /test/endless?many HTTP/1.1\r\n" + HOST + b"\r\n"
    with ExitStack() as stack:
        for _ in range(12):
            client = stack.enter_context(server.connect(request, receive_bytes=4096))
            assert client.recv(10) == b"HTTP/1.1 2"
        began = time.monotonic()
        assert server.ask("GET", "/test/echo")[0] == 200
        assert time.monotonic() - began < 5
    server.wait_for("ended many", times=12)


def test_probes_answer_while_every_thread_for_pages_is_busy(
    server: Server, hold: Callable[..., None]
) -> None:
    hold(2)
    assert server.ask("GET", "/healthz")[0] == 200
    assert server.ask("GET", "/readyz")[0] in {200, 503}
    assert server.ask("GET", "/metrics")[0] == 403 or b"amazon_accounts_" in server.ask("GET", "/metrics")[1]


def test_pages_and_sign_ins_without_a_hash_answer_while_passwords_are_hashed(
    server: Server, hold: Callable[..., None]
) -> None:
    hold(1, "/auth/test/hash", "POST")
    assert server.ask("GET", "/auth/login/")[0] == 200
    assert server.ask("GET", "/auth/test/echo")[0] == 200
    for _ in range(3):
        assert server.ask("POST", "/auth/test/echo")[0] == 200
    # The product refuses a form without a CSRF token.
    assert server.ask("POST", "/auth/login/", b"login=nobody&password=x")[0] == 403


def test_strangers_who_fill_their_lane_of_hashing_do_not_delay_people_who_are_known(
    server: Server, hold: Callable[..., None]
) -> None:
    hold(1, "/auth/test/hash?stranger", "POST")
    request = b"POST /auth/test/hash?waits HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n"
    with server.connect(request), server.connect(request):
        # One waits.
        server.wait_for("with 503: Too many requests wait for an answer. Try again.")
        hold(1, "/auth/test/hash-for-known", "POST")


def test_a_request_that_is_run_again_in_the_lane_of_hashing_has_its_whole_body(server: Server) -> None:
    server.release.touch()
    assert server.ask("POST", "/auth/test/hash", b"login=carla")[:2] == (200, b"login=carla")


def test_pages_and_sign_ins_answer_while_others_wait_for_the_provider_or_for_amazon(
    server: Server, hold: Callable[..., None]
) -> None:
    hold(1, "/auth/oidc/test/hold")
    assert server.ask("POST", "/auth/test/echo")[0] == 200
    assert server.ask("GET", "/auth/login/")[0] == 200


def test_pages_answer_while_large_bodies_are_worked_on(server: Server) -> None:
    size = BULK_BODY_BYTES + 1
    request = b"POST /test/hold HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % size + b"x" * size
    with ExitStack() as stack:
        # More than there are threads for pages.
        for _ in range(4):
            stack.enter_context(server.connect(request))
        server.wait_for("holds")
        assert server.ask("POST", "/test/echo", b"x" * BULK_BODY_BYTES)[0] == 200
        assert server.ask("GET", "/auth/login/")[0] == 200
        assert server.ask("GET", "/healthz")[0] == 200
        assert server.log().count("holds") == 1, "large bodies are worked on one after the other"
        server.release.touch()
        server.wait_for("released", times=4)


def test_a_full_lane_refuses_with_503_and_says_when_to_try_again(
    server: Server, hold: Callable[..., None]
) -> None:
    hold(1, "/auth/test/hold", "POST")
    request = b"POST /auth/test/echo HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\nConnection: close\r\n\r\n"
    with ExitStack() as stack:
        clients = [stack.enter_context(server.connect(request)) for _ in range(3)]
        # One waits.
        server.wait_for("with 503: Too many requests wait for an answer. Try again.", times=2)
        server.release.touch()
        answers = sorted(read_all(client) for client in clients)
    assert [answer[:13] for answer in answers] == [b"HTTP/1.1 200 ", b"HTTP/1.1 503 ", b"HTTP/1.1 503 "]
    assert b"\r\nretry-after: 1\r\n" in answers[1]


def test_a_request_whose_client_left_while_it_waited_is_not_run(
    server: Server, hold: Callable[..., None]
) -> None:
    hold(2)
    request = b"GET /test/hold?waited HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(server.connect(request))
        # Two wait.
        server.wait_for("with 503")
    # When the places of the two are free, an answer is not refused any more: it waits.
    eventually(lambda: is_waiting(server), 10)
    server.release.touch()
    eventually(lambda: server.ask("GET", "/test/echo")[0] == 200, 10)
    assert "holds waited" not in server.log()


def is_waiting(server: Server) -> bool:
    with server.connect(b"GET /test/echo HTTP/1.1\r\n" + HOST + b"\r\n") as client:
        client.settimeout(0.2)
        try:
            client.recv(100)
        except TimeoutError:
            return True
    return False


def test_the_bodies_in_memory_have_a_limit_together(server: Server) -> None:
    size = 190_000
    request = b"POST /test/echo HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % size
    with server.connect(request + b"x" * (size - 1)) as first, server.connect(request) as second:
        second.sendall(b"x" * (size - 1))
        # A small body is read although it is more than the rest of the limit.
        assert server.ask("POST", "/test/echo", b"x" * 120_000)[0] == 200
        refused = [read_all(client) for client in (first, second)]
    # The deadline ends the body that fits. A busy server reads both at once, and then neither fits.
    statuses = [answer.split(b" ", 2)[1] for answer in refused]
    assert sorted(statuses) in ([b"408", b"503"], [b"503", b"503"])
    # The memory is free again.
    status, body, _ = server.ask("POST", "/test/echo", b"x" * size)
    assert (status, len(json.loads(body)["body"])) == (200, size)


@pytest.mark.slow
def test_it_ends_within_ten_seconds_of_sigterm_whatever_is_open(
    django_db_setup: None, tmp_path: Path
) -> None:
    with running_server(tmp_path) as server, ExitStack() as stack:
        for data in (
            HALF_POST,
            b"",
            b"GET / HTTP/1.1\r\n",
            b"GET /test/endless HTTP/1.1\r\n" + HOST + b"\r\n",
        ):
            stack.enter_context(server.connect(data, receive_bytes=4096))
        stack.enter_context(server.connect(b"GET /test/hold HTTP/1.1\r\n" + HOST + b"\r\n"))
        server.wait_for("holds")
        assert server.stop() < 10  # seconds
