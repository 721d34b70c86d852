"""The mail with the link by which a person sets a new password."""

import logging
from datetime import timedelta

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db import connection
from django.urls import reverse
from procrastinate.contrib.django import app

from amazon_accounts.postgresql.clock import database_now
from amazon_accounts.web.links import build_link
from tokens.people.audit import Action, record_audit
from tokens.permissions import SYSTEM
from tokens.queues import UPKEEP, defer_once
from tokens.sign_in.passwords import may_reset_password

logger = logging.getLogger(__name__)

# A person waits for the mail.
PRIORITY = 20
MAX_TRIES = 5

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


# A task for each mail: one that fails is tried again alone, and a mail server that is slow does not hold a page. The link
# is made here, so that the queue stores no secret. `failures` counts what the mail server refused. The queue's own number
# of attempts also has the workers that the job has lost.
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
    # No connection of the pool is held while a mail server takes its time.
    connection.close()
    try:
        message.send()
    except OSError as error:
        if failures + 1 == MAX_TRIES:
            raise
        logger.warning("A mail with a link for a new password is tried again. %s", error)
        _try_again(user_id, failures + 1)
    else:
        record_audit(SYSTEM, Action.PASSWORD_RESET_MAIL, user)


def _try_again(user_id: int, failures: int) -> None:
    # With a lock, because a worker that dies right after this leaves a job that comes here once more.
    defer_once(
        mail_password_reset,
        f"tokens.mail_password_reset:{user_id}:{failures}",
        priority=PRIORITY,
        at=database_now() + timedelta(seconds=4**failures),
        user_id=user_id,
        failures=failures,
    )
