"""Encrypting every stored token again under the first key."""

import io
import json

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.utils import decrypt
from cryptography.fernet import Fernet
from django.apps import apps
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db.models import F, TextField
from django.db.models.functions import Cast

from tests.tokens.conftest import new_connection
from tests.tokens.factories import store_tokens
from tokens.checks import find_encryption_problem
from tokens.connect.disconnect import disconnect_connection
from tokens.encryption import EncryptedTextField, Secret, context_of, reseal
from tokens.key_rotation import Rotated, read_tokens, replace_tokens, rotate
from tokens.models import Connection
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db

PLAIN = "Atzr|a-very-secret-token"


def ciphertext(column: str = "refresh_token") -> str:
    return str(Connection.objects.values_list(Cast(column, TextField()), flat=True).get())


def reveal_refresh_tokens() -> list[str]:
    return [each.refresh_token.reveal() for each in Connection.objects.all() if each.refresh_token]


@pytest.fixture
def stored(settings: LazySettings, db: None) -> Connection:
    return new_connection(User.objects.create_user("bob"), settings, PLAIN)


@pytest.fixture
def new_key(settings: LazySettings, stored: Connection) -> str:
    """Make another key the first of TOKEN_ENCRYPTION_KEYS."""
    key = Fernet.generate_key().decode()
    settings.TOKEN_ENCRYPTION_KEYS = [key, *settings.TOKEN_ENCRYPTION_KEYS]
    return key


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


def test_rotation_changes_only_the_ciphertext_that_it_read(stored: Connection) -> None:
    (row,) = read_tokens(None, limit=10)
    assert row.access_token is not None
    store_tokens(stored, access_token="Atza|newer")
    rotated = Rotated(row.connection_id, stale=row.access_token, fresh="v2.older")
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
    assert sorted(reveal_refresh_tokens()) == [PLAIN, *(f"{PLAIN}-{number}" for number in range(4))]


def test_a_disconnected_connection_has_nothing_to_rotate(stored: Connection) -> None:
    disconnect_connection(SYSTEM, stored)
    assert rotate() == {"rotated": 0, "current": 0, "unreadable": 0}


def test_a_token_that_no_key_decrypts_is_left_as_it_is(stored: Connection, settings: LazySettings) -> None:
    before = ciphertext()
    settings.TOKEN_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert rotate() == {"rotated": 0, "current": 0, "unreadable": 2}
    assert ciphertext() == before


def test_tokens_in_the_old_form_are_read_and_rewritten(stored: Connection, settings: LazySettings) -> None:
    old = Fernet(settings.TOKEN_ENCRYPTION_KEYS[0]).encrypt(PLAIN.encode()).decode()
    Connection.objects.update(refresh_token=Secret(old))
    assert reveal_refresh_tokens() == [PLAIN]
    assert rotate() == {"rotated": 1, "current": 1, "unreadable": 0}
    assert ciphertext().startswith("v2.")
    assert reveal_refresh_tokens() == [PLAIN]
    assert rotate() == {"rotated": 0, "current": 2, "unreadable": 0}


def test_tokens_and_second_factors_are_rotated_together_whatever_their_form(
    stored: Connection, settings: LazySettings
) -> None:
    (old_key,) = settings.TOKEN_ENCRYPTION_KEYS
    old_form = Fernet(old_key).encrypt(PLAIN.encode()).decode()
    Connection.objects.update(access_token=Secret(old_form))
    TOTP.activate(stored.owner, "JBSWY3DPEHPK3PXP")
    codes = RecoveryCodes.activate(stored.owner).generate_codes()
    newest = Fernet.generate_key().decode()
    settings.TOKEN_ENCRYPTION_KEYS = [newest, old_key]
    assert rotate() == {"rotated": 4, "current": 0, "unreadable": 0}
    settings.TOKEN_ENCRYPTION_KEYS = [newest]
    again = Connection.objects.get()
    assert again.access_token is not None
    assert again.access_token.reveal() == PLAIN
    assert reveal_refresh_tokens() == [PLAIN]
    factors = {factor.type: factor for factor in Authenticator.objects.all()}
    assert decrypt(factors["totp"].data["secret"]) == "JBSWY3DPEHPK3PXP"
    assert factors["recovery_codes"].wrap().generate_codes() == codes


