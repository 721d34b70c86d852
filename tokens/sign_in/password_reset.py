"""The mail with the link by which a person sets a new password."""

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.urls import reverse
from procrastinate.contrib.django import app

from amazon_accounts.web.links import build_link
from tokens.mail import PRIORITY, send_or_try_again
from tokens.people.audit import Action, record_audit
from tokens.permissions import SYSTEM
from tokens.queues import UPKEEP
from tokens.sign_in.passwords import may_reset_password

TEXT = """\
Somebody asked to set a new password for “{name}” at {site}.

Open this link to choose the new password. It works once, for three days:

{link}

If you did not ask for it, delete this mail. Your password stays as it is.
"""


# Here and not in the page, which does the same for every address: how long it takes does not show who has one.
@app.task(queue=UPKEEP, name="tokens.mail_password_resets", priority=PRIORITY)
def mail_password_resets(address: str) -> None:
    for user in User.objects.filter(email__iexact=address):
        if may_reset_password(user):
            mail_password_reset.defer(user_id=user.pk)


# The link is made here, so that the queue stores no secret.
@app.task(queue=UPKEEP, name="tokens.mail_password_reset", priority=PRIORITY)
def mail_password_reset(user_id: int, failures: int = 0) -> None:
    user = User.objects.filter(pk=user_id).exclude(email="").first()
    if user is None or not may_reset_password(user):
        return
    path = reverse(
        "account_reset_password_from_key",
        kwargs={"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)},
    )
    # Never from the request: its Host header can name another site.
    text = TEXT.format(name=user.get_username(), site=settings.PUBLIC_URL, link=build_link(path))
    message = EmailMessage(subject="A new password for Amazon Accounts", body=text, to=[user.email])
    if send_or_try_again(message, mail_password_reset, failures, user_id=user_id):
        record_audit(SYSTEM, Action.PASSWORD_RESET_MAIL, user)
