from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("connect/amazon/", include("tokens.urls")),
    path("api/v1/", include("accounts.api.urls")),
    path("", include("dashboard.urls")),
]
