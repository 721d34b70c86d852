"""The answer to a request while the database cannot do its work: 503 at once, with the cause in one sentence."""

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from accounts.api.problems import build_response
from amazon_accounts.postgresql.outages import OUTAGES, is_outage
from amazon_accounts.web.problems import DATABASE_UNAVAILABLE


class DatabaseOutageMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return answer_outage(request, error) if is_outage(error) else None


def answer_outage(request: HttpRequest, error: BaseException) -> HttpResponse:
    sentence = f"{OUTAGES.explain(error)} Try again in a few seconds."
    status = HTTPStatus.SERVICE_UNAVAILABLE
    response: HttpResponse
    if request.path.startswith("/api/"):
        response = build_response(DATABASE_UNAVAILABLE, sentence)
    else:
        response = HttpResponse(sentence, status=status, content_type="text/plain; charset=utf-8")
    response["Retry-After"] = "5"
    return response
