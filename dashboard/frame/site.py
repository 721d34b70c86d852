"""The one site: Django's admin and the pages share its frame, login and menu."""

from collections.abc import Iterable
from typing import Any

from django.contrib.admin import ModelAdmin
from django.db.models import Model
from django.http import HttpRequest
from unfold.admin import ModelAdmin as ThemedModelAdmin
from unfold.sites import UnfoldAdminSite


class ConsoleSite(UnfoldAdminSite):
    site_title = "Amazon Accounts"
    index_title = "Admin"

    def register(
        self,
        model_or_iterable: type[Model] | Iterable[type[Model]],
        admin_class: "type[ModelAdmin[Any]] | None" = None,
        **options: Any,
    ) -> None:
        # Packages register classes of their own, before ours or after, which would look half-styled here. Of two
        # classes for one model the one that is made for unfold stays.
        for model in [model_or_iterable] if isinstance(model_or_iterable, type) else model_or_iterable:
            if admin_class is not None and self.is_registered(model):
                if not issubclass(admin_class, ThemedModelAdmin):
                    continue
                if not isinstance(self.get_model_admin(model), ThemedModelAdmin):
                    self.unregister(model)
            super().register(model, admin_class, **options)

    def _get_colors(self, _key: str, _request: HttpRequest) -> dict[str, dict[str, str]]:
        # Unfold would write the colors as an inline style, which our content security policy forbids.
        return {}
