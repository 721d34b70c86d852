"""The addresses of the product, and one address of the API whose view has a bug."""

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amazon_accounts.urls import handler400, handler403, handler404, handler500
from amazon_accounts.urls import urlpatterns as product_urlpatterns

__all__ = ["handler400", "handler403", "handler404", "handler500"]


class Failing(APIView):
    def get(self, _request: Request) -> Response:
        raise RuntimeError("secret detail")


urlpatterns = [path("api/v1/failing/", Failing.as_view()), *product_urlpatterns]
