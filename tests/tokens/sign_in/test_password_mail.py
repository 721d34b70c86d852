"""The mail for a new password, sent by a real worker to a mail server that refuses it."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from procrastinate.contrib.django.models import ProcrastinateJob

from tests.processes import eventually, running
from tokens.sign_in.password_reset import mail_password_reset

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


class BusyMailServer:
    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.address = f"smtp://127.0.0.1:{listener.getsockname()[1]}"
        self.tries = 0

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                with client:
                    self.tries += 1
                    client.sendall(b"421 busy\r\n")


@pytest.fixture
def mail_server() -> Iterator[BusyMailServer]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = BusyMailServer(listener)
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def let_the_job_begin() -> None:
    with database.cursor() as cursor:
        # Seven attempts are as the rescue of a job leaves it whose workers were killed.
        cursor.execute(
            "UPDATE procrastinate_jobs SET scheduled_at = NULL, attempts = 7 WHERE status = 'todo'"
        )


def test_a_mail_is_tried_five_times_though_its_workers_are_lost(
    mail_server: BusyMailServer, tmp_path: Path
) -> None:
    carla = User.objects.create_user("carla", "carla@example.com", "carla-password", is_staff=True)
    mail_password_reset.defer(user_id=carla.pk)
    let_the_job_begin()
    jobs = ProcrastinateJob.objects.filter(task_name=mail_password_reset.name)
    with running("runworker", log=tmp_path / "worker.log", EMAIL_URL=mail_server.address) as worker:
        for failures in range(1, 5):
            eventually(jobs.filter(status="todo", args__failures=failures).exists, describe=worker.output)
            assert jobs.filter(scheduled_at__isnull=False).count() == 1
            let_the_job_begin()
        eventually(jobs.filter(status="failed").exists, describe=worker.output)
        assert mail_server.tries == 5
        assert jobs.count() == 1
        assert "carla-password" not in worker.output()
