"""The watcher tells once that a part of the console does not work, and once that it works again."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core import mail
from django.db import connections
from django.db.models.functions import Now
from procrastinate.contrib.django.models import ProcrastinateJob

from tests.sick_database import full_disk
from tests.watching import let_pass, let_processes_live, look_again, read_mail
from tokens.models import Alert, Failure, Heartbeat, Watch
from tokens.processes.stalled import rescue_stalled_jobs
from tokens.processes.watch.full_disk import DiskWatch
from tokens.processes.watch.looking import look, take_look
from tokens.processes.watch.services import find_low_disk

pytestmark = pytest.mark.django_db(transaction=True)

FAILING, WORKING = Alert.Kind.SERVICE_FAILING, Alert.Kind.SERVICE_WORKING


@pytest.fixture(autouse=True)
def root(transactional_db: None) -> User:
    return User.objects.create_superuser("root", "root@example.test")


def kill(kind: str) -> None:
    Heartbeat.objects.filter(kind=kind).update(beat_at=Now() - timedelta(minutes=1))


@pytest.mark.parametrize(("kind", "word"), [("worker", "worker"), ("scheduler", "scheduler")])
def test_a_dead_process_is_told_by_another_one(kind: str, word: str) -> None:
    let_processes_live()
    kill(kind)
    assert look_again() == []
    assert look_again(4) == []
    assert look_again(2) == [FAILING]
    # No worker is needed: the watcher has sent it.
    (message,) = mail.outbox
    assert message.to == ["root@example.test"]
    assert message.subject == "A part of the console does not work"
    assert f"No {word} has " in message.body
    assert f"manage.py run{word}" in message.body.replace("\n", " ")
    assert look_again(600) == [FAILING]
    Heartbeat.objects.update(beat_at=Now())
    assert look_again() == [FAILING, WORKING]
    assert look_again(600) == [FAILING, WORKING]
    assert read_mail()[1:] == ["A part of the console works again"]


def test_a_process_that_is_replaced_in_time_is_not_told() -> None:
    let_processes_live()
    kill("worker")
    look_again()
    let_pass(4)
    let_processes_live()
    assert look_again() == []
    assert not Failure.objects.lasting().exists()


def test_of_several_watchers_that_look_at_once_one_tells() -> None:
    look_again()
    let_pass(6)
    barrier = Barrier(4)

    def look_together(_: int) -> None:
        try:
            barrier.wait()
            look()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(look_together, range(4)))
    assert Alert.objects.count() == 2  # no worker, no scheduler
    told = "".join(str(message.body) for message in mail.outbox)
    assert [told.count(name) for name in ("No worker has", "No scheduler has")] == [1, 1]


def test_one_of_several_watchers_takes_the_look() -> None:
    assert take_look(15)
    assert not take_look(15)
    Watch.objects.update(looked_at=Now() - timedelta(seconds=16))
    assert take_look(15)


def test_a_queue_that_stands_still_is_told_with_its_length() -> None:
    let_processes_live()
    for number in range(3):
        rescue_stalled_jobs.configure(queueing_lock=str(number)).defer()
    assert look_again() == []
    ProcrastinateJob.objects.filter(queueing_lock="1").update(scheduled_at=Now() - timedelta(minutes=31))
    look_again()
    assert look_again(6) == [FAILING]
    assert "3 tasks are waiting in the queue, the oldest since " in Alert.objects.get().text
    # A queue says nothing while nobody works.
    kill("worker")
    assert look_again() == [FAILING]
    Heartbeat.objects.update(beat_at=Now())
    ProcrastinateJob.objects.all().delete()
    assert look_again() == [FAILING, WORKING]


def test_tasks_that_wait_for_their_time_are_not_late() -> None:
    let_processes_live()
    rescue_stalled_jobs.configure(schedule_in={"hours": 1}).defer()
    look_again()
    assert look_again(40) == []


def test_a_disk_that_is_nearly_full_is_a_failure_at_once(tmp_path: Path) -> None:
    low = find_low_disk(tmp_path, min_free_share=1.01)
    assert low is not None
    assert low.patience == timedelta()
    assert "of the disk that holds DATA_DIR is free: " in low.text
    assert find_low_disk(tmp_path, min_free_share=0.0) is None


def test_a_full_disk_of_the_database_is_told_without_a_new_row() -> None:
    take_look(0)
    first, second = DiskWatch(patience_seconds=0), DiskWatch(patience_seconds=0)
    with full_disk("tokens_alert"):
        assert not first.look()
        assert not second.look()
        assert not first.look()
    (message,) = mail.outbox
    assert "The database has refused all writes since" in message.body
    assert first.look()
    assert second.look()
    assert read_mail() == ["A part of the console does not work", "A part of the console works again"]


def test_a_full_disk_that_nobody_could_be_told_of_is_told_later(settings: LazySettings, root: User) -> None:
    take_look(0)
    watch = DiskWatch(patience_seconds=0)
    with full_disk("tokens_alert"):
        settings.EMAIL_BACKEND = "tests.tokens.alerts.test_alerts.FailingBackend"
        watch.look()
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        watch.look()
    assert len(mail.outbox) == 1


def test_a_disk_is_full_for_a_minute_before_that_is_told() -> None:
    take_look(0)
    watch = DiskWatch()
    with full_disk("tokens_alert"):
        assert not watch.look()
    assert mail.outbox == []
    assert watch.look()
    assert not Alert.objects.exists()
