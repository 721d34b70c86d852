"""The secrets of local mode: generated once, kept under DATA_DIR, readable only by their owner."""

import base64
import fcntl
import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

FILE_NAME = "secrets.json"


@dataclass(frozen=True)
class LocalSecrets:
    secret_key: str = field(repr=False)
    token_encryption_key: str = field(repr=False)


def local_secrets(data_dir: Path) -> LocalSecrets:
    """The secrets kept under this folder. The first call makes them.

    Raises ImproperlyConfigured, with a message of one line, if they can be neither read nor made.
    """
    path = data_dir / FILE_NAME
    try:
        if not path.exists():
            _make_once(path)
        return _read(path)
    except OSError as error:
        raise ImproperlyConfigured(
            f"DATA_DIR {data_dir} cannot be used ({error.strerror}: {error.filename}). "
            "Set DATA_DIR to a folder that you may write."
        ) from error


def _make_once(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            _write(path, _generate())
    finally:
        os.close(lock)


def _generate() -> LocalSecrets:
    return LocalSecrets(
        secret_key=secrets.token_urlsafe(50),
        token_encryption_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    )


def _write(path: Path, local: LocalSecrets) -> None:
    # The whole file or nothing: a half-written key would make every token encrypted under it unreadable.
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(local), file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)


def _read(path: Path) -> LocalSecrets:
    try:
        values = json.loads(path.read_text())
        return LocalSecrets(values["secret_key"], values["token_encryption_key"])
    except (ValueError, KeyError, TypeError) as error:
        raise ImproperlyConfigured(
            f"{path} is damaged. Restore it from a backup; without its key the stored tokens cannot be read."
        ) from error
