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
        # Packages register classes of their own, which would look half-styled here, take every lookup in the address
        # of a list, and show what a package stores about people.
        if admin_class is not None and issubclass(admin_class, ThemedModelAdmin):
            super().register(model_or_iterable, admin_class, **options)

    def _get_colors(self, _key: str, _request: HttpRequest) -> dict[str, dict[str, str]]:
        # Unfold would write the colors as an inline style, which our content security policy forbids.
        return {}
