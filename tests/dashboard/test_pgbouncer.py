"""Web behind PgBouncer in transaction mode, with the real program."""

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.test import Client

from tests.dashboard.conftest import MakeAccount, MakeConnection
from tests.half_open_proxy import through

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = [
    "/",
    "/accounts/",
    "/connections/",
    "/operations/",
    "/activity/",
    "/admin/",
    "/readyz",
    "/api/v1/accounts/",
    "/api/v1/accounts/health/",
    "/api/v1/accounts/export/?format=csv",
    "/api/v1/connections/",
]
VISITORS = 6


def test_web_works_for_more_clients_than_there_are_sessions(
    pgbouncer: int,
    superuser: User,
    make_connection: MakeConnection,
    make_account: MakeAccount,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.DB_PGBOUNCER = True
    monkeypatch.delitem(connection.settings_dict["OPTIONS"], "options")
    monkeypatch.setitem(connection.settings_dict, "DISABLE_SERVER_SIDE_CURSORS", value=True)
    login = make_connection(superuser)
    for number in range(3):
        make_account(login, f"Shop {number}")
    with through(pgbouncer):
        assert is_behind_pgbouncer()
        client = Client()
        client.force_login(superuser)
        connections.close_all()
        with ThreadPoolExecutor(VISITORS) as visitors:
            visits = [
                visitors.submit(visit, client.cookies.output(header="")) for _ in repeat(None, VISITORS)
            ]
            for each in visits:
                assert each.result() == dict.fromkeys(PAGES, 200) | {"batch": 202}


def is_behind_pgbouncer() -> bool:
    # A session in which a client sets something belongs to another client a moment later.
    with connection.cursor() as cursor:
        cursor.execute("SHOW client_connection_check_interval")
        return bool(cursor.fetchone() == ("0",))


def visit(cookies: str) -> dict[str, int]:
    client = Client()
    client.cookies.load(cookies)
    try:
        answers = {page: client.get(page) for page in PAGES}
        for response in answers.values():
            assert response.getvalue()
        order = json.dumps({"operation": "update", "filter": {}, "options": {"labels": {"team": "north"}}})
        answers["batch"] = client.post("/api/v1/accounts/batch/", order, content_type="application/json")
        return {name: response.status_code for name, response in answers.items()}
    finally:
        connections.close_all()


@pytest.mark.parametrize("command", ["runworker", "runscheduler"])
def test_workers_and_schedulers_refuse_pgbouncer(settings: Any, command: str) -> None:
    settings.DB_PGBOUNCER = True
    with pytest.raises(CommandError, match="must lead to PostgreSQL itself"):
        call_command(command)
