"""Passwords are hashed in lanes of the web server that do nothing else, so that no other request waits for a hash.

A request starts in another lane. What needs no hash is answered there: a refusal, a form with an error in it. A request
that needs a hash is run once more, in a lane for hashing. Other servers have no lanes, and hash at once.
"""

from typing import Final

from django.http import HttpRequest, HttpResponse

from amazon_accounts.server.lanes import HASHING, Hashing

# In the session of somebody who has opened a valid link to set a new password. The name is allauth's.
RESET_KEY: Final = "_password_reset_key"
# In the session of somebody who has opened an invitation: the digest of its link.
INVITATION_KEY: Final = "_invitation"
# POST to these hashes a password. The login is not here: its throttle is asked first.
HASHING_VIEWS: Final = {
    "account_change_password",
    "account_reauthenticate",
    "account_reset_password_from_key",
    "invitation_login",
    "admin:auth_user_add",
    "admin:auth_user_password_change",
}


def may_hash(request: HttpRequest) -> bool:
    hashing = request.META.get(HASHING)
    return not isinstance(hashing, Hashing) or hashing.is_allowed


def move_to_hashing_lane(request: HttpRequest, *, is_known: bool) -> HttpResponse:
    """Ask for the request to be run again where hashing is allowed. Return an answer that nobody sees."""
    hashing: Hashing = request.META[HASHING]
    hashing.is_wanted, hashing.is_known = True, is_known
    return HttpResponse(status=202)


def will_hash(request: HttpRequest) -> bool:
    """Return whether this POST to one of `HASHING_VIEWS` comes from somebody who may have a password hashed."""
    match = request.resolver_match
    if request.method != "POST" or match is None or match.view_name not in HASHING_VIEWS:
        return False
    return request.user.is_authenticated or RESET_KEY in request.session or INVITATION_KEY in request.session
