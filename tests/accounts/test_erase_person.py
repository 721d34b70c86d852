"""Erasing a person erases the names in every table, ends the access, and keeps the history."""

import io
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import IntegrityError, models, transaction
from django.db import connection as database
from django.test import Client
from django.utils import timezone

from accounts.batch import start_batch
from accounts.models import Account, AccountChange, BatchOperation, Note, SyncRun
from accounts.models.changes import change_in_the_name_of
from tests.accounts.conftest import AccountFactory, ConnectionFactory
from tests.api_keys import new_key
from tests.teams import join
from tests.traces import find_tables_with
from tokens.connect.disconnect import disconnect_connection
from tokens.models import (
    Alert,
    AlertTimes,
    ApiKey,
    AuthorizationAttempt,
    ChosenTeam,
    Connection,
    ConnectLink,
    ErasedPerson,
    Invitation,
    Membership,
    MutedAlertKind,
    SavedView,
    Session,
    WaitingAlert,
)
from tokens.people.erase import (
    BELONGINGS,
    ErasureRefusedError,
    StillOwnsError,
    count_belongings,
    erase_person,
    has_history,
)
from tokens.people.roles import Role
from tokens.people.visits import record_visit
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db

# Each has one of these pieces.
TRACES = ["quagga", "zebulon", "192.0.2.77"]


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root", "root@example.test")


@pytest.fixture
def quagga() -> User:
    """A person with everything that may name or belong to them."""
    user = User.objects.create_user(
        "quagga", "quagga@example.test", first_name="Zebulon", last_name="Quagga", is_staff=True
    )
    User.objects.filter(pk=user.pk).update(password="hash$quagga", last_login=timezone.now())
    # As the migration calls the team of an owner, when another team has the name of the owner.
    join(user, "Zebulon Quagga (2)", Role.OPERATOR)
    team = join(user, "quagga", Role.OPERATOR)
    EmailAddress.objects.create(user=user, email="zebulon@example.test")
    SocialAccount.objects.create(user=user, provider="https://idp.example", uid="zebulon-at-idp")
    new_key(user)
    ChosenTeam.objects.create(user=user, team=team)
    SavedView.objects.create(user=user, name="Zebulon's accounts")
    record_visit(user)
    AuthorizationAttempt.objects.create(user=user, state_digest="a" * 64, label="Zebulon's shop")
    Session.objects.create(
        key_digest="c" * 64, data="", user=user, address="192.0.2.77", user_agent="Quagga/1.0"
    )
    MutedAlertKind.objects.create(user=user, kind=Alert.Kind.CONNECTION_HEALED)
    AlertTimes.objects.create(user=user, zone="Europe/Berlin")
    alert = Alert.objects.create(kind=Alert.Kind.APPLICATION_REFUSED, key="waits", text="Amazon refuses us.")
    WaitingAlert.objects.create(user=user, alert=alert)
    Authenticator.objects.create(user=user, type="webauthn", data={"name": "Zebulon's key"})
    log = {"user": user, "action_flag": CHANGE, "object_id": str(user.pk), "change_message": ""}
    users = ContentType.objects.get_for_model(User)
    LogEntry.objects.create(**log, content_type=users, object_repr="quagga")
    LogEntry.objects.create(**log, content_type=users, object_repr="zebulon-as-he-was-called")
    for model in (ApiKey, Authenticator):
        for name in ("quagga", "zebulon-as-he-was-called"):
            LogEntry.objects.create(
                user=user,
                action_flag=DELETION,
                object_id="1",
                object_repr=f"abc… of {name}",
                content_type=ContentType.objects.get_for_model(model),
            )
    Alert.objects.create(
        kind="application_refused",
        key="application_refused:1",
        text="Refused.",
        error="The mail server did not take it ({'Quagga@example.test': (550, b'unknown')}).",
    )
    return User.objects.get(pk=user.pk)


