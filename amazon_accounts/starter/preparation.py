"""Checks and steps before the processes start: free ports and collected static files."""

import errno
import hashlib
import socket
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command

MAX_PORT = 65535


def check_port(variable: str, host: str, port: int) -> None:
    """Raise ImproperlyConfigured, with one line that says what to do, unless a server can listen there."""
    try:
        _listen_once(host, port)
    except OSError as error:
        names_host = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        advice = (
            "Set HOST to an address of this machine."
            if names_host
            else f"Set {variable} to a free port, for example {variable}={_free_port()}."
        )
        raise ImproperlyConfigured(
            f"{variable} {port} on {host} cannot be used ({error.strerror}). {advice}"
        ) from error


def _listen_once(host: str, port: int) -> None:
    if port > MAX_PORT:  # getaddrinfo takes it modulo 65536
        raise OSError(errno.EINVAL, f"the last port is {MAX_PORT}")
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        candidate.bind(address)
        # With SO_REUSEADDR two sockets can bind to a port, but only one can listen.
        candidate.listen()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def collect_static_files() -> bool:
    """Collect the static files if they changed since the last time. Returns whether they changed."""
    root = Path(settings.STATIC_ROOT)
    stamp, found = root.with_suffix(".stamp"), _fingerprint()
    if stamp.exists() and stamp.read_text() == found:
        return False
    # Without `clear`, a collected file stays if it is as old as its changed source, to the second.
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    stamp.write_text(found)
    return True


def _fingerprint() -> str:
    digest = hashlib.sha256(str(settings.STORAGES["staticfiles"]).encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
