"""The one site: Django's admin and our pages share its frame, login and menu."""

from collections.abc import Iterable
from typing import Any

from django.contrib.admin import ModelAdmin
from django.db.models import Model
from django.http import HttpRequest
from unfold.sites import UnfoldAdminSite


class ConsoleSite(UnfoldAdminSite):  # type: ignore[misc]  # unfold has no types
    """Keeps the name "admin", which unfold's templates ask for."""

    site_title = "Amazon Accounts"
    index_title = "Admin"

    def register(
        self,
        model_or_iterable: type[Model] | Iterable[type[Model]],
        admin_class: "type[ModelAdmin[Any]] | None" = None,
        **options: Any,
    ) -> None:
        """Register, unless we already have a class of our own for the model.

        Our app stands first, so that its templates win, and its admin is imported first. The packages' own classes
        come later; on this theme they would look half-styled.
        """
        models = [model_or_iterable] if isinstance(model_or_iterable, type) else list(model_or_iterable)
        new = [model for model in models if not self.is_registered(model)]
        super().register(new, admin_class, **options)

    def _get_colors(self, _key: str, _request: HttpRequest) -> dict[str, dict[str, str]]:
        """Return nothing: unfold would write the colours as an inline style, which our CSP forbids."""
        return {}
