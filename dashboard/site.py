"""The one site: Django's admin and our pages share its frame, login and menu."""

from django.http import HttpRequest
from unfold.sites import UnfoldAdminSite


class ConsoleSite(UnfoldAdminSite):  # type: ignore[misc]  # unfold has no types
    """Keeps the name "admin", which unfold's templates ask for."""

    site_title = "Amazon Accounts"
    index_title = "Admin"

    def _get_colors(self, _key: str, _request: HttpRequest) -> dict[str, dict[str, str]]:
        """Return nothing: unfold would write the colours as an inline style, which our CSP forbids."""
        return {}
