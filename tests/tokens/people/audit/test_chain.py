"""The chain of the audit trail: what it takes, and which changes it shows."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.db.models.functions import Now

from tokens.key_rotation import rotate
from tokens.models import AuditCheckpoint, AuditEntry, AuditKey, AuditLink
from tokens.people.audit import Action, record_audit
from tokens.people.audit.chain import Place, chain_entries, read_end
from tokens.people.audit.pruning import prune_trail
from tokens.people.audit.verification import BrokenTrailError, verify_trail
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db


def write(number: int = 1) -> None:
    for each in range(number):
        record_audit(SYSTEM, Action.CONNECTION_UPDATE, None, after={"number": each})


@contextmanager
def without_triggers() -> Iterator[None]:
    """What somebody can do who may change the tables."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield
        cursor.execute("SET LOCAL session_replication_role = origin")


def make_older(days: int, *, first: int) -> None:
    """Date the entries that are chained first, before they are chained."""
    ids = list(AuditEntry.objects.order_by("pk").values_list("pk", flat=True)[:first])
    with without_triggers():
        AuditEntry.objects.filter(pk__in=ids).update(at=Now() - timedelta(days=days))


class TestTriggers:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE tokens_auditentry SET actor_name = 'somebody else'",
            "DELETE FROM tokens_auditentry",
            "TRUNCATE tokens_auditentry",
            "UPDATE tokens_auditlink SET number = number + 1",
            "DELETE FROM tokens_auditlink",
            "TRUNCATE tokens_auditlink",
        ],
    )
    def test_a_change_is_refused(self, statement: str) -> None:
        write()
        chain_entries()
        with (
            pytest.raises(Exception, match="The audit trail is only added to") as raised,
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
        assert getattr(raised.value.__cause__, "sqlstate", None) == "42501"

    def test_a_waiting_link_cannot_be_given_to_another_entry(self) -> None:
        write(2)
        with pytest.raises(Exception, match="The audit trail is only added to"), transaction.atomic():
            AuditLink.objects.update(entry_id="0193c8a0-0000-7000-8000-000000000001")


class TestChain:
    def test_each_entry_gets_the_next_number(self) -> None:
        write(3)
        assert chain_entries(batch_size=2).number == 3
        write()
        assert chain_entries().number == 4
        assert list(AuditLink.objects.order_by("number").values_list("number", flat=True)) == [1, 2, 3, 4]

    def test_the_log_has_the_last_number_and_digest(self, caplog: pytest.LogCaptureFixture) -> None:
        write()
        with caplog.at_level("INFO", logger="tokens.people.audit.chain"):
            end = chain_entries()
        assert f"number 1, digest {end.digest.hex()}" in caplog.text

    def test_nothing_is_done_without_new_entries(self) -> None:
        assert chain_entries() == Place()
        assert not AuditKey.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_entry_that_is_committed_late_is_chained_late() -> None:
    written, chained = threading.Event(), threading.Event()

    def write_slowly() -> None:
        with transaction.atomic():
            write()
            written.set()
            chained.wait(60)
        connections.close_all()

    slow = threading.Thread(target=write_slowly)
    slow.start()
    assert written.wait(60)
    write()
    assert chain_entries().number == 1
    chained.set()
    slow.join()
    first = AuditEntry.objects.earliest("pk")
    verify_trail()
    assert AuditLink.objects.get(entry_id=first.pk).number == 2


@pytest.mark.django_db(transaction=True)
def test_two_processes_chain_each_entry_once() -> None:
    write(40)

    def chain() -> None:
        chain_entries(batch_size=3)
        connections.close_all()

    both = [threading.Thread(target=chain) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert verify_trail().end.number == 40


def change(number: int) -> None:
    entry_id = AuditLink.objects.get(number=number).entry_id
    AuditEntry.objects.filter(pk=entry_id).update(actor_name="somebody else")


def remove(number: int) -> None:
    link = AuditLink.objects.get(number=number)
    AuditEntry.objects.filter(pk=link.entry_id).delete()


def remove_with_link(number: int) -> None:
    remove(number)
    AuditLink.objects.filter(number=number).delete()


def close_the_gap(number: int) -> None:
    remove_with_link(number)
    for link in AuditLink.objects.filter(number__gt=number).order_by("number"):
        AuditLink.objects.filter(pk=link.pk).update(number=(link.number or 0) - 1)


class TestVerification:
    def test_a_trail_as_it_was_written_passes(self) -> None:
        write(5)
        assert verify_trail(batch_size=2).end.number == 5

    @pytest.mark.parametrize(
        ("deed", "found"),
        [
            (change, "Number 3 was changed"),
            (remove, "Number 3 was removed"),
            (remove_with_link, "Number 3 was removed"),
            (close_the_gap, "Number 3 was changed"),
        ],
    )
    def test_it_names_the_first_entry_that_is_not_as_it_was(
        self, deed: Callable[[int], None], found: str
    ) -> None:
        write(5)
        chain_entries()
        with without_triggers():
            deed(3)
        with pytest.raises(BrokenTrailError, match=found):
            verify_trail(batch_size=2)

    def test_an_entry_that_was_added_without_a_link_is_named(self) -> None:
        write(2)
        with without_triggers():
            write()
        with pytest.raises(BrokenTrailError, match="was added past the console"):
            verify_trail()

    def test_an_entry_that_was_removed_before_it_was_chained_is_named(self) -> None:
        write()
        with without_triggers():
            AuditEntry.objects.all().delete()
        with pytest.raises(BrokenTrailError, match="was removed before it was chained"):
            verify_trail()

    def test_nothing_passes_without_the_key_of_the_chain(self) -> None:
        write()
        chain_entries()
        AuditKey.objects.all().delete()
        with pytest.raises(BrokenTrailError, match="without a key of the chain"):
            verify_trail()

    def test_a_place_that_was_noted_shows_that_the_end_was_cut_off(self) -> None:
        write(5)
        noted = chain_entries()
        with without_triggers():
            remove_with_link(5)
        assert verify_trail().end.number == 4
        with pytest.raises(BrokenTrailError, match="Number 5 was removed: number 5 was noted"):
            verify_trail(noted=noted)

    def test_a_place_that_was_noted_shows_that_the_end_was_replaced(self) -> None:
        write(5)
        noted = chain_entries()
        with without_triggers():
            remove_with_link(5)
        write()
        with pytest.raises(BrokenTrailError, match="Number 5 has another digest"):
            verify_trail(noted=noted)


class TestKeys:
    def test_the_trail_can_be_checked_after_the_encryption_keys_were_replaced(
        self, settings: LazySettings
    ) -> None:
        write(2)
        chain_entries()
        old, new = settings.TOKEN_ENCRYPTION_KEYS[0], Fernet.generate_key().decode()
        settings.TOKEN_ENCRYPTION_KEYS = [new, old]
        assert rotate()["unreadable"] == 0
        settings.TOKEN_ENCRYPTION_KEYS = [new]
        write(2)
        assert verify_trail().end.number == 5, "the rotation has an entry too"

    def test_another_encryption_key_begins_another_key_of_the_chain(self, settings: LazySettings) -> None:
        write()
        chain_entries()
        settings.TOKEN_ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.TOKEN_ENCRYPTION_KEYS]
        rotate()
        write()
        chain_entries()
        assert AuditLink.objects.values("key_id").distinct().count() == 2

    def test_another_secret_key_changes_nothing(self, settings: LazySettings) -> None:
        write()
        chain_entries()
        settings.SECRET_KEY = "another secret key"
        assert verify_trail().end.number == 1


class TestPruning:
    def test_old_entries_go_and_the_rest_can_be_checked(self, settings: LazySettings) -> None:
        settings.AUDIT_RETENTION_DAYS = 30
        write(5)
        make_older(31, first=3)
        chain_entries()
        assert prune_trail(batch_size=2) == 3
        checked = verify_trail()
        assert (checked.beginning.number, checked.end.number) == (3, 5)
        assert AuditEntry.objects.count() == AuditLink.objects.count() == 2
        write()
        assert verify_trail().end.number == 6

    def test_the_chain_goes_on_after_everything_was_pruned(self, settings: LazySettings) -> None:
        settings.AUDIT_RETENTION_DAYS = 30
        write(2)
        make_older(31, first=2)
        end = chain_entries()
        assert prune_trail() == 2
        assert read_end() == end
        write()
        assert verify_trail().end.number == 3

    def test_an_entry_that_is_not_chained_is_kept(self, settings: LazySettings) -> None:
        settings.AUDIT_RETENTION_DAYS = 30
        write()
        make_older(31, first=1)
        assert prune_trail() == 0
        assert AuditEntry.objects.exists()

    def test_a_broken_chain_is_kept(self, settings: LazySettings, caplog: pytest.LogCaptureFixture) -> None:
        settings.AUDIT_RETENTION_DAYS = 30
        write(3)
        make_older(31, first=3)
        chain_entries()
        with without_triggers():
            change(2)
        assert prune_trail() == 0
        assert "Nothing of the audit trail was pruned. Number 2 was changed" in caplog.text

    def test_a_checkpoint_that_was_made_up_is_named(self, settings: LazySettings) -> None:
        settings.AUDIT_RETENTION_DAYS = 30
        write(5)
        make_older(31, first=1)
        chain_entries()
        prune_trail()
        link = AuditLink.objects.get(number=3)
        AuditCheckpoint.objects.update(number=3, digest=link.digest)
        with without_triggers():
            remove_with_link(2)
            remove_with_link(3)
        with pytest.raises(BrokenTrailError, match="The checkpoint before number 4 was changed"):
            verify_trail()


class TestCommand:
    def test_it_prints_the_last_number_and_digest(self, capsys: pytest.CaptureFixture[str]) -> None:
        write(2)
        call_command("verify_audit")
        end = read_end()
        output = capsys.readouterr()
        assert output.out == f"2:{end.digest.hex()}\n"
        call_command("verify_audit", noted=output.out.strip())

    def test_it_names_the_first_entry_that_was_changed(self) -> None:
        write(3)
        chain_entries()
        with without_triggers():
            change(2)
        with pytest.raises(CommandError, match="Number 2 was changed"):
            call_command("verify_audit")

    def test_it_refuses_a_noted_place_that_is_none(self) -> None:
        with pytest.raises(CommandError, match="--noted must be"):
            call_command("verify_audit", noted="seven")


class TestActor:
    def test_a_person_is_named_as_text(self, alice: User) -> None:
        record_audit(alice, Action.PERSON_UPDATE, alice)
        entry = AuditEntry.objects.get()
        assert (entry.actor_kind, entry.actor_id, entry.actor_name) == ("person", alice.pk, "alice")
        assert (entry.object_type, entry.object_id, entry.object_name) == ("person", str(alice.pk), "alice")
        alice.delete()
        assert AuditEntry.objects.get().actor_name == "alice"

    def test_the_console_itself_has_no_name(self) -> None:
        write()
        assert AuditEntry.objects.get().actor_kind == "system"
