"""A process that uses the embedded PostgreSQL and runs the commands that it reads, one a line.

    ensure      call ensure_running (again)
    SQL         run it on a new connection

Each command is answered by one line of JSON. The process ends when its input ends.
"""

import json
import sys
from pathlib import Path

import psycopg
from django.core.exceptions import ImproperlyConfigured

from amazon_accounts.starter.embedded_postgres import ConnectionParameters, ensure_running


def run_command(line: str, server: ConnectionParameters) -> object:
    if line == "ensure":
        return ensure_running(Path(sys.argv[1])).host
    with psycopg.connect(
        host=server.host, port=server.port, user=server.user, dbname=server.database
    ) as connection:
        cursor = connection.execute(line.encode())
        return cursor.fetchall() if cursor.description else None


def main() -> None:
    try:
        server = ensure_running(Path(sys.argv[1]))
        print(json.dumps(server.host), flush=True)
        for line in sys.stdin:
            print(json.dumps(run_command(line.strip(), server)), flush=True)
    except ImproperlyConfigured as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
