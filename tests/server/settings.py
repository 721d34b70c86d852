"""The product's settings for the servers of these tests, for which no static files were collected."""

from amazon_accounts.settings import *  # noqa: F403
from amazon_accounts.settings import STORAGES

STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_USE_FINDERS = True
