"""The settings of production under a public https address, for requests inside the test's process."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.test_settings import PRODUCTION
from tests.test_settings import settings_with as load_settings

settings_with = load_settings
OF_WEB = ("SECURE_", "SESSION_COOKIE_", "CSRF_", "SPECTACULAR_", "REST_FRAMEWORK")
NAMES = {"ALLOWED_HOSTS", "COOKIE_PREFIX", "LOCAL_MODE", "NUM_PROXIES", "PUBLIC_URL"}


@pytest.fixture
def in_production(settings_with: Any, settings: Any) -> Callable[..., None]:
    """A function that takes over what the settings of production say about web."""

    def take_over(**environment: str) -> None:
        for name, value in settings_with(**{**PRODUCTION, **environment}).items():
            if name in NAMES or name.startswith(OF_WEB):
                setattr(settings, name, value)

    return take_over
