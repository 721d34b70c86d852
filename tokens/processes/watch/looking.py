"""One look at everything that may fail. What fails is stored, and people are told when it has lasted and when it is over.

Every process of the console looks, and of all of them one at a time. A failure is stored once, and what is told about it
is written in one transaction with the note that it was told: so nobody is told twice, and nothing is lost when a process
dies.
"""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from amazon_accounts.postgresql.clock import database_now
from amazon_accounts.postgresql.statements import load
from tokens.alerts.create import create_alert
from tokens.alerts.delivery import send_due_alerts
from tokens.models import Alert, Connection, Failure
from tokens.processes.heartbeats import count_beats
from tokens.processes.watch import texts
from tokens.processes.watch.logins import Cause, FailingLogin, Part, find_failing_logins
from tokens.processes.watch.services import ENDINGS, ServiceFailure, look_at_services
from tokens.processes.watch.status_page import read_status_page

# So many logins that fail with one cause at once are one failure.
MANY: Final = 5
# How many logins try again for each that works.
HASTENED: Final = 10


class Member(NamedTuple):
    """A login that fails, and what is stored about that."""

    failure: Failure
    login: FailingLogin


def take_look(pause: float) -> bool:
    """Return whether this process looks now; False if another one has looked within the pause, in seconds."""
    with connection.cursor() as cursor:
        cursor.execute(load(__file__, "take_look"), {"pause": pause})
        return bool(cursor.rowcount)


def look() -> None:
    """Store what fails and what does not fail any more, and tell what is due."""
    _look_at_services()
    _look_at_logins()
    alive = count_beats()
    if not (alive.worker_is_alive and alive.scheduler_is_alive):
        # Nobody else sends alerts now.
        send_due_alerts()


def _look_at_services() -> None:
    report = look_at_services()
    failing = {failure.subject: failure for failure in report.failing}
    lasting = _keep(Failure.Kind.SERVICE, dict.fromkeys(failing))
    for subject, failure in lasting.items():
        if (found := failing.get(subject)) is not None:
            if failure.told_at is None and database_now() - failure.began_at >= found.patience:
                _tell_service(failure, found)
        elif subject not in report.unknown:
            _end(failure, Alert.Kind.SERVICE_WORKING, texts.describe_end(failure, ENDINGS.get(subject, "")))


def _tell_service(failure: Failure, found: ServiceFailure) -> None:
    text = found.text.format(since=texts.name_time(found.since or failure.began_at))
    _tell(failure, Alert.Kind.SERVICE_FAILING, text)


def _look_at_logins() -> None:
    failing = find_failing_logins()
    lasting = _keep(Failure.Kind.LOGIN, {str(pk): pk for pk in failing})
    ended = [failure for subject, failure in lasting.items() if UUID(subject) not in failing]
    _end_logins(ended)
    by_cause: dict[Cause, list[Member]] = {}
    for pk, login in failing.items():
        if (failure := lasting.get(str(pk))) is not None:
            by_cause.setdefault(login.cause, []).append(Member(failure, login))
    many = _look_at_many(by_cause, recovered=len(ended))
    now = database_now()
    for cause, members in by_cause.items():
        if many.get(cause):
            continue
        # Many that fail may be told as one soon. If others come and go among them, that may never be.
        patience = _patience() * (2 if cause in many else 1)
        for member in members:
            if member.failure.told_at is None and now - member.failure.began_at >= patience:
                text = texts.describe_login(member.login, member.failure.began_at)
                _tell(member.failure, Alert.Kind.CONNECTION_FAILING, text)


def _end_logins(ended: Collection[Failure]) -> None:
    # A login that was disconnected or paused, or that Amazon refuses now, does not work again.
    told = [failure for failure in ended if failure.told_at is not None]
    working = Connection.objects.live().filter(paused=False)
    by_id = working.in_bulk([failure.connection_id for failure in told])
    for failure in told:
        if (connection_now := by_id.get(failure.connection_id)) is not None:
            text = texts.describe_end(failure, f"“{connection_now.label}” works again.")
            _end(failure, Alert.Kind.CONNECTION_WORKING, text)
    Failure.objects.lasting().filter(pk__in=[failure.pk for failure in ended]).update(ended_at=Now())


