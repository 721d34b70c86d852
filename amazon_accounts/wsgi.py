"""The web process: pages, admin and API."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from amazon_accounts.starter.database import use_local_database
from tokens.checks import require_fitting_keys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amazon_accounts.settings")

use_local_database()
application = get_wsgi_application()
require_fitting_keys()

# All that the pages and the API are made of, before anybody asks. It stays for ever: to look through it for garbage
# would make a request wait for a tenth of a second now and then.
get_resolver().url_patterns  # noqa: B018 - they are imported by being asked for
gc.collect()
gc.freeze()
