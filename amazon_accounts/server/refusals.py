"""Requests that are refused before the application sees them: one short answer and one line in the log."""

import json
import logging
from http import HTTPStatus

from amazon_accounts.server.messages import Scope, Send
from amazon_accounts.web.problems import MEDIA_TYPE, ProblemType, build_problem

logger = logging.getLogger(__name__)

MAX_LOGGED_CHARACTERS = 200


class RefusedError(Exception):
    def __init__(self, problem_type: ProblemType, detail: str) -> None:
        super().__init__(detail)
        self.problem_type = problem_type
        self.detail = detail


async def refuse(scope: Scope, send: Send, refusal: RefusedError) -> None:
    status, detail = refusal.problem_type.status, refusal.detail
    address = (scope.get("client") or ("an unknown address",))[0]
    # The path comes from outside: ascii() leaves no control character in it.
    path = ascii(scope["path"])[:MAX_LOGGED_CHARACTERS]
    logger.warning("Refused %s %s from %s with %d: %s", scope["method"], path, address, status, detail)
    if scope["path"].startswith("/api/"):
        problem = build_problem(refusal.problem_type, detail)
        media_type, body = MEDIA_TYPE.encode(), json.dumps(problem).encode()
    else:
        media_type, body = b"text/plain; charset=utf-8", f"{detail}\n".encode()
    headers = [
        (b"content-type", media_type),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        # The rest of the request is not read.
        (b"connection", b"close"),
    ]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
