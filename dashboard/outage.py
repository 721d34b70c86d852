"""The answer to a request while the database is away: 503 at once, in one sentence."""

import logging
from collections.abc import Callable
from http import HTTPStatus

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse

from amazon_accounts.postgresql.threads import is_outage

logger = logging.getLogger(__name__)

SENTENCE = "The database does not answer. Try again in a few seconds."


class DatabaseOutageMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, OperationalError | InterfaceError) or not is_outage(error):
            return None
        logger.warning("The database is away: %s", str(error).partition("\n")[0])
        return _unavailable(request)


def _unavailable(request: HttpRequest) -> HttpResponse:
    status = HTTPStatus.SERVICE_UNAVAILABLE
    response: HttpResponse
    if request.path.startswith("/api/"):
        problem = {"type": "about:blank", "title": status.phrase, "status": status, "detail": SENTENCE}
        response = JsonResponse(problem, status=status, content_type="application/problem+json")
    else:
        response = HttpResponse(SENTENCE, status=status, content_type="text/plain; charset=utf-8")
    response["Retry-After"] = "5"
    return response
