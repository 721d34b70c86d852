"""What must be true before the processes start: free ports, a migrated database, collected static files."""

import errno
import hashlib
import socket
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command

LAST_PORT = 65535


def check_port(variable: str, host: str, port: int) -> None:
    """Raise ImproperlyConfigured, in one line that says what to do, unless we could listen there."""
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
    if port > LAST_PORT:  # getaddrinfo would take it modulo 65536
        raise OSError(errno.EINVAL, f"the last port is {LAST_PORT}")
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        candidate.bind(address)
        # Where both set SO_REUSEADDR, two may bind; only one may listen.
        candidate.listen()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def collect_static_files() -> bool:
    """Collect them if they changed since the last time; whether they did."""
    root = Path(settings.STATIC_ROOT)
    stamp, found = root.with_suffix(".stamp"), _fingerprint()
    if stamp.exists() and stamp.read_text() == found:
        return False
    # Without clear it keeps what seems no older, to the second, than what it was made from.
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
