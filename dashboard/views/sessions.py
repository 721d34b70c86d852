"""A person's own sessions: where they are signed in, and the buttons that end it."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, resolve_url
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard.frame.page import PersonRequest, SeeOther, button_on, own_page, page
from tokens.models import Session
from tokens.people.end_access import end_own_sessions, end_sessions
from tokens.people.keys import count_api_keys, end_api_keys
from tokens.people.sessions import digest_key


@require_safe
@own_page
def sessions(request: PersonRequest) -> HttpResponse:
    this = _digest_key(request)
    own = Session.objects.filter(user=request.user).live().defer("data")
    context = {
        # This session first.
        "sessions": sorted(
            ((session, session.key_digest == this) for session in own), key=lambda pair: not pair[1]
        ),
        "api_keys": count_api_keys(request.user),
        "password_changed": request.GET.get("after") == "password",
    }
    return page(request, "dashboard/sessions/page.html", context, title="Your sessions")


@button_on("sessions")
@own_page
def end(request: PersonRequest) -> HttpResponse:
    own = Session.objects.filter(user=request.user)
    session = get_object_or_404(own, pk=_read_id(request.POST.get("session", "")))
    end_sessions(request.user, own.filter(pk=session.pk))
    if session.key_digest == _digest_key(request):
        return _leave(request)
    messages.success(request, f"{session.browser} is signed out.")
    return SeeOther(reverse("sessions"))


@button_on("sessions")
@own_page
def end_everywhere(request: PersonRequest) -> HttpResponse:
    end_own_sessions(request.user)
    return _leave(request)


@button_on("sessions")
@own_page
def end_keys(request: PersonRequest) -> HttpResponse:
    number = end_api_keys(request.user, request.user)
    messages.success(request, f"{number} API key{'' if number == 1 else 's'} ended.")
    return SeeOther(reverse("sessions"))


def _digest_key(request: PersonRequest) -> str:
    return digest_key(request.session.session_key or "")


def _read_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None


def _leave(request: PersonRequest) -> HttpResponse:
    # The running request must not store its session again. Not `logout`: the session has ended and is recorded.
    request.session.flush()
    return SeeOther(resolve_url(settings.LOGIN_URL))
