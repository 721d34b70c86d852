"""What reaches Sentry: where it went wrong, and neither secrets nor people."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from procrastinate.contrib.django import app

from tests.processes import PROJECT, environment, eventually, run, running
from tests.tokens.telemetry.receiver import Receiver, receiving
from tokens.queues import TOKENS

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

REQUEST = """
import django
django.setup()
import sentry_sdk
from django.test import Client, override_settings

with override_settings(ROOT_URLCONF="tests.tokens.telemetry.failing_urls"):
    client = Client(raise_request_exception=False, headers={"host": "localhost", "authorization": "Token in-a-header"})
    client.get("/api/v1/failing/", {"q": "in-an-address"})
sentry_sdk.flush(10)
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as started:
        yield started


def make_dsn(receiver: Receiver) -> str:
    return f"http://abc123@{receiver.address}/1"


def read_events(receiver: Receiver) -> list[dict[str, Any]]:
    """Return the events among the parts of the envelopes."""
    lines = [line for _, body in receiver.bodies for line in body.decode().splitlines()]
    parts = [json.loads(line) for line in lines if line.startswith("{")]
    return [part for part in parts if "platform" in part]


def run_program(program: str, **extra: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env=environment(DJANGO_SETTINGS_MODULE="amazon_accounts.settings", **extra),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_an_error_of_a_request_is_sent_without_secrets_and_people(receiver: Receiver) -> None:
    done = run_program(REQUEST, SENTRY_DSN=make_dsn(receiver))
    # The log of the machine has all of it.
    assert "carol@example.com" in done.stderr
    event, *others = read_events(receiver)
    assert others == []
    [error] = event["exception"]["values"]
    assert (error["type"], error["value"]) == (
        "ValueError",
        "Key (email)=(***) of *** at *** with *** and ***",
    )
    assert error["stacktrace"]["frames"][-1]["function"] == "fail"
    assert event["tags"]["request_id"]
    sent = receiver.text()
    for secret in (
        *("carol", "Carol", "203.0.113.7", "Atzr", "Atza", environment()["SECRET_KEY"]),
        *("in-a-header", "in-an-address", "in-a-variable", "in-a-detail"),
    ):
        assert secret not in sent, secret
    assert set(event) & {"request", "user", "breadcrumbs", "extra", "server_name", "modules"} == set()


def test_an_error_of_a_job_is_sent_with_the_name_of_its_task(receiver: Receiver, tmp_path: Path) -> None:
    # The task takes no such argument.
    app.configure_task("tokens.refresh_connection", queue=TOKENS).defer(nonsense="in-an-argument")
    with running("runworker", log=tmp_path / "worker.log", SENTRY_DSN=make_dsn(receiver)):
        eventually(lambda: read_events(receiver))
    event = read_events(receiver)[0]
    assert event["exception"]["values"][-1]["type"] == "TypeError"
    assert "in-an-argument" not in receiver.text()


def test_nothing_of_it_is_imported_without_a_receiver() -> None:
    program = "import django, sys; django.setup(); print([name for name in sys.modules if name.split('.')[0] in {'sentry_sdk', 'opentelemetry'}])"
    assert run_program(program).stdout.strip() == "[]"


def test_a_receiver_without_its_packages_stops_the_start() -> None:
    program = "import sys; sys.modules['sentry_sdk'] = None; sys.argv = ['manage.py', 'version']; import runpy; runpy.run_path('manage.py', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env=environment(SENTRY_DSN="https://abc@sentry.example/1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip().endswith("which is not installed. Install requirements-telemetry.txt too.")


@pytest.mark.parametrize("name", ["SENTRY_DSN", "OTEL_EXPORTER_OTLP_ENDPOINT"])
def test_a_malformed_receiver_stops_the_start(name: str) -> None:
    done = run("check", **{name: "collector"})
    assert done.returncode == 1
    assert name in done.stderr
