"""The web process: pages, admin and API."""

import gc
import os

import django
from django.urls import get_resolver

from amazon_accounts.starter.database import use_local_database
from amazon_accounts.web.requests import UTF8Handler
from tokens.checks import require_fitting_keys, require_known_teams

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amazon_accounts.settings")

use_local_database()
django.setup(set_prefix=False)
application = UTF8Handler()
require_fitting_keys()
require_known_teams()

# Import every view before the first request. These objects stay for ever, and a search through them for garbage
# would delay a request by a tenth of a second now and then.
list(get_resolver().url_patterns)
gc.collect()
gc.freeze()
