import json
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core import serializers
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError, SystemCheckError
from django.db.models import F, TextField
from django.db.models.functions import Cast
from django.forms import modelform_factory

from tests.database_outage import DatabaseOutage
from tests.tokens.conftest import new_connection
from tokens.checks import check_stored, find_encryption_problem, require_fitting_keys
from tokens.encryption import DecryptionError, MisplacedSecretError, Secret, context_of, seal, unseal
from tokens.encryption.fields import PlainTextError
from tokens.encryption.secret import UnknownContextError
from tokens.models import Connection

pytestmark = pytest.mark.django_db

PLAIN = "Atzr|a-very-secret-token"


@pytest.fixture
def stored(settings: LazySettings, db: None) -> Connection:
    return new_connection(User.objects.create_user("bob"), settings, PLAIN)


def ciphertext(column: str = "refresh_token") -> str:
    # A plain text column shows what is stored.
    return str(Connection.objects.values_list(Cast(column, TextField()), flat=True).get())


def test_it_stores_ciphertext_and_reads_plain_text(stored: Connection) -> None:
    assert PLAIN not in ciphertext()
    assert ciphertext().startswith("v2.")
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
    assert item["fields"]["refresh_token"].startswith("v2.")
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
    sealed = seal(PLAIN, "here")
    settings.TOKEN_ENCRYPTION_KEYS = [newest]
    assert unseal(sealed, "here") == PLAIN


class TestField:
    def test_a_token_may_be_missing(self, stored: Connection) -> None:
        Connection.objects.update(access_token=None, expires_at=None)
        assert Connection.objects.get().access_token is None

    def test_a_deferred_token_is_read_when_it_is_used(self, stored: Connection) -> None:
        connection = Connection.objects.defer("refresh_token").get()
        assert connection.refresh_token is not None
        assert connection.refresh_token.reveal() == PLAIN

    def test_a_string_that_is_assigned_is_encrypted_at_once(self, stored: Connection) -> None:
        stored.access_token = "Atza|plain"
        assert isinstance(stored.access_token, Secret)
        assert stored.access_token.reveal() == "Atza|plain"

    def test_an_update_refuses_plain_text_because_it_knows_no_row(self, stored: Connection) -> None:
        with pytest.raises(PlainTextError):
            Connection.objects.update(refresh_token="Atzr|plain")

    def test_many_rows_are_sealed_each_for_itself(self, stored: Connection, settings: LazySettings) -> None:
        made = [
            Connection(
                team=stored.team,
                owner=stored.owner,
                label=f"{number}",
                client_id=settings.AMAZON_CLIENT_ID,
                refresh_token=PLAIN,
            )
            for number in range(2)
        ]
        Connection.objects.bulk_create(made)
        for each in Connection.objects.all():
            assert each.refresh_token is not None
            assert each.refresh_token.reveal() == PLAIN

    def test_a_token_is_not_assigned_to_another_row_or_column(
        self, stored: Connection, settings: LazySettings
    ) -> None:
        other = new_connection(stored.owner, settings, PLAIN)
        with pytest.raises(MisplacedSecretError):
            other.refresh_token = stored.refresh_token
        with pytest.raises(MisplacedSecretError):
            stored.access_token = stored.refresh_token

    def test_a_copy_under_another_id_is_not_saved(self, stored: Connection) -> None:
        stored.pk = uuid4()
        with pytest.raises(MisplacedSecretError):
            stored.save()

    @pytest.mark.parametrize(
        "lookup", ["exact", "in", "startswith", "regex", "gt", "contains", "length", "md5__startswith"]
    )
    def test_it_is_found_by_no_lookup(self, lookup: str) -> None:
        for path in (f"refresh_token__{lookup}", f"refreshes__connection__access_token__{lookup}"):
            with pytest.raises(FieldError):
                Connection.objects.filter(**{path: "v"}).exists()
        assert not Connection.objects.filter(refresh_token__isnull=True).exists()

    def test_a_ciphertext_without_its_row_is_not_opened(self, stored: Connection) -> None:
        secret = Connection.objects.values_list("refresh_token", flat=True).get()
        assert secret is not None
        with pytest.raises(UnknownContextError):
            secret.reveal()
        assert secret.at(context_of(Connection, "refresh_token", stored.pk)).reveal() == PLAIN

    def test_no_form_shows_it(self) -> None:
        form = modelform_factory(Connection, fields=["label"])
        assert set(form.base_fields) == {"label"}
        with pytest.raises(FieldError, match="refresh_token"):
            modelform_factory(Connection, fields=["refresh_token"])

    def test_a_missing_token_is_serialized_as_null(self, stored: Connection) -> None:
        stored.access_token = None
        (item,) = json.loads(serializers.serialize("json", [stored]))
        assert item["fields"]["access_token"] is None


def test_any_key_fits_while_no_token_is_stored(transactional_db: None) -> None:
    assert find_encryption_problem() == ""


def test_an_outage_is_no_problem_of_the_keys(database_outage: DatabaseOutage) -> None:
    with database_outage:
        assert find_encryption_problem() == ""


def test_the_check_needs_a_database(stored: Connection, settings: LazySettings) -> None:
    settings.TOKEN_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert check_stored(None) == []
    assert [each.id for each in check_stored(None, ["default"])] == ["tokens.E001"]


def test_a_token_that_was_moved_keeps_no_process_from_starting(stored: Connection) -> None:
    Connection.objects.update(access_token=F("refresh_token"))
    Connection.objects.update(refresh_token=Secret("v2.damaged"))
    assert find_encryption_problem() == ""
