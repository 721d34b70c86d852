"""What is logged, where to, and in which form."""

from typing import Any

from amazon_accounts.logs.filters import keep_to_one_line


def configure_logging(form: str, level: str) -> dict[str, Any]:
    """Return Django's LOGGING for lines of this form, "text" or "json"."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "text": {
                "()": "amazon_accounts.logs.formats.TextFormatter",
                "format": "{asctime} {levelname} {name}: {message}",
                "style": "{",
            },
            "json": {"()": "amazon_accounts.logs.formats.JsonFormatter"},
        },
        "filters": {
            "outages": {"()": "amazon_accounts.postgresql.outages.OutageFilter"},
            "client_links": {"()": "amazon_accounts.web.links.ClientLinkFilter"},
            "one_line": {"()": "django.utils.log.CallbackFilter", "callback": keep_to_one_line},
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": form,
                "filters": ["outages", "client_links", "one_line"],
            },
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # At INFO these log every request, job and tick, and hide the failures among them.
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
            "apscheduler": {"level": "WARNING"},
            # It repeats a statement that failed, and the second failure is logged by its caller.
            "django_apscheduler": {"level": "ERROR"},
            "procrastinate": {"level": "WARNING"},
            # In an outage of the database the pool would repeat errors that its callers log.
            "psycopg.pool": {"level": "ERROR"},
            # Django and granian have handlers of their own, which would print control characters as they come. Listed
            # here, the loggers lose them and the handler of the root writes their lines.
            "django": {"level": "INFO"},
            "django.server": {"level": "INFO", "propagate": True},
            "_granian": {"propagate": True},
            "granian.access": {"level": "INFO", "propagate": True},
        },
    }
