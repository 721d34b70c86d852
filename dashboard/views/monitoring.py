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

from dashboard.monitoring.metrics import export_metrics
from dashboard.monitoring.readiness import is_database_ready, run_checks


@never_cache
@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    # It does not ask the database: an outage of the database must not restart the web processes.
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 if the database works and all migrations are applied, else 503 with the cause. Staff see each check.

    A dead worker or scheduler is no reason to take web away from people.
    """
    checks = run_checks()
    ready = is_database_ready(checks)
    answer: dict[str, object] = {"status": "ready" if ready else "not ready"}
    if not ready:
        answer["detail"] = next(check.detail for check in checks if not check.ok)
    # The user is read from the database.
    if ready and request.user.is_staff:
        answer["checks"] = [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in checks]
    return JsonResponse(answer, status=HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    if not _may_read_metrics(request):
        return _refuse_metrics()
    return HttpResponse(export_metrics(), content_type=CONTENT_TYPE_LATEST)


@require_safe
def favicon(_request: HttpRequest) -> HttpResponse:
    # Browsers ask for it on pages without our frame.
    return redirect(static("dashboard/icon.svg"))


def _refuse_metrics() -> HttpResponse:
    if settings.METRICS_TOKEN:
        sentence, status = "Give METRICS_TOKEN as a bearer token.\n", HTTPStatus.UNAUTHORIZED
    elif settings.LOCAL_MODE:
        sentence, status = "Only from this machine.\n", HTTPStatus.FORBIDDEN
    else:
        sentence, status = "Set METRICS_TOKEN to read metrics.\n", HTTPStatus.FORBIDDEN
    response = HttpResponse(sentence, content_type="text/plain", status=status)
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    return response


def _may_read_metrics(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and compare_digest(
            token.strip().encode(), settings.METRICS_TOKEN.encode()
        )
    # In production every request may come through a proxy on this machine.
    if not settings.LOCAL_MODE:
        return False
    # Behind a proxy on this machine every request comes from loopback, but a forwarded request is from elsewhere.
    if any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via")):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