def test_an_unreadable_second_factor_is_named_and_left(
    stored: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    factor = TOTP.activate(stored.owner, "JBSWY3DPEHPK3PXP").instance
    Authenticator.objects.update(data={"secret": "v2.damaged"})
    assert rotate() == {"rotated": 0, "current": 2, "unreadable": 1}
    assert f"The secret of second factor {factor.pk} was left." in caplog.text


def test_no_other_column_is_encrypted() -> None:
    # What is added here must be rotated too.
    encrypted = {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, EncryptedTextField)
    }
    assert encrypted == {
        "tokens.AlertAddress.address",
        "tokens.Connection.access_token",
        "tokens.Connection.refresh_token",
        # tests/tokens/webhooks/test_manage.py rotates these.
        "tokens.Webhook.old_secret",
        "tokens.Webhook.secret",
    }


def test_a_token_that_was_moved_is_named_and_left(
    stored: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    Connection.objects.update(access_token=F("refresh_token"))
    assert rotate() == {"rotated": 0, "current": 1, "unreadable": 1}
    assert f"The access_token of connection {stored.pk} was left." in caplog.text
    assert "another row or column" in caplog.text


class TestInterruption:
    def test_a_rotation_goes_on_where_the_last_one_was_killed(
        self, stored: Connection, settings: LazySettings, new_key: str
    ) -> None:
        for number in range(3):
            new_connection(stored.owner, settings, f"{PLAIN}-{number}")
        # The process dies after the first batch: one connection of four is rotated.
        (first,) = read_tokens(None, limit=1)
        for column, stale in (("access_token", first.access_token), ("refresh_token", first.refresh_token)):
            assert stale is not None
            fresh = reseal(stale, context_of(Connection, column, first.connection_id))
            assert fresh is not None
            assert replace_tokens(column, [Rotated(first.connection_id, stale, fresh)]) == 1
        counts = rotate(batch_size=1)
        assert counts["current"] >= 2
        assert counts["rotated"] + counts["current"] == 8
        settings.TOKEN_ENCRYPTION_KEYS = [new_key]
        assert find_encryption_problem() == ""

    def test_both_keys_decrypt_in_the_middle_of_a_rotation(
        self, stored: Connection, settings: LazySettings, new_key: str
    ) -> None:
        new_connection(stored.owner, settings, f"{PLAIN}-2")
        assert find_encryption_problem() == ""
        assert set(reveal_refresh_tokens()) == {PLAIN, f"{PLAIN}-2"}

    def test_a_token_that_a_refresh_stores_meanwhile_stays(self, stored: Connection, new_key: str) -> None:
        (row,) = read_tokens(None, limit=1)
        assert row.refresh_token is not None
        store_tokens(stored, refresh_token="Atzr|rotated by Amazon")
        stale = Rotated(row.connection_id, row.refresh_token, "v2.older")
        assert replace_tokens("refresh_token", [stale]) == 0
        assert reveal_refresh_tokens() == ["Atzr|rotated by Amazon"]

    def test_nothing_to_replace_is_no_statement(self, stored: Connection) -> None:
        assert replace_tokens("access_token", []) == 0

    def test_tokens_are_read_from_the_id_on_that_was_reached(
        self, stored: Connection, settings: LazySettings
    ) -> None:
        second = new_connection(stored.owner, settings, PLAIN)
        (row,) = read_tokens(stored.pk, limit=10)
        assert row.connection_id == second.pk
        assert read_tokens(second.pk, limit=10) == []


class TestCommand:
    def run(self, *arguments: str) -> str:
        out = io.StringIO()
        call_command("rotate_encryption_keys", *arguments, stdout=out)
        return out.getvalue()

    def test_it_prints_its_counts(self, stored: Connection, new_key: str) -> None:
        assert self.run() == "2 rotated, 0 current, 0 unreadable\n"
        assert self.run() == "0 rotated, 2 current, 0 unreadable\n"

    def test_it_prints_its_counts_as_json(self, stored: Connection, new_key: str) -> None:
        assert json.loads(self.run("--json")) == {"rotated": 2, "current": 0, "unreadable": 0}

    def test_it_does_nothing_without_the_old_key(self, stored: Connection, settings: LazySettings) -> None:
        before = ciphertext()
        settings.TOKEN_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
        with pytest.raises(CommandError, match="TOKEN_ENCRYPTION_KEYS cannot decrypt 2 of 2 stored tokens"):
            self.run()
        assert ciphertext() == before

    def test_it_fails_when_a_token_stays_unreadable(self, stored: Connection, settings: LazySettings) -> None:
        for _ in range(50):
            new_connection(stored.owner, settings, PLAIN)
        # The check before each command reads a sample: the 50 oldest and the 50 newest connections.
        lost = new_connection(stored.owner, settings, PLAIN)
        for _ in range(50):
            new_connection(stored.owner, settings, PLAIN)
        Connection.objects.filter(pk=lost.pk).update(access_token=Secret("of a key that is gone"))
        with pytest.raises(CommandError, match="Some tokens cannot be decrypted"):
            self.run()
