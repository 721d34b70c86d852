"""The addresses of the product and one more, whose view fails with secrets and people in its words."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path

from amazon_accounts.urls import handler400, handler403, handler404, handler500
from amazon_accounts.urls import urlpatterns as product_urlpatterns

__all__ = ["handler400", "handler403", "handler404", "handler500"]


def fail(_request: HttpRequest) -> HttpResponse:
    variable = "Atza|in-a-variable"
    raise ValueError(
        "Key (email)=(carol@example.com) of 'Carol Jones' at 203.0.113.7 with Atzr|abc"
        f" and {settings.SECRET_KEY}\nDETAIL: in-a-detail {len(variable)}"
    )


urlpatterns: list[Any] = [path("api/v1/failing/", fail), *product_urlpatterns]