@pytest.fixture
def ended(quagga: User, new_account: AccountFactory, new_connection: ConnectionFactory) -> Account:
    """An account of a connection that has ended, with a history in which the person acted."""
    account = new_account(quagga, connection=new_connection(quagga))
    start_batch(quagga, "update", account_ids=[account.pk], options={"labels": {"team": "north"}})
    SyncRun.objects.create(connection=account.connection, trigger="manual", requested_by=quagga)
    change_in_the_name_of(quagga.pk)
    Account.objects.filter(pk=account.pk).update(countries=["DE"])
    disconnect_connection(SYSTEM, account.connection)
    Connection.objects.update(disconnected_by=quagga)
    return account


class TestErasure:
    @pytest.mark.usefixtures("ended")
    def test_nothing_but_the_audit_trail_names_the_person(self, quagga: User, root: User) -> None:
        assert all(find_tables_with(trace) for trace in TRACES)
        assert erase_person(root, quagga)
        named = {table for trace in TRACES for table in find_tables_with(trace)}
        assert named <= {"tokens_auditentry"}

    def test_everything_that_belongs_to_the_person_is_deleted(self, quagga: User, root: User) -> None:
        assert all(count_belongings(quagga).values()), "the fixture has one of each"
        erase_person(root, quagga)
        assert not any(count_belongings(quagga).values())

    def test_all_rights_end(self, quagga: User, root: User) -> None:
        User.objects.filter(pk=quagga.pk).update(is_superuser=True)
        erase_person(root, quagga)
        rights = User.objects.filter(pk=quagga.pk).values_list("is_active", "is_staff", "is_superuser")
        assert rights.get() == (False, False, False)
        assert not Membership.objects.filter(user=quagga).exists()
        assert not quagga.has_usable_password()
        assert quagga.last_login is None

    def test_the_access_of_somebody_who_is_inactive_already_ends_too(self, quagga: User, root: User) -> None:
        User.objects.filter(pk=quagga.pk).update(is_active=False, is_staff=False)
        new_key(quagga)
        Session.objects.create(key_digest="b" * 64, data="", user=quagga)
        erase_person(root, quagga)
        assert not any(count_belongings(quagga).values())

    def test_the_history_stays_under_the_neutral_name(self, quagga: User, root: User, ended: Account) -> None:
        erase_person(root, quagga)
        name = f"erased-{quagga.pk}"
        assert User.objects.get(pk=quagga.pk).username == name
        assert BatchOperation.objects.get().user == quagga
        assert SyncRun.objects.get().requested_by == quagga
        assert AccountChange.objects.filter(changed_by=quagga).exists()
        assert Connection.objects.get().disconnected_by == quagga
        assert LogEntry.objects.filter(user=quagga).count() == 6
        assert set(LogEntry.objects.values_list("object_repr", flat=True)) == {name, f"abc… of {name}"}
        assert Alert.objects.undelivered().exists()

    def test_the_neutral_name_is_free(self, quagga: User, root: User) -> None:
        taken = User.objects.create_user(f"erased-{quagga.pk}")
        erase_person(root, quagga)
        assert quagga.username.startswith("erased-")
        assert quagga.username != taken.username

    def test_another_person_keeps_everything(self, quagga: User, root: User, alice: User) -> None:
        new_key(alice)
        kind = ContentType.objects.get_for_model(ApiKey)
        # The name is an earlier one of the erased person.
        User.objects.create_user("zebulon-as-he-was-called")
        erase_person(root, quagga)
        assert ApiKey.objects.filter(user=alice).exists()
        alice.refresh_from_db()
        assert alice.email == "alice@example.test"
        assert Membership.objects.filter(user=alice).exists()
        kept = LogEntry.objects.filter(content_type=kind, object_repr="abc… of zebulon-as-he-was-called")
        assert kept.exists()

    def test_who_did_it_and_when_is_kept(self, quagga: User, root: User) -> None:
        erase_person(root, quagga)
        assert ErasedPerson.objects.get().erased_by == root
        assert timezone.now() - ErasedPerson.objects.get().erased_at < timedelta(hours=1)

    def test_one_line_is_logged_without_a_name(
        self, quagga: User, root: User, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO):
            erase_person(root, quagga)
        text = f"Person {quagga.pk} was erased by user {root.pk}."
        assert [record.getMessage() for record in caplog.records if "erased" in record.getMessage()] == [text]
        assert not any(trace in caplog.text.lower() for trace in (*TRACES, "root@"))

    def test_a_second_erasure_changes_nothing(self, quagga: User, root: User) -> None:
        assert erase_person(root, quagga)
        erased_at = ErasedPerson.objects.get().erased_at
        assert not erase_person(SYSTEM, quagga)
        assert ErasedPerson.objects.get().erased_at == erased_at

    @pytest.mark.parametrize(
        "change", [{"email": "zebulon@example.test"}, {"is_active": True}, {"username": "quagga"}]
    )
    def test_nothing_that_is_under_way_writes_the_names_again(
        self, quagga: User, root: User, change: dict[str, Any]
    ) -> None:
        erase_person(root, quagga)
        with pytest.raises(IntegrityError, match="was erased"), transaction.atomic():
            User.objects.filter(pk=quagga.pk).update(**change)


