from django.contrib import admin
from django.urls import include, path, re_path

from accounts.api.problems import answer_not_found

urlpatterns = [
    path("auth/", include("dashboard.sign_in.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("accounts.api.urls")),
    re_path(r"^api/", answer_not_found),
    path("", include("dashboard.urls")),
]

handler400 = "dashboard.views.errors.bad_request"
handler403 = "dashboard.views.errors.forbidden"
handler404 = "dashboard.views.errors.not_found"
handler500 = "dashboard.views.errors.server_error"
handler429 = "dashboard.views.errors.too_many_requests"
