"""The addresses of the product and one more, whose view fails."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from amazon_accounts.urls import handler400, handler403, handler404, handler500
from amazon_accounts.urls import urlpatterns as product_urlpatterns

__all__ = ["handler400", "handler403", "handler404", "handler500"]


def fail(_request: HttpRequest) -> HttpResponse:
    raise RuntimeError("secret detail")


urlpatterns = [*product_urlpatterns, path("failing/", fail)]
