"""The sandbox Amazon as an ASGI application.

`app` is what a server runs (`uvicorn --no-server-header amazon_accounts.sandbox.app:app`, or
`python -m amazon_accounts.sandbox`); `create_app` makes one for tests.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from amazon_accounts.sandbox.answers import Answer, page
from amazon_accounts.sandbox.calls import Area, Call
from amazon_accounts.sandbox.control.routes import control_routes
from amazon_accounts.sandbox.state import DroppedError, Sandbox
from amazon_accounts.sandbox.world.demo import demo_world
from amazon_accounts.sandbox.world.entities import World
from amazon_accounts.sandbox.world.geography import REGIONS, Region

LOGIN_AREAS: dict[str, Area] = {
    "/ap/oa": "authorize",
    "/ap/oa/consent": "authorize",
    "/auth/o2/token": "token",
    "/auth/o2/tokeninfo": "tokeninfo",
    "/user/profile": "profile",
}
#: Bytes in each part of a large answer.
PART_BYTES = 1_000_000
#: The number of parts of an answer that is sent slowly.
SLOW_PARTS = 20
DEFAULT_RETURN_URLS = (
    "http://localhost:8000/connect/amazon/callback/,http://127.0.0.1:8000/connect/amazon/callback/"
)


class SandboxApplication(Starlette):
    """Starlette that can also close a connection without an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["sandbox.dropped"] = False
        await super().__call__(scope, receive, send)
        if scope["sandbox.dropped"]:
            await _hang_up(receive, send)


class AmazonEndpoint:
    """Answers every path except the control path."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        call = await _read_call(request)
        if call is None:
            await _send(page(404, "Not Found", "The sandbox Amazon has nothing here."), None, send)
            return

        async def closed() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        try:
            answer = await self._sandbox.answer(call, closed)
        except DroppedError:
            scope["sandbox.dropped"] = True
            return
        scope["sandbox.dropped"] = await _send(answer, call, send)


async def _read_call(request: Request) -> Call | None:
    path = request.scope["path"]
    region: Region | None = None
    for each in REGIONS:
        if path.startswith(f"/{each.lower()}/"):
            region = each
            path = path[len(each) + 1 :]
    area = LOGIN_AREAS.get(path)
    if area is None and region is not None and path.startswith("/api/"):
        area = "api"
        path = path.removeprefix("/api")
    if area is None:
        return None
    return Call(
        area=area,
        method=request.method,
        path=path,
        region=region,
        url=str(request.url),
        query=dict(parse_qsl(request.url.query, keep_blank_values=True)),
        headers=dict(request.headers),
        body=await request.body(),
    )


async def _send(answer: Answer, call: Call | None, send: Send) -> bool:
    """Send the answer. Returns True if the connection must be closed after a part of the answer."""
    body = answer.render()
    headers = {
        "Server": "Server",
        "Content-Length": str(len(body)),
        "Content-Type": answer.content_type,
        **answer.headers,
    }
    if call is not None:
        headers |= {"x-amzn-RequestId": call.request_id, "x-amz-rid": call.rid}
    raw = [
        (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in headers.items()
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    if answer.cut_after is not None:
        await send({"type": "http.response.body", "body": body[: answer.cut_after], "more_body": True})
        return True
    part_bytes = max(1, len(body) // SLOW_PARTS) if answer.dribble else PART_BYTES
    for start in range(0, max(1, len(body)), part_bytes):
        await asyncio.sleep(answer.dribble / SLOW_PARTS)
        part = body[start : start + part_bytes]
        await send({"type": "http.response.body", "body": part, "more_body": start + part_bytes < len(body)})
    return False


async def _hang_up(receive: Receive, send: Send) -> None:
    """Close the server's connection. Without a server raise DroppedError, for the transport of a test."""
    transport: Any = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise DroppedError
    transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass


def create_app(world: World | None = None) -> SandboxApplication:
    """A sandbox Amazon with this world, or with the demo's world. `app.state` holds its parts."""
    sandbox = Sandbox(demo_world() if world is None else world)
    app = SandboxApplication(
        routes=[
            Mount("/_sandbox", routes=control_routes(sandbox)),
            Route("/{path:path}", endpoint=AmazonEndpoint(sandbox)),
        ]
    )
    app.state.sandbox = sandbox
    for name in ("world", "clock", "choices", "grants", "faults", "throttle", "journal"):
        setattr(app.state, name, getattr(sandbox, name))
    return app


def refusal_to_serve(environ: dict[str, str]) -> str:
    """The reason not to serve the sandbox here, or an empty string."""
    has_database = environ.get("DATABASE_URL") or environ.get("DATABASE_URL_FILE")
    if has_database and environ.get("SANDBOX_WITH_DATABASE_URL") != "1":
        return (
            "The sandbox Amazon does not start in production (DATABASE_URL is set); "
            "for a test against your own database set SANDBOX_WITH_DATABASE_URL=1."
        )
    return ""


def served_app(environ: dict[str, str]) -> SandboxApplication:
    """The application of the server process. Raises SystemExit in production."""
    if refusal := refusal_to_serve(environ):
        raise SystemExit(refusal)
    urls = environ.get("SANDBOX_RETURN_URLS") or DEFAULT_RETURN_URLS
    return create_app(demo_world(return_urls=[url.strip() for url in urls.split(",") if url.strip()]))


def __getattr__(name: str) -> Callable[..., Awaitable[None]]:
    # A server asks for `app`. A test that imports this module must not make the demo.
    if name == "app":
        return served_app(dict(os.environ))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
