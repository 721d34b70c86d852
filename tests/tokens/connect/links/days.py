"""Days that pass: instead of the clock of the database, the stored times of renewals are moved."""

from datetime import timedelta
from typing import Final

from django.db.models import F
from procrastinate.contrib.django.models import ProcrastinateJob

from tokens.models import Connection, ConnectLink, RenewalMail

A_DAY: Final = timedelta(days=1)
FAR: Final = timedelta(days=1000)


def a_day_later() -> None:
    for model, names in (
        (Connection, ["consented_at"]),
        (RenewalMail, ["created_at", "started_at", "mailed_at", "failed_at"]),
        (ConnectLink, ["created_at", "ends_at", "mailed_at", "used_at", "revoked_at"]),
    ):
        model.objects.update(**{name: F(name) - A_DAY for name in names})
    # In two steps, because no two mails to one address may have one day in between.
    RenewalMail.objects.update(day=F("day") + FAR)
    RenewalMail.objects.update(day=F("day") - FAR - A_DAY)
    ProcrastinateJob.objects.all().delete()
