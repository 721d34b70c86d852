"""Answers a GET of the API with 304 if the ETag that the client sends is that of the answer."""

from collections.abc import Callable
from hashlib import blake2b

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response


class ConditionalMiddleware:
    """Gives each answer to GET an ETag of its body. The version that a view has set for If-Match comes first in it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_whole = response.status_code == 200 and not response.streaming
        if request.method != "GET" or not is_whole or not request.path.startswith("/api/"):
            return response
        version = response.headers.get("ETag", "").strip('"')
        digest = blake2b(response.content, digest_size=10).hexdigest()
        etag = f'"{version}.{digest}"' if version else f'"{digest}"'
        response.headers["ETag"] = etag
        return get_conditional_response(request, etag=etag, response=response) or response
