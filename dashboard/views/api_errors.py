"""The page that explains the errors of the API. The `type` of a problem leads to its part of it."""

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from amazon_accounts.web.problems import PROBLEM_TYPES
from dashboard.frame.page import PersonRequest, own_page, page


@require_safe
@own_page
def api_errors(request: PersonRequest, code: str = "") -> HttpResponse:
    """Explain one type of problem, or all."""
    shown = [each for each in PROBLEM_TYPES if code in {"", each.code}]
    if not shown:
        raise Http404
    title = shown[0].title if code else "Errors of the API"
    context = {"problem_types": shown, "is_one": bool(code)}
    return page(request, "dashboard/api_errors/page.html", context, title=title)
