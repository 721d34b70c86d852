"""What reaches a collector of OpenTelemetry: requests, jobs and calls to Amazon, in words of ours."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import eventually, running
from tests.sandbox_fixtures import SandboxServer
from tests.tokens.conftest import ConnectionFactory
from tests.tokens.telemetry.receiver import Receiver, receiving
from tests.tokens.telemetry.test_errors import run_program
from tokens.permissions import SYSTEM
from tokens.refresh.tasks import request_refresh

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

REQUEST = """
import django
django.setup()
from django.test import Client

client = Client(headers={"host": "localhost", "user-agent": "in-a-header"}, REMOTE_ADDR="203.0.113.7")
answer = client.get("/api/v1/accounts/", {"search": "in-an-address"})
print(answer.status_code, answer["X-Request-ID"])
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as started:
        yield started


def test_a_request_is_a_span_without_its_address(receiver: Receiver) -> None:
    done = run_program(REQUEST, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{receiver.address}")
    _, request_id = done.stdout.split()
    assert {path for path, _ in receiver.bodies} == {"/v1/traces"}
    sent = receiver.text()
    for word in (
        "amazon-accounts",
        "request",
        "http.route",
        "api/v1/accounts/",
        "http.request.method",
        request_id,
    ):
        assert word in sent, word
    for secret in ("in-an-address", "in-a-header", "203.0.113.7"):
        assert secret not in sent, secret


def test_a_job_and_its_call_to_amazon_are_spans(
    receiver: Receiver,
    connect: ConnectionFactory,
    sandbox_server: SandboxServer,
    tmp_path: Path,
) -> None:
    request_refresh(SYSTEM, connect())
    endpoint = f"http://{receiver.address}"
    quick = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    with running("runworker", log=tmp_path / "worker.log", **sandbox_server.environ(), **quick):
        eventually(lambda: "tokens.refresh_connection" in receiver.text())
    assert re.search(r"Amazon \w+", receiver.text())
    assert "Atz" not in receiver.text()
