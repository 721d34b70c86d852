"""A browser at PUBLIC_URL. Django's test client is at another host name."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.test import Client


def browser_at_public_url(**options: Any) -> Client:
    return Client(headers={"host": urlsplit(settings.PUBLIC_URL).netloc}, **options)
