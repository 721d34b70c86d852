"""An ASGI application that answers with a WSGI application."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from amazon_accounts.server.answers import Answer, Stream, WSGIApplication, answer
from amazon_accounts.server.lanes import HASHING, Hashing, Lane, LaneFullError, Lanes
from amazon_accounts.server.limits import Limits
from amazon_accounts.server.messages import Message, Receive, Scope, Send
from amazon_accounts.server.orphans import end_with_main_process
from amazon_accounts.server.refusals import RefusedError, refuse
from amazon_accounts.server.requests import (
    Bodies,
    Environ,
    check_size,
    make_environ,
    read_path,
)
from amazon_accounts.server.sockets import limit_sockets
from amazon_accounts.web.problems import BUSY

logger = logging.getLogger(__name__)

_Result = TypeVar("_Result")
Gone = asyncio.Future[Message]


class ClientGoneError(Exception):
    """The client left before the work for its request began."""


class Bridge:
    """Answers with the application. `begin` and `end` are called when the process begins and ends to serve."""

    def __init__(
        self,
        application: WSGIApplication,
        limits: Limits | None = None,
        begin: Callable[[], object] = lambda: None,
        end: Callable[[], object] = lambda: None,
    ) -> None:
        self._application = application
        self._begin = begin
        self._end = end
        self._limits = limits or Limits()
        self._lanes = Lanes(self._limits)
        self._bodies = Bodies(self._limits)
        self._limits_sockets = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if not self._limits_sockets:
            # Now granian listens in this process.
            self._limits_sockets = True
            limit_sockets(scope, self._limits)
        try:
            await self._serve(scope, receive, send)
        except RefusedError as refusal:
            await refuse(scope, send, refusal)
        except ClientGoneError:
            pass

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                self._lanes.stop()
                self._end()
            else:
                end_with_main_process()
                self._begin()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        check_size(scope, self._limits)
        body = await self._bodies.read(scope, receive)
        body_bytes = body.tell()
        # The body is read, so the next message is that the client has left.
        gone: Gone = asyncio.ensure_future(receive())
        try:
            hashing = Hashing()
            environ = make_environ(scope, body) | {HASHING: hashing}
            ready = await self._run(
                self._lanes.choose(scope["method"], read_path(scope), body_bytes), environ, gone
            )
            if hashing.is_wanted:
                environ = make_environ(scope, body) | {HASHING: Hashing(is_allowed=True)}
                ready = await self._run(self._lanes.choose_for_hashing(hashing), environ, gone)
            await self._send(ready, send, gone)
        finally:
            self._bodies.forget(body_bytes)
            gone.cancel()

    async def _run(self, lane: Lane, environ: Environ, gone: Gone) -> Answer:
        try:
            work = lane.begin(answer, self._application, environ)
        except LaneFullError:
            raise RefusedError(BUSY, "Too many requests wait for an answer. Try again.") from None
        return await _wait_for(work, gone)

    async def _send(self, ready: Answer, send: Send, gone: Gone) -> None:
        await send({"type": "http.response.start", "status": ready.status, "headers": ready.headers})
        try:
            if ready.stream is None:
                await self._send_chunk(send, ready.body, is_last=True)
            else:
                await self._send_stream(ready.stream, send, gone)
        except TimeoutError:
            # granian ends a connection whose answer has no end.
            logger.warning("Dropped a client that took nothing for %g seconds", self._limits.send_seconds)

    async def _send_stream(self, stream: Stream, send: Send, gone: Gone) -> None:
        lane = self._lanes.pages if stream.is_file else self._lanes.bulk
        try:
            while not gone.done():
                chunk = await _wait_for(lane.go_on(stream.read_chunk), gone)
                await self._send_chunk(send, chunk, is_last=not chunk)
                if not chunk:
                    break
        finally:
            await asyncio.wrap_future(lane.go_on(stream.close))

    async def _send_chunk(self, send: Send, chunk: bytes, *, is_last: bool) -> None:
        async with asyncio.timeout(self._limits.send_seconds):
            await send({"type": "http.response.body", "body": chunk, "more_body": not is_last})


async def _wait_for(work: Future[_Result], gone: Gone) -> _Result:
    """Return the result of the thread. Raise ClientGoneError if the client leaves before the work begins."""
    result = asyncio.wrap_future(work)
    await asyncio.wait((result, gone), return_when=asyncio.FIRST_COMPLETED)
    if not result.done() and work.cancel():
        raise ClientGoneError
    return await result
