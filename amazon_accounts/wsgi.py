"""The web process: pages, admin and API."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amazon_accounts.settings")

application = get_wsgi_application()
