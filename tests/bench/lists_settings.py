"""The product's settings for the servers of the benchmark of lists: on the database that BENCH_DATABASE names."""

import os

from amazon_accounts.settings import *  # noqa: F403
from amazon_accounts.settings import DATABASES, LOGGING, STORAGES

DATABASES["default"]["NAME"] = os.environ["BENCH_DATABASE"]
# Nothing was collected for it.
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
LOGGING = {**LOGGING, "root": {"handlers": ["stderr"], "level": "ERROR"}}
ROOT_URLCONF = os.environ.get("BENCH_URLCONF", "amazon_accounts.urls")
