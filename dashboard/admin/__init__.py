"""Every model in Django's admin, one module per app. Imported by the admin's autodiscovery."""

from dashboard.admin import accounts, jobs, pacing, people, tokens

__all__ = ["accounts", "jobs", "pacing", "people", "tokens"]
