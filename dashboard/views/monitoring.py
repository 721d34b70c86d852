"""The addresses that load balancers, supervisors and Prometheus ask."""

import ipaddress
from http import HTTPStatus
from secrets import compare_digest

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from dashboard import metrics as console_metrics
from dashboard.monitoring import checks

# The checks of the database and of its migrations come first, and further checks are made only if these two pass.
FIRST_CHECKS = 2


@never_cache
@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    # This asks nothing but the process itself: a database that is away must not lead to a restart of web.
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer whether database, migrations, a worker and a scheduler are there. Staff see what is missing."""
    found = checks()
    ready = all(check.ok for check in found)
    answer: dict[str, object] = {"status": "ready" if ready else "not ready"}
    # The user is read from the database, so the database must be in order.
    if len(found) > FIRST_CHECKS and request.user.is_staff:
        answer["checks"] = [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in found]
    return JsonResponse(answer, status=HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    if not _may_read_metrics(request):
        return HttpResponse(
            "Give METRICS_TOKEN as a bearer token.\n"
            if settings.METRICS_TOKEN
            else "Only from this machine.\n",
            content_type="text/plain",
            status=HTTPStatus.UNAUTHORIZED if settings.METRICS_TOKEN else HTTPStatus.FORBIDDEN,
            headers={"WWW-Authenticate": "Bearer"} if settings.METRICS_TOKEN else None,
        )
    return HttpResponse(console_metrics.exposition(), content_type=CONTENT_TYPE_LATEST)


@require_safe
def favicon(_request: HttpRequest) -> HttpResponse:
    # Browsers ask for this address on pages without our frame.
    return redirect(static("dashboard/icon.svg"))


def _may_read_metrics(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and compare_digest(
            token.strip().encode(), settings.METRICS_TOKEN.encode()
        )
    # Behind a proxy every request comes from loopback, also a request that the proxy forwards for another machine.
    if any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via")):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
