"""The addresses of allauth that this console has. Nobody signs up, and nobody manages addresses here."""

from allauth.account import views as account
from django.urls import include, path, re_path

from dashboard.sign_in import invitations, single_sign_on, views
from dashboard.sign_in.views import unless_single_sign_on_only

urlpatterns = [
    path("login/", views.login, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("invitation/", invitations.invitation, name="invitation"),
    path("invitation/login/", invitations.make_login, name="invitation_login"),
    path("oidc/login/", single_sign_on.begin, name="single_sign_on"),
    path("oidc/callback/", single_sign_on.callback, name="single_sign_on_callback"),
    path("oidc/link/", single_sign_on.begin_link, name="single_sign_on_link"),
    path("oidc/unlink/", single_sign_on.end_link, name="single_sign_on_unlink"),
    path("oidc/reauthenticate/", single_sign_on.reauthenticate, name="single_sign_on_reauthenticate"),
    # Before allauth's own line for the same address.
    path(
        "2fa/webauthn/login/", unless_single_sign_on_only(views.login_with_passkey), name="mfa_login_webauthn"
    ),
    path("2fa/", include("allauth.mfa.urls")),
    path("security/", views.security, name="security"),
    path("reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path(
        "password/change/",
        unless_single_sign_on_only(account.password_change),
        name="account_change_password",
    ),
    path("password/set/", views.set_password, name="account_set_password"),
    # Open with OIDC_ONLY too: who may set a password anew is known only when the mail is sent.
    path("password/reset/", account.password_reset, name="account_reset_password"),
    path("password/reset/done/", account.password_reset_done, name="account_reset_password_done"),
    path(
        "password/reset/key/done/",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        account.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
]
