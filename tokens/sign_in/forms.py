"""The form that asks for a mail with which a password is set anew."""

from allauth.account.forms import ResetPasswordForm as AllauthResetPasswordForm
from django.contrib.auth.models import User
from django.http import HttpRequest

from tokens.sign_in.password_reset import mail_password_reset


class ResetPasswordForm(AllauthResetPasswordForm):
    def clean_email(self) -> str:
        return str(self.cleaned_data["email"])

    def save(self, _request: HttpRequest, **_options: object) -> str:
        """Queue a mail for each active person with this address. The answer is the same if there is nobody."""
        email = str(self.cleaned_data["email"])
        for user in User.objects.filter(email__iexact=email, is_active=True):
            # Somebody without a password signs in at the provider.
            if user.has_usable_password():
                mail_password_reset.defer(user_id=user.pk)
        return email
