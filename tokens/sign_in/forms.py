"""The forms by which a password is changed or set anew: with the old one, or by a link in a mail."""

from allauth.account.adapter import get_adapter
from allauth.account.forms import ChangePasswordForm as AllauthChangePasswordForm
from allauth.account.forms import ResetPasswordForm as AllauthResetPasswordForm
from allauth.account.forms import UserTokenForm as AllauthUserTokenForm
from django.contrib.auth.models import User
from django.http import HttpRequest

from tokens.sign_in.password_reset import mail_password_resets
from tokens.sign_in.passwords import may_reset_password


class ChangePasswordForm(AllauthChangePasswordForm):
    def clean_oldpassword(self) -> str:
        # As where a password is asked again: with the limits of a sign-in, and a wrong one is recorded.
        password = str(self.cleaned_data.get("oldpassword", ""))
        adapter = get_adapter()
        if not adapter.reauthenticate(self.user, password):
            raise adapter.validation_error("enter_current_password")
        return password


class ResetPasswordForm(AllauthResetPasswordForm):
    def clean_email(self) -> str:
        return str(self.cleaned_data["email"])

    def save(self, _request: HttpRequest, **_options: object) -> str:
        """Queue the mails to the people with this address. The worker looks whether there are any."""
        email = str(self.cleaned_data["email"])
        mail_password_resets.defer(address=email)
        return email


class UserTokenForm(AllauthUserTokenForm):
    def _get_user(self, uidb36: str | None) -> User | None:
        user: User | None = super()._get_user(uidb36)
        # The person may have lost the right to a password since the mail was sent.
        return user if user and may_reset_password(user) else None