def _look_at_many(by_cause: Mapping[Cause, list[Member]], *, recovered: int) -> dict[Cause, bool]:
    """Return the causes with which many logins fail now, or failed until now, and whether that was told."""
    is_told: dict[Cause, bool] = {}
    shared = {cause: members for cause, members in by_cause.items() if len(members) >= MANY}
    lasting = _keep(Failure.Kind.MANY_LOGINS, {str(cause): None for cause in shared})
    for subject, failure in lasting.items():
        cause = Cause(subject)
        members = by_cause.get(cause, [])
        if cause not in shared:
            is_told[cause] = failure.told_at is not None
            _end_many(failure, members)
            continue
        Failure.objects.filter(pk=failure.pk, logins__lt=len(members)).update(logins=len(members))
        is_told[cause] = _tell_many(failure, cause, members)
        if recovered and cause is Cause.AWAY:
            _sync_soon(members, recovered)
    return is_told


def _tell_many(failure: Failure, cause: Cause, members: Collection[Member]) -> bool:
    """Tell that many logins fail when that has lasted; return whether it was told, now or before."""
    if failure.told_at is not None:
        return True
    # Since so many fail. The first of them may have failed for long, for a reason of its own.
    since = max(failure.began_at, sorted(member.failure.began_at for member in members)[MANY - 1])
    if database_now() - since < _patience():
        return False
    # No connection of the pool is held while the page takes its time.
    connection.close()
    page = read_status_page() if cause is Cause.AWAY else ""
    logins = [member.login for member in members]
    text = texts.describe_many(cause, logins, Connection.objects.live().count(), since, page)
    _tell(failure, Alert.Kind.MANY_FAILING, text, team_ids={login.team_id for login in logins})
    return True


def _end_many(failure: Failure, members: Collection[Member]) -> None:
    with transaction.atomic():
        told = Alert.objects.filter(key=f"{Alert.Kind.MANY_FAILING}:{failure.pk}").first()
        text = texts.describe_end_of_many(failure, len(members))
        _end(failure, Alert.Kind.MANY_WORKING, text, team_ids=told.team_ids if told else ())
        if failure.told_at is not None:
            # Those who still fail were part of what was told. They are told of if they go on for as long again.
            rest = [member.failure.pk for member in members]
            Failure.objects.filter(pk__in=rest, told_at=None).update(began_at=Now())


def _sync_soon(members: Collection[Member], recovered: int) -> None:
    # After an outage of hours, a login would wait for hours before it tries again. Each that works lets others try.
    ids = [member.login.connection_id for member in members if member.login.part is Part.SYNC]
    hasty = ids[: recovered * HASTENED]
    Connection.objects.live().filter(pk__in=hasty, next_sync_at__gt=Now()).update(next_sync_at=Now())


def _patience() -> timedelta:
    return timedelta(seconds=settings.ALERT_AFTER_SECONDS)


def _keep(kind: Failure.Kind, failing: Mapping[str, UUID | None]) -> dict[str, Failure]:
    """Store what fails and is not known yet; return all failures of this kind that are not over, by their subjects.

    The values are the ids of the connections, if it is about connections.
    """
    known = {failure.subject: failure for failure in Failure.objects.lasting().filter(kind=kind)}
    fresh = [
        Failure(kind=kind, subject=subject, connection_id=pk)
        for subject, pk in failing.items()
        if subject not in known
    ]
    if not fresh:
        return known
    Failure.objects.bulk_create(fresh, ignore_conflicts=True, batch_size=1000)
    return {failure.subject: failure for failure in Failure.objects.lasting().filter(kind=kind)}


@transaction.atomic
def _tell(failure: Failure, kind: Alert.Kind, text: str, *, team_ids: Collection[UUID] = ()) -> None:
    untold = Failure.objects.lasting().filter(pk=failure.pk, told_at=None)
    if untold.update(told_at=Now()):
        create_alert(kind, str(failure.pk), text, failure.connection, team_ids=team_ids)


@transaction.atomic
def _end(failure: Failure, kind: Alert.Kind, text: str, *, team_ids: Collection[UUID] = ()) -> None:
    """End the failure, and tell so if it was told that it lasts."""
    ended = Failure.objects.lasting().filter(pk=failure.pk, told_at=failure.told_at).update(ended_at=Now())
    if ended and failure.told_at is not None:
        create_alert(kind, str(failure.pk), text, failure.connection, team_ids=team_ids)
