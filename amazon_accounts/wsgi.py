"""The web process: pages, admin and API."""

import os

from django.core.wsgi import get_wsgi_application

from amazon_accounts.starter.database import use_local_database
from tokens.checks import require_fitting_keys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amazon_accounts.settings")

use_local_database()
application = get_wsgi_application()
require_fitting_keys()
