"""Errors for Sentry and spans for OpenTelemetry, both only if settings name a receiver."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def start_telemetry() -> None:
    """Send what this process does to the receivers that the settings name. Without them nothing is imported."""
    try:
        if settings.SENTRY_DSN:
            from amazon_accounts.telemetry.errors import send_errors

            send_errors(settings.SENTRY_DSN)
        if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
            from amazon_accounts.telemetry.traces import send_spans

            send_spans(settings.OTEL_EXPORTER_OTLP_ENDPOINT)
    except ModuleNotFoundError as error:
        raise ImproperlyConfigured(
            f"SENTRY_DSN and OTEL_EXPORTER_OTLP_ENDPOINT need {error.name}, which is not installed. "
            "Install requirements-telemetry.txt too."
        ) from None