class TestRefusals:
    @pytest.mark.parametrize("role", [Role.OPERATOR, Role.ADMINISTRATOR])
    def test_only_superusers_erase(self, quagga: User, role: Role) -> None:
        user = User.objects.create_user("adam", is_staff=True)
        join(user, "quagga", role)
        user.user_permissions.set(Permission.objects.all())
        with pytest.raises(PermissionDenied):
            erase_person(user, quagga)
        assert User.objects.filter(username="quagga").exists()

    @pytest.mark.parametrize("lost", ["is_superuser", "is_active"])
    def test_a_superuser_who_has_just_lost_it_does_not_erase(
        self, quagga: User, root: User, lost: str
    ) -> None:
        User.objects.filter(pk=root.pk).update(**{lost: False})
        with pytest.raises(PermissionDenied):
            erase_person(root, quagga)

    def test_nobody_erases_themselves(self, root: User) -> None:
        User.objects.create_superuser("another")
        with pytest.raises(ErasureRefusedError, match="Nobody erases themselves"):
            erase_person(root, root)

    def test_the_last_active_superuser_is_not_erased(self, root: User) -> None:
        User.objects.create_superuser("inactive", is_active=False)
        with pytest.raises(ErasureRefusedError, match="last active superuser"):
            erase_person(SYSTEM, root)
        User.objects.create_superuser("another")
        assert erase_person(SYSTEM, root)

    @pytest.mark.parametrize("state", ["active", "reauthorization_required"])
    def test_an_owner_of_connections_that_have_not_ended_is_not_erased(
        self, quagga: User, root: User, new_connection: ConnectionFactory, state: str
    ) -> None:
        new_connection(quagga, label="Garden shop", state=state)
        with pytest.raises(StillOwnsError, match=r"“Garden shop”\. Disconnect them, or hand them over"):
            erase_person(root, quagga)
        assert User.objects.filter(username="quagga").exists()
        assert ApiKey.objects.filter(user=quagga).exists()

    def test_many_connections_are_not_all_named(
        self, quagga: User, root: User, new_connection: ConnectionFactory
    ) -> None:
        for number in range(12):
            new_connection(quagga, label=f"Shop {number:02}")
        with pytest.raises(StillOwnsError, match="“Shop 09” and 2 more"):
            erase_person(root, quagga)


@pytest.mark.django_db(transaction=True)
def test_of_two_superusers_who_erase_each_other_one_stays(root: User) -> None:
    another = User.objects.create_superuser("another")

    def erase() -> None:
        try:
            erase_person(another, root)
        finally:
            database.close()

    with ThreadPoolExecutor() as pool:
        with transaction.atomic():
            erase_person(root, another)
            late = pool.submit(erase)
            with pytest.raises(TimeoutError):
                late.result(timeout=1)
        with pytest.raises(PermissionDenied):
            late.result(timeout=30)
    assert User.objects.filter(username="root", is_active=True).exists()


