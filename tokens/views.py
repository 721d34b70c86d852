"""The browser's way to Amazon's consent page and back."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse


def connect_amazon(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=HTTPStatus.SERVICE_UNAVAILABLE)


def connect_amazon_callback(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=HTTPStatus.SERVICE_UNAVAILABLE)
