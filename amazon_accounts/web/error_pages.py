"""Django's error pages without secrets. They are shown while DEBUG is on."""

import re
from typing import Any

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter

from amazon_accounts.configuration.environment import SECRET_NAMES


class SecretFilter(SafeExceptionReporterFilter):
    # Beside Django's words: whole settings that contain passwords, and addresses that may.
    hidden_settings = re.compile(
        SafeExceptionReporterFilter.hidden_settings.pattern
        + "|DATABASE|ALERT|EMAIL|DSN|PROXY|HEARTBEAT|CREDENTIAL",
        flags=re.IGNORECASE,
    )

    def is_active(self, request: HttpRequest | None) -> bool:
        # Also while DEBUG is on.
        return True

    def cleanse_setting(self, key: Any, value: Any) -> Any:
        if isinstance(key, str) and key.removesuffix("_FILE") in SECRET_NAMES:
            return self.cleansed_substitute
        return super().cleanse_setting(key, value)

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: Any) -> Any:
        variables = super().get_traceback_frame_variables(request, tb_frame)
        return [(name, self._cleanse_variable(name, value)) for name, value in variables]

    def _cleanse_variable(self, name: str, value: Any) -> Any:
        try:
            return self.cleanse_setting(name, value)
        except RecursionError:  # a dictionary that contains itself
            return self.cleansed_substitute
