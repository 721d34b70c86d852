"""`make run`: starts the database and every process, and stops them on Ctrl-C."""

import http.client
import os
import signal
import socket
import sys
import threading
import time
from ipaddress import ip_address
from typing import NoReturn

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import DatabaseError

from amazon_accounts.starter.cluster import Cluster
from amazon_accounts.starter.database import close_pool, require_database
from amazon_accounts.starter.embedded_postgres import end_use, ensure_running, is_guarded
from amazon_accounts.starter.first_login import Login, ensure_first_login
from amazon_accounts.starter.log import Log, LogFile
from amazon_accounts.starter.preparation import check_port, collect_static_files
from amazon_accounts.starter.supervisor import Program, Supervisor
from tokens.checks import require_fitting_keys, require_known_teams

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOPBACK = "127.0.0.1"
# Parts of the lines that PostgreSQL logs when nothing is wrong, or when clients connect during its start or stop.
ROUTINE_LINES = (" LOG: ", " DETAIL: ", "FATAL:  the database system is ")


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amazon_accounts.settings")
    for number in STOP_SIGNALS:
        signal.signal(number, leave)
    try:
        return run()
    except ImproperlyConfigured as error:
        sys.stderr.write(f"Error: {error}\n")
    except DatabaseError as error:
        sys.stderr.write(f"Error: the database refuses: {str(error).splitlines()[0]}\n")
    return 1


def leave(*_: object) -> NoReturn:
    # Until the supervisor runs, there is nothing to stop.
    sys.exit(0)


def run() -> int:
    check_port("PORT", settings.HOST, settings.PORT)
    if settings.USES_SANDBOX:
        check_port("SANDBOX_PORT", LOOPBACK, settings.SANDBOX_PORT)
    programs = list_programs()
    log = Log(["starter", "database", *(program.name for program in programs)])
    database_log = LogFile(Cluster.under(settings.DATA_DIR).log)
    prepare(log)
    supervisor = Supervisor(programs, log)
    for number in STOP_SIGNALS:
        signal.signal(number, supervisor.ask_to_stop)
    threading.Thread(target=announce, args=(supervisor,), daemon=True).start()
    if settings.LOCAL_MODE:
        threading.Thread(target=keep_database, args=(supervisor,), daemon=True).start()

    def copy_database_log() -> None:
        for line in database_log.new_lines():
            if not any(words in line for words in ROUTINE_LINES):
                log.write("database", line)

    failure = supervisor.run(copy_database_log)
    if settings.LOCAL_MODE:
        log.write("database", "stopping")
        end_use(settings.DATA_DIR)
        copy_database_log()
    if failure:
        sys.stderr.write(f"Error: {failure}\n")
        return 1
    log.write("starter", "everything is stopped")
    return 0


def prepare(log: Log) -> None:
    log.write("database", "starting")
    require_database()
    django.setup()
    log.write("database", "migrating")
    call_command("migrate", interactive=False, verbosity=0)
    require_fitting_keys()
    require_known_teams()
    close_pool()
    if collect_static_files():
        log.write("starter", "collected the static files")


def list_programs() -> list[Program]:
    python, manage = sys.executable, [sys.executable, "manage.py"]
    web = [python, "-m", "amazon_accounts.server", "--host", settings.HOST, "--port", str(settings.PORT)]
    programs = [
        Program("web", web, is_essential=True),
        Program("worker", [*manage, "runworker"]),
        Program("scheduler", [*manage, "runscheduler"]),
    ]
    if settings.USES_SANDBOX:
        sandbox = [python, "-m", "amazon_accounts.sandbox", "--host", LOOPBACK]
        return_urls = {
            f"{base}/connect/amazon/callback/"
            for base in (
                settings.PUBLIC_URL,
                *(f"http://{name}:{settings.PORT}" for name in ("localhost", LOOPBACK)),
            )
        }
        programs.insert(
            0,
            Program(
                "sandbox",
                [*sandbox, "--port", str(settings.SANDBOX_PORT)],
                {"SANDBOX_RETURN_URLS": ",".join(sorted(return_urls))},
            ),
        )
    return programs


def keep_database(supervisor: Supervisor) -> None:
    # A thread that starts the embedded PostgreSQL again when its guardian was killed.
    while supervisor.is_running:
        if not is_guarded(settings.DATA_DIR):
            try:
                ensure_running(settings.DATA_DIR)
            except ImproperlyConfigured as error:
                supervisor.fail(str(error))
        time.sleep(0.5)


def announce(supervisor: Supervisor) -> None:
    # A thread that waits until every process answers that does not keep ending.
    while not (supervisor.is_settled and everything_answers(supervisor)):
        time.sleep(0.2)
    try:
        login = ensure_first_login()
    except DatabaseError as error:
        supervisor.fail(f"the first login cannot be made: {error}")
        return
    finally:
        close_pool()
    if supervisor.is_running:
        print_login(login)


def print_login(login: Login) -> None:
    lines = {"Address": settings.PUBLIC_URL, "User name": login.user_name, "Password": login.password}
    sys.stdout.write("".join(f"{f'{name}:':<11}{value}\n" for name, value in lines.items()))
    sys.stdout.flush()


def find_reachable_host(host: str) -> str:
    try:
        address = ip_address(host)
    except ValueError:
        return host
    # 0.0.0.0 and :: stand for every address of this machine.
    if address.is_unspecified:
        return LOOPBACK if address.version == 4 else "::1"
    return host


def everything_answers(supervisor: Supervisor) -> bool:
    try:
        if settings.USES_SANDBOX and not supervisor.keeps_ending("sandbox"):
            socket.create_connection((LOOPBACK, settings.SANDBOX_PORT), timeout=5).close()
        host = find_reachable_host(settings.HOST)
        web = http.client.HTTPConnection(host, settings.PORT, timeout=5)
        try:
            web.request("GET", "/healthz", headers={"Host": settings.ALLOWED_HOSTS[0].lstrip(".*") or host})
            return web.getresponse().status < http.HTTPStatus.INTERNAL_SERVER_ERROR
        finally:
            web.close()
    except (OSError, http.client.HTTPException):
        return False


if __name__ == "__main__":
    sys.exit(main())
