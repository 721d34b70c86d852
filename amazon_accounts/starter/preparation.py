"""What must be true before the processes start: free ports, a migrated database, collected static files."""

import hashlib
import socket
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command


def check_port(variable: str, host: str, port: int) -> None:
    """Raise ImproperlyConfigured, in one line that says what to do, unless we could listen there."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as candidate:
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            candidate.bind(address)
            # Linux lets two sockets bind, but not listen, where SO_REUSEADDR is set on both.
            candidate.listen()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImproperlyConfigured(
            f"{variable} {port} on {host} cannot be used ({reason}). "
            f"Set {variable} to a free port, for example {variable}={_free_port()}."
        ) from error


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def collect_static_files() -> bool:
    """Collect them if they changed since the last time; whether they did."""
    root = Path(settings.STATIC_ROOT)
    stamp, found = root.with_suffix(".stamp"), _fingerprint()
    if stamp.exists() and stamp.read_text() == found:
        return False
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(found)
    return True


def _fingerprint() -> str:
    digest = hashlib.sha256(str(settings.STORAGES["staticfiles"]).encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
