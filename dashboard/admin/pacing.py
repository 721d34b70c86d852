"""The admin of rate limits, their counts, parked logins, and what Amazon refused of our application."""

from django.contrib import admin

from amazon_accounts.amazon_ads.models import (
    ApplicationRefusal,
    BillingRequestForm,
    ParkedLogin,
    RateLimit,
    RateLimitHour,
)
from dashboard.admin.read_only import ReadOnlyAdmin


@admin.register(RateLimit)
class RateLimitAdmin(ReadOnlyAdmin):
    list_display = [
        "__str__",
        "pace",
        "growing",
        "blocked_until",
        "circuit_open_until",
        # The counts are of this hour, which is over if no call was made since.
        "hour",
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


@admin.register(BillingRequestForm)
class BillingRequestFormAdmin(ReadOnlyAdmin):
    list_display = ["client_id", "max_pairs", "limited_at", "account_wanted_at"]
