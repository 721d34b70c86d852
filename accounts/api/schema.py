"""The OpenAPI document and the page that shows it. In production both need a login."""

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated

_show_page = SpectacularSwaggerSplitView.as_view(
    url_name="api:schema", template_name="accounts/api_docs.html"
)


class SchemaView(SpectacularAPIView):
    def get_permissions(self) -> list[BasePermission]:
        return [AllowAny() if settings.LOCAL_MODE else IsAuthenticated()]


def docs(request: HttpRequest) -> HttpResponseBase:
    if not settings.LOCAL_MODE and not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    return _show_page(request)
