"""The error pages: in the frame for people who are signed in, and as plain pages for everybody else."""

import logging
import sys
from http import HTTPStatus
from uuid import uuid4

from django.http import HttpResponse
from django.shortcuts import render
from django.template import loader
from django.template.response import TemplateResponse

from accounts.api.problems import build_response as build_problem_response
from amazon_accounts.postgresql.outages import is_outage
from amazon_accounts.web import problems
from dashboard.frame.menu import may_open_overview
from dashboard.frame.page import ConsoleRequest, page
from dashboard.outage import answer_outage
from tokens.sign_in.adapters import answer_too_many
from tokens.sign_in.remote_address import read_remote_address

logger = logging.getLogger(__name__)

PERMISSIONS = {
    "accounts.view_account": "View accounts",
    "accounts.sync_account": "Sync accounts",
    "accounts.update_account": "Change labels and settings of accounts",
    "accounts.disconnect_account": "Disconnect and reconnect accounts",
    "tokens.view_connection": "View connections",
    "tokens.connect_amazon": "Connect an Amazon login",
    "tokens.refresh_connection": "Refresh a connection's token",
    "tokens.disconnect_connection": "Disconnect a connection",
}


def answer(
    request: ConsoleRequest, status: HTTPStatus, *, title: str, why: str, next_step: str
) -> HttpResponse:
    context = {"why": why, "next_step": next_step}
    if hasattr(request, "user") and request.user.is_authenticated:
        framed = {**context, "may_open_overview": may_open_overview(request)}
        return page(request, "dashboard/errors/page.html", framed, title=title, status=status)
    return render(request, "dashboard/errors/plain_page.html", {**context, "title": title}, status=status)


def forbidden(request: ConsoleRequest, exception: Exception) -> HttpResponse:
    permission = PERMISSIONS.get(str(exception))
    wanted = (
        f"It needs the permission “{permission}”."
        if permission
        else "Your account lacks the permission for it."
    )
    return answer(
        request,
        HTTPStatus.FORBIDDEN,
        title="Not permitted",
        why=f"You may not do or see this. {wanted}",
        next_step="Ask an administrator of this console for the permission, or for a group that has it.",
    )


def bad_request(request: ConsoleRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith("/api/"):
        return build_problem_response(problems.MALFORMED_REQUEST, "The API does not take this request.")
    return answer(
        request,
        HTTPStatus.BAD_REQUEST,
        title="Bad request",
        why="This console could not read what the browser sent.",
        next_step="Go back, reload the page and try again.",
    )


def refuse_input(request: ConsoleRequest) -> HttpResponse:
    if request.path.startswith("/api/"):
        return build_problem_response(problems.MALFORMED_REQUEST, "The query string is not UTF-8 text.")
    # Without the frame, which asks the database.
    context = {
        "title": "Bad request",
        "why": "The address or the form has something in it that this console cannot read.",
        "next_step": "Go back, reload the page and try again.",
    }
    return render(request, "dashboard/errors/plain_page.html", context, status=HTTPStatus.BAD_REQUEST)


def content_too_large(request: ConsoleRequest) -> HttpResponse:
    if request.path.startswith("/api/"):
        return build_problem_response(problems.CONTENT_TOO_LARGE, "The body is too large.")
    refusal = answer(
        request,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        title="Too much at once",
        why="Nothing was changed. The form is larger than 1 MB.",
        next_step="Go back and choose fewer rows. For very many accounts, filter the list and take all that match.",
    )
    # A middleware answers with it, and only what a view returns is rendered later.
    return refusal.render() if isinstance(refusal, TemplateResponse) else refusal


def csrf_failure(request: ConsoleRequest, reason: str = "") -> HttpResponse:
    # Django logs the refusal with its reason.
    return answer(
        request,
        HTTPStatus.FORBIDDEN,
        title="This form is too old",
        why="Nothing was changed. The form was opened before your last sign-in, or the browser sent no cookie.",
        next_step="Go back, reload the page and try again.",
    )


def not_found(request: ConsoleRequest, exception: Exception) -> HttpResponse:
    return answer(
        request,
        HTTPStatus.NOT_FOUND,
        title="Page not found",
        why="Nothing is here, or it belongs to a team you are not in.",
        next_step="Check the address.",
    )


def too_many_requests(request: ConsoleRequest) -> HttpResponse:
    # allauth calls it for its own limits, which all end within a minute.
    logger.warning("Throttled %s %s from %s.", request.method, request.path, read_remote_address(request))
    return answer_too_many(request, 60)


def server_error(request: ConsoleRequest) -> HttpResponse:
    error = sys.exc_info()[1]
    if error is not None and is_outage(error):
        # A middleware asked the database, for the session or the user.
        return answer_outage(request, error)
    # The page asks neither the session nor the database, because one of them may have failed.
    reference = uuid4().hex[:12]
    logger.error("Answered %s %s with an error page, reference %s", request.method, request.path, reference)
    if request.path.startswith("/api/"):
        return build_problem_response(
            problems.INTERNAL_ERROR,
            f"Something went wrong here. Its reference in the log is {reference}.",
        )
    text = loader.render_to_string("dashboard/errors/server_error_page.html", {"reference": reference})
    return HttpResponse(text, status=HTTPStatus.INTERNAL_SERVER_ERROR)
