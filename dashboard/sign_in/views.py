"""The login, which also says who gives rights, and the page of everything that concerns a person's sign-in."""

from typing import cast

from allauth.account import views
from django.contrib.admin import site
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache


@never_cache
def login(request: HttpRequest) -> HttpResponse:
    # allauth would send a signed-in person back to the page that has just sent them here.
    if request.user.is_authenticated and not site.has_permission(request):
        return render(request, "dashboard/sign_in/no_rights_page.html", status=403)
    return cast("HttpResponse", views.login(request))


@never_cache
@login_required
def security(request: HttpRequest) -> HttpResponse:
    return render(request, "dashboard/sign_in/security_page.html", {"title": "Security"})