class TestHistory:
    @pytest.mark.parametrize("number", range(4))
    def test_whoever_did_something_has_a_history(self, ended: Account, quagga: User, number: int) -> None:
        models_with_history: list[type[models.Model]] = [
            SyncRun, BatchOperation, AccountChange, LogEntry,
        ]  # fmt: skip
        somebody = User.objects.create_user("somebody")
        assert not has_history(somebody)
        model = models_with_history[number]
        field = next(field for field in model._meta.fields if field.related_model is User)
        row = model._default_manager.filter(**{f"{field.name}__isnull": False}).first()
        assert row is not None
        model._default_manager.filter(pk=row.pk).update(**{field.name: somebody})
        assert has_history(somebody)

    def test_belongings_are_no_history(self, quagga: User) -> None:
        LogEntry.objects.all().delete()
        assert not has_history(quagga)

    def test_each_relation_to_a_user_is_known(self) -> None:
        """A new one: does it belong to the person alone, or is it history? What names people in it?"""
        related = {
            relation.related_model
            for relation in User._meta.get_fields(include_hidden=True)
            if isinstance(relation, models.ManyToOneRel) and not relation.related_model._meta.auto_created
        }
        assert related == {
            *BELONGINGS.values(),
            *(Account, AccountChange, BatchOperation, Connection, ConnectLink, ErasedPerson),
            *(Invitation, LogEntry, Note, SyncRun),
        }  # fmt: skip


class TestCommand:
    def run(self, *arguments: str) -> str:
        out = io.StringIO()
        call_command("erase_person", *arguments, stdout=out)
        return out.getvalue()

    def test_it_shows_first_and_erases_with_yes(self, quagga: User) -> None:
        shown = self.run("quagga")
        assert "quagga (Zebulon Quagga) would be erased" in shown
        assert "session: 1" in shown
        assert "API key: 1" in shown
        assert "Nothing was changed" in shown
        assert User.objects.filter(username="quagga").exists()
        assert f"is called erased-{quagga.pk} now" in self.run("quagga", "--yes")
        assert find_tables_with("quagga") == []

    def test_a_second_time_it_says_so(self, quagga: User) -> None:
        self.run("quagga", "--yes")
        with pytest.raises(CommandError, match=r"no user “quagga”.*begins with “erased-”"):
            self.run("quagga", "--yes")
        assert "erased before" in self.run(f"erased-{quagga.pk}", "--yes")
        assert "erased before" in self.run(f"erased-{quagga.pk}")

    @pytest.mark.parametrize("more", [[], ["--yes"]])
    def test_it_refuses_in_one_line(
        self, quagga: User, root: User, new_connection: ConnectionFactory, more: list[str]
    ) -> None:
        new_connection(quagga, label="Garden shop")
        with pytest.raises(CommandError, match=r"“Garden shop”.*--hand-over-to USERNAME"):
            self.run("quagga", *more)
        with pytest.raises(CommandError, match="last active superuser"):
            self.run("root", *more)
        with pytest.raises(CommandError, match="There is no user “nobody”"):
            self.run("quagga", "--hand-over-to", "nobody", *more)

    def test_it_hands_over(self, quagga: User, alice: User, new_connection: ConnectionFactory) -> None:
        connection = new_connection(quagga)
        with pytest.raises(CommandError, match="alice is no member of the team"):
            self.run("quagga", "--hand-over-to", "alice")
        join(alice, connection.team.name, Role.VIEWER)
        shown = self.run("quagga", "--hand-over-to", "alice")
        assert (
            "Handed over to alice, who becomes responsible for all connections, 1 of them connected" in shown
        )
        assert Connection.objects.get().owner == quagga
        self.run("quagga", "--hand-over-to", "alice", "--yes")
        connection.refresh_from_db()
        assert connection.owner == alice


def test_the_cookie_of_an_erased_person_opens_nothing(quagga: User, root: User) -> None:
    browser = Client()
    browser.force_login(quagga)
    assert browser.get("/auth/sessions/").status_code == 200
    erase_person(root, quagga)
    assert browser.get("/auth/sessions/").status_code == 302
