import json

import pytest
from cryptography.fernet import Fernet
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core import serializers
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError, SystemCheckError
from django.db import connection as database

from tests.tokens.conftest import new_connection
from tokens.checks import find_encryption_problem, require_fitting_keys
from tokens.connect.disconnect import disconnect_connection
from tokens.encryption import DecryptionError, Secret
from tokens.key_rotation import Rotated, read_tokens, replace_tokens, rotate
from tokens.models import Connection

pytestmark = pytest.mark.django_db

PLAIN = "Atzr|a-very-secret-token"


@pytest.fixture
def stored(settings: LazySettings, db: None) -> Connection:
    return new_connection(User.objects.create_user("bob"), settings, PLAIN)


def ciphertext(column: str = "refresh_token") -> str:
    with database.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM tokens_connection")  # noqa: S608
        return str(cursor.fetchone()[0])


def test_it_stores_ciphertext_and_reads_plain_text(stored: Connection) -> None:
    assert PLAIN not in ciphertext()
    assert ciphertext().startswith("gAAAA")
    again = Connection.objects.get()
    assert again.refresh_token is not None
    assert again.refresh_token.reveal() == PLAIN


def test_it_shows_no_plain_text_in_memory(stored: Connection) -> None:
    for connection in (stored, Connection.objects.get()):
        assert PLAIN not in repr(vars(connection))
        assert str(connection.refresh_token) == "********"
        assert repr(connection.refresh_token) == "<Secret>"
        assert f"{connection.refresh_token}" == "********"


def test_it_serializes_ciphertext_and_reads_it_back(stored: Connection) -> None:
    text = serializers.serialize("json", [stored])
    assert PLAIN not in text
    (item,) = json.loads(text)
    assert item["fields"]["refresh_token"].startswith("gAAAA")
    (loaded,) = serializers.deserialize("json", text)
    assert isinstance(loaded.object, Connection)
    assert loaded.object.refresh_token is not None
    assert loaded.object.refresh_token.reveal() == PLAIN


def test_a_missing_key_is_an_error_and_never_no_token(stored: Connection, settings: LazySettings) -> None:
    settings.TOKEN_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    again = Connection.objects.get()
    assert again.refresh_token is not None
    with pytest.raises(DecryptionError, match="TOKEN_ENCRYPTION_KEYS"):
        again.refresh_token.reveal()
    assert "cannot decrypt 2 of 2" in find_encryption_problem()
    with pytest.raises(SystemCheckError, match=r"tokens\.E001"):
        call_command("check", databases=["default"])
    for command in (["runworker"], ["runscheduler"], ["refresh_tokens"], ["connect", "--owner", "bob"]):
        with pytest.raises(CommandError, match="TOKEN_ENCRYPTION_KEYS cannot decrypt"):
            call_command(*command)
    assert "TOKEN" not in ciphertext()


@pytest.mark.django_db(transaction=True)
def test_no_process_starts_with_a_wrong_key(stored: Connection, settings: LazySettings) -> None:
    require_fitting_keys()
    settings.TOKEN_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(ImproperlyConfigured, match="TOKEN_ENCRYPTION_KEYS cannot decrypt"):
        require_fitting_keys()


def test_saving_with_a_wrong_key_does_not_overwrite(stored: Connection, settings: LazySettings) -> None:
    before = ciphertext()
    settings.TOKEN_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    Connection.objects.get().save()
    assert ciphertext() == before


def test_every_key_decrypts_and_the_first_encrypts(stored: Connection, settings: LazySettings) -> None:
    newest = Fernet.generate_key().decode()
    settings.TOKEN_ENCRYPTION_KEYS = [newest, *settings.TOKEN_ENCRYPTION_KEYS]
    assert find_encryption_problem() == ""
    sealed = Secret.seal(PLAIN)
    assert Fernet(newest).decrypt(sealed.ciphertext.encode()).decode() == PLAIN


def test_rotation_puts_every_token_under_the_first_key(stored: Connection, settings: LazySettings) -> None:
    old = settings.TOKEN_ENCRYPTION_KEYS
    newest = Fernet.generate_key().decode()
    settings.TOKEN_ENCRYPTION_KEYS = [newest, *old]
    assert rotate() == {"rotated": 2, "current": 0, "unreadable": 0}
    assert rotate() == {"rotated": 0, "current": 2, "unreadable": 0}
    settings.TOKEN_ENCRYPTION_KEYS = [newest]
    again = Connection.objects.get()
    assert again.refresh_token is not None
    assert again.refresh_token.reveal() == PLAIN


def test_rotation_changes_only_the_ciphertext_that_it_read(
    stored: Connection, settings: LazySettings
) -> None:
    (row,) = read_tokens(None, limit=10)
    assert row.access_token is not None
    Connection.objects.update(access_token="Atza|newer")
    rotated = Rotated(row.connection_id, stale=row.access_token, fresh=Secret.seal("Atza|older").ciphertext)
    assert replace_tokens("access_token", [rotated]) == 0
    again = Connection.objects.get()
    assert again.access_token is not None
    assert again.access_token.reveal() == "Atza|newer"


def test_rotation_goes_through_all_tokens_batch_by_batch(stored: Connection, settings: LazySettings) -> None:
    for number in range(4):
        new_connection(stored.owner, settings, f"{PLAIN}-{number}")
    settings.TOKEN_ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.TOKEN_ENCRYPTION_KEYS]
    assert rotate(batch_size=2) == {"rotated": 10, "current": 0, "unreadable": 0}
    settings.TOKEN_ENCRYPTION_KEYS = settings.TOKEN_ENCRYPTION_KEYS[:1]
    revealed = [
        token.reveal() for token in Connection.objects.values_list("refresh_token", flat=True) if token
    ]
    assert sorted(revealed) == [PLAIN, *(f"{PLAIN}-{number}" for number in range(4))]


def test_a_disconnected_connection_has_nothing_to_rotate(stored: Connection) -> None:
    disconnect_connection(None, stored)
    assert rotate() == {"rotated": 0, "current": 0, "unreadable": 0}


def test_rotation_leaves_what_it_cannot_read(stored: Connection, settings: LazySettings) -> None:
    before = ciphertext()
    settings.TOKEN_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert rotate() == {"rotated": 0, "current": 0, "unreadable": 2}
    assert ciphertext() == before
