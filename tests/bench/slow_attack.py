"""The attackers of `tests.bench.slow_sockets`, in a process of their own: slow sockets and password guessers."""

import asyncio
import json
import sys
from collections import Counter
from contextlib import suppress
from http.cookies import SimpleCookie

HOST = b"Host: 127.0.0.1\r\n"
PAUSE_SECONDS = 2.0


def list_slow_requests(login: str, session: str) -> list[tuple[str, bytes]]:
    cookie = f"Cookie: {session}\r\n".encode()
    return [
        ("half a form", f"POST {login} HTTP/1.1\r\n".encode() + HOST + b"Content-Length: 100000\r\n\r\nuser"),
        ("half a header", b"GET / HTTP/1.1\r\n" + HOST + b"X-Slow: "),
        ("silent", b""),
        ("half a large body", b"POST /api/v1/accounts/batch/ HTTP/1.1\r\n" + HOST
         + b"Content-Length: 8000000\r\n\r\n" + b"[" * 1000),
        ("slow reader", b"GET /api/v1/accounts/export/?format=jsonl HTTP/1.1\r\n" + HOST + cookie + b"\r\n"),
    ]  # fmt: skip


async def keep_slow_socket(port: int, start: bytes, *, reads: bool) -> None:
    """Hold a socket that sends a byte now and then, and open it again when the server ends it."""
    while True:
        with suppress(OSError):
            # The limit keeps the window of a reader small.
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            try:
                writer.write(start)
                while not writer.is_closing():
                    await asyncio.sleep(PAUSE_SECONDS)
                    if reads:
                        await reader.read(64)
                    elif start:
                        writer.write(b"x")
                        await writer.drain()
                    if reader.at_eof():
                        break
            finally:
                writer.close()
        await asyncio.sleep(0.1)


async def ask(port: int, request: bytes) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        answer = await reader.read()
        return int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n\r\n")[0]
    finally:
        writer.close()


async def guess(port: int, login: str, number: int, statuses: Counter[str]) -> None:
    token = "x" * 32
    with suppress(OSError, IndexError, ValueError):
        _, head = await ask(port, f"GET {login} HTTP/1.1\r\n".encode() + HOST + b"Connection: close\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"set-cookie: csrftoken="):
                token = SimpleCookie(line.split(b": ", 1)[1].decode())["csrftoken"].value
    attempt = 0
    while True:
        attempt += 1
        body = f"csrfmiddlewaretoken={token}&username=boss&login=boss&password=guess-{number}-{attempt}"
        request = (
            f"POST {login} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: csrftoken={token}\r\nConnection: close\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )
        try:
            status, _ = await ask(port, request.encode())
            statuses[str(status)] += 1
        except (OSError, IndexError, ValueError) as error:
            statuses[type(error).__name__] += 1
            await asyncio.sleep(0.1)
        if statuses["503"] or statuses["429"]:
            # A guesser that is refused at once would measure the speed of this client.
            await asyncio.sleep(0.1)


async def attack(port: int, login: str, session: str, sockets: int, guessers: int) -> None:
    statuses: Counter[str] = Counter()
    kinds = list_slow_requests(login, session)
    tasks = [
        asyncio.create_task(keep_slow_socket(port, start, reads=name == "slow reader"))
        for name, start in (kinds[number % len(kinds)] for number in range(sockets))
    ]
    tasks += [asyncio.create_task(guess(port, login, number, statuses)) for number in range(guessers)]
    # The benchmark closes our standard input at its end.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    sys.stdout.write(json.dumps(statuses))


if __name__ == "__main__":
    asyncio.run(attack(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))
