"""How fast we may call Amazon, and what Amazon refuses."""

from django.contrib import admin

from amazon_accounts.amazon_ads.models import ApplicationRefusal, ParkedLogin, RateLimit, RateLimitHour
from dashboard.admin.read_only import ReadOnlyAdmin


@admin.register(RateLimit)
class RateLimitAdmin(ReadOnlyAdmin):
    list_display = [
        "__str__",
        "pace",
        "growing",
        "blocked_until",
        "circuit_open_until",
        "requests",
        "throttled",
    ]
    list_filter = ["family"]


@admin.register(RateLimitHour)
class RateLimitHourAdmin(ReadOnlyAdmin):
    list_display = ["rate_limit", "hour", "requests", "throttled", "failures", "waited_seconds", "pace"]
    list_select_related = ["rate_limit"]
    ordering = ["-hour"]


@admin.register(ParkedLogin)
class ParkedLoginAdmin(ReadOnlyAdmin):
    list_display = ["subject", "rate_limit", "until"]
    list_select_related = ["rate_limit"]
    ordering = ["-until"]


@admin.register(ApplicationRefusal)
class ApplicationRefusalAdmin(ReadOnlyAdmin):
    list_display = ["client_id", "code", "refusals", "refused_since", "last_refused_at"]
    exclude = ["secret_digest"]
