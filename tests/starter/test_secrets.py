import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from amazon_accounts.starter.secrets import local_secrets


def test_it_makes_secrets_once(tmp_path: Path) -> None:
    assert local_secrets(tmp_path / "var") == local_secrets(tmp_path / "var")
    assert local_secrets(tmp_path / "var") != local_secrets(tmp_path / "other")


def test_its_key_encrypts(tmp_path: Path) -> None:
    key = Fernet(local_secrets(tmp_path).token_encryption_key)
    assert key.decrypt(key.encrypt(b"token")) == b"token"


def test_only_the_owner_may_read_the_secrets(tmp_path: Path) -> None:
    local_secrets(tmp_path / "var")
    assert stat.S_IMODE((tmp_path / "var/secrets.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o700


def test_threads_that_start_together_get_the_same_secrets(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: local_secrets(tmp_path / "var"), range(8)))
    assert len({secrets.secret_key for secrets in found}) == 1


def test_its_repr_shows_no_secret(tmp_path: Path) -> None:
    secrets = local_secrets(tmp_path)
    assert secrets.secret_key not in repr(secrets)
    assert secrets.token_encryption_key not in repr(secrets)


def test_a_read_only_folder_is_reported_in_one_line() -> None:
    with pytest.raises(
        ImproperlyConfigured, match=r"^DATA_DIR /dev/null/var cannot be used .* Set DATA_DIR to"
    ):
        local_secrets(Path("/dev/null/var"))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"secret_key": "x"}', '"text"'])
def test_a_damaged_file_is_never_replaced(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secrets.json"
    path.write_text(text)
    with pytest.raises(ImproperlyConfigured, match=f"^{re.escape(str(path))} is damaged"):
        local_secrets(tmp_path)
    assert path.read_text() == text
