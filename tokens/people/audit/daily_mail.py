"""The daily mail to the superusers with the end of the chain.

Whoever has the database can cut off the newest entries, and write all of the chain anew with the encryption keys. A number
and its digest that were noted elsewhere show both, and a mail box is elsewhere.
"""

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db.models.functions import Now
from procrastinate.contrib.django import app

from tokens.mail import send_or_try_again
from tokens.models import AuditMail
from tokens.people.audit.chain import chain_entries
from tokens.queues import UPKEEP

# Asked each hour, so that the mail comes at about the same time each day.
PAUSE: Final = timedelta(hours=23, minutes=30)

TEXT = """\
The audit trail of {site} has {number} entries so far. The digest of the last one is

{digest}

Keep this mail. It proves later that no entry up to this one was removed or changed, also by somebody with the database:

python manage.py verify_audit --noted {number}:{digest}
"""


def mail_is_due() -> bool:
    """Return whether there is a mail server, and no mail was sent in the last day."""
    if not settings.EMAIL_IS_SET_UP:
        return False
    return not AuditMail.objects.filter(mailed_at__gt=Now() - PAUSE).exists()


@app.task(queue=UPKEEP, name="tokens.mail_audit_end")
def mail_audit_end(failures: int = 0) -> None:
    superusers = User.objects.filter(is_superuser=True, is_active=True).exclude(email="")
    addresses = list(superusers.order_by("email").values_list("email", flat=True))
    end = chain_entries()
    if not addresses or not end.number:
        return
    text = TEXT.format(site=settings.PUBLIC_URL, number=end.number, digest=end.digest.hex())
    message = EmailMessage(subject=f"The audit trail: number {end.number}", body=text, to=addresses)
    if send_or_try_again(message, mail_audit_end, failures):
        AuditMail.objects.update_or_create(defaults={"mailed_at": Now()})
