"""Browsers in which somebody has just signed in."""

import time

from allauth.account.internal.flows import login
from django.contrib.auth.models import User
from django.test import Client


def sign_in(client: Client, user: User) -> None:
    """Sign the person in. Django's `force_login` leaves out when and how, which allauth notes at a sign-in."""
    client.force_login(user)
    session = client.session
    session[login.AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "password", "at": time.time()}]
    session[login._AUTHENTICATION_METHODS_USER_SESSION_KEY] = str(user.pk)
    session.save()
