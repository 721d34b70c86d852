"""Making, mailing and revoking client links, and what ends them."""

import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core import mail
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.db.models.functions import Now
from procrastinate.contrib.django.models import ProcrastinateJob

from tests.teams import join, team_of
from tests.tokens.conftest import new_connection
from tests.tokens.connect.links.visiting import new_link
from tokens.connect import links
from tokens.connect.disconnect import disconnect_connection
from tokens.connect.forget import forget_login
from tokens.connect.links import (
    MAX_MAILS_A_DAY,
    find_link,
    mail_connect_link,
    make_connect_link,
    send_connect_link_again,
)
from tokens.connect.move import move_connection
from tokens.models import AuditEntry, Connection, ConnectLink, Team
from tokens.people.erase import erase_person
from tokens.people.roles import Role
from tokens.permissions import SYSTEM
from tokens.processes.pruning import prune_tokens_histories

pytestmark = pytest.mark.django_db

ADDRESS = "ads@copperleaf.example"


@pytest.fixture
def connection(mara: User, settings: LazySettings) -> Connection:
    return new_connection(mara, settings, "Atzr|x")


class TestMaking:
    def test_only_the_digest_of_the_token_is_stored(self, mara: User) -> None:
        link, path = new_link(mara, days=3, regions=["EU"])
        token = path.removeprefix("/c/").strip("/")
        assert len(token) == 43
        assert find_link(token) == link
        with database.cursor() as cursor:
            cursor.execute("SELECT row_to_json(tokens_connectlink)::text FROM tokens_connectlink")
            assert token not in str(cursor.fetchall())
        assert link.ends_at - link.created_at == timedelta(days=3)
        assert (link.owner, link.state, link.regions) == (mara, "open", ["EU"])
        entry = AuditEntry.objects.get(action="connect_link.make")
        assert (entry.object_id, entry.team_id, entry.object_name) == (str(link.pk), link.team_id, "")
        assert token not in str(vars(entry))

    def test_it_works_for_seven_days_in_all_regions_if_nothing_is_said(self, mara: User) -> None:
        link, _ = new_link(mara)
        assert link.ends_at - link.created_at == timedelta(days=7)
        assert link.regions == ["NA", "EU", "FE"]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("days", 0),
            ("days", 31),
            ("days", True),
            ("label", ""),
            ("label", "a\nb"),
            ("label", "Atzr|IwEBIexampleexampleexample"),
            ("regions", ["XX"]),
            ("language", "xx"),
            ("email", "ads@copperleaf.example\nBcc: all@example.com"),
            ("email", "\nads@copperleaf.example"),
            ("email", "ads@copperleaf.example\r\n"),
            ("email", "a@example.com, b@example.com"),
            ("email", "nobody"),
            ("email", f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.example"),
            ("email", 7),
        ],
    )
    def test_what_makes_no_sense_is_refused_by_its_name(self, mara: User, field: str, value: Any) -> None:
        with pytest.raises(ValidationError) as refused:
            make_connect_link(mara, team_of(mara), **{"label": "Copperleaf", field: value})
        assert list(refused.value.message_dict) == [field]
        assert not ConnectLink.objects.exists()

    def test_a_connection_of_another_team_is_not_renewed(self, mara: User, connection: Connection) -> None:
        north = join(mara, "North", Role.OPERATOR)
        with pytest.raises(ValidationError, match="a connection of the team “North”"):
            make_connect_link(User.objects.get(pk=mara.pk), north, label="x", connection=connection)

    @pytest.mark.parametrize("person", ["operator", "system"])
    def test_a_connection_that_has_moved_meanwhile_is_not_renewed(
        self, mara: User, connection: Connection, person: str
    ) -> None:
        seen = Connection.objects.get(pk=connection.pk)
        move_connection(SYSTEM, connection, Team.objects.create(name="North"))
        with pytest.raises((ValidationError, PermissionDenied)):
            new_link(mara if person == "operator" else SYSTEM, seen, team_of(mara), owner=mara)
        assert not ConnectLink.objects.exists()

    def test_a_thousand_links_for_one_address_are_stopped_with_a_reason(self, mara: User) -> None:
        for _ in range(MAX_MAILS_A_DAY):
            make_connect_link(mara, team_of(mara), label="x", email=ADDRESS)
        with pytest.raises(
            ValidationError, match="20 links were made for this address within a day"
        ) as refused:
            make_connect_link(mara, team_of(mara), label="x", email=ADDRESS.upper())
        assert list(refused.value.message_dict) == ["email"]
        # Revoking them lets nobody send more.
        ConnectLink.objects.all().revoke()
        with pytest.raises(ValidationError):
            make_connect_link(mara, team_of(mara), label="x", email=ADDRESS)
        make_connect_link(mara, team_of(mara), label="x", email="other@copperleaf.example")
        ConnectLink.objects.update(created_at=Now() - timedelta(hours=25))
        make_connect_link(mara, team_of(mara), label="x", email=ADDRESS)

    def test_a_team_has_no_end_of_open_links(self, mara: User, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(links, "MAX_OPEN", 2)
        for _ in range(2):
            new_link(mara)
        with pytest.raises(ValidationError, match="has 2 open links"):
            new_link(mara)


class TestSendingAgain:
    def test_a_new_link_like_it_is_mailed_and_the_old_one_ends(
        self, mara: User, connection: Connection
    ) -> None:
        link, _ = make_connect_link(
            mara,
            team_of(mara),
            label="Copperleaf",
            email=ADDRESS,
            days=12,
            language="fr",
            connection=connection,
        )
        made = send_connect_link_again(mara, link)
        link.refresh_from_db()
        assert (str(link.state), str(made.state)) == ("revoked", "open")
        assert (made.email, made.language, made.label, made.connection) == (
            ADDRESS,
            "fr",
            "Copperleaf",
            connection,
        )
        assert made.ends_at - made.created_at == timedelta(days=12)
        job = ProcrastinateJob.objects.filter(task_name="tokens.mail_connect_link").order_by("-id")[0]
        assert job.args == {"link_id": str(made.pk)}
        entry = AuditEntry.objects.get(object_id=str(made.pk))
        assert entry.after is not None
        assert entry.after["instead_of"] == str(link.pk)

    def test_only_a_mailed_and_unused_link_and_not_without_end(self, mara: User) -> None:
        shown, _ = new_link(mara)
        with pytest.raises(ValidationError, match="Only a link that was mailed"):
            send_connect_link_again(mara, shown)
        link, _ = make_connect_link(mara, team_of(mara), label="x", email=ADDRESS)
        for _ in range(MAX_MAILS_A_DAY - 1):
            link = send_connect_link_again(mara, link)
        with pytest.raises(ValidationError, match="within a day"):
            send_connect_link_again(mara, link)
        link.refresh_from_db()
        assert str(link.state) == "open"


@pytest.mark.django_db(transaction=True)
class TestMail:
    def send(self, mara: User, settings: LazySettings, **fields: Any) -> ConnectLink:
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
        settings.PUBLIC_URL = "https://ads.example.com"
        link, address = make_connect_link(
            mara, team_of(mara), **{"label": "Copperleaf", "email": ADDRESS, **fields}
        )
        assert (address, link.digest) == (None, None)
        [job] = ProcrastinateJob.objects.filter(task_name="tokens.mail_connect_link")
        assert job.args == {"link_id": str(link.pk)}
        mail_connect_link(str(link.pk))
        link.refresh_from_db()
        return link

    def test_the_token_is_made_when_the_mail_is_sent(self, mara: User, settings: LazySettings) -> None:
        link = self.send(mara, settings)
        [message] = mail.outbox
        assert message.to == [ADDRESS]
        assert message.subject == "Team of alice asks for access to your Amazon Ads account"
        body = str(message.body)
        assert body.startswith(
            "Mara Reuter of Team of alice asks to look after the ad accounts of Copperleaf."
        )
        [token] = re.findall(r"https://ads\.example\.com/c/([\w-]{43})/\n", body)
        assert find_link(token) == link
        assert link.mailed_at is not None
        # A second mail ends the first link.
        mail_connect_link(str(link.pk))
        assert find_link(token) is None

    def test_a_label_cannot_turn_the_text_of_the_mail_around(
        self, mara: User, settings: LazySettings
    ) -> None:
        link, _ = make_connect_link(mara, team_of(mara), label="Copper\u202eleaf", email=ADDRESS)
        mail_connect_link(str(link.pk))
        [message] = mail.outbox
        assert "Copper\\u202eleaf" in str(message.body)

    def test_nothing_is_sent_for_a_link_that_has_ended(self, mara: User, settings: LazySettings) -> None:
        link = self.send(mara, settings)
        ConnectLink.objects.all().revoke()
        mail_connect_link(str(link.pk))
        assert len(mail.outbox) == 1

    def test_a_mail_server_that_refuses_is_tried_again(self, mara: User, settings: LazySettings) -> None:
        link, _ = make_connect_link(mara, team_of(mara), label="x", email=ADDRESS)
        settings.EMAIL_BACKEND = "amazon_accounts.outgoing.mail.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
        mail_connect_link(str(link.pk))
        again = ProcrastinateJob.objects.get(args__failures=1)
        assert again.args == {"link_id": str(link.pk), "failures": 1}
        link.refresh_from_db()
        assert link.mailed_at is None


class TestEnd:
    @pytest.mark.parametrize("how", ["moved", "disconnected"])
    def test_a_renewal_ends_when_its_connection_goes(
        self, mara: User, connection: Connection, how: str
    ) -> None:
        renewal, _ = new_link(mara, connection)
        other, _ = new_link(mara)
        if how == "moved":
            move_connection(SYSTEM, connection, Team.objects.create(name="North"))
        else:
            disconnect_connection(SYSTEM, connection)
        states = {each.pk: each.state for each in ConnectLink.objects.all()}
        assert states == {renewal.pk: "revoked", other.pk: "open"}

    def test_forgetting_a_login_erases_it_from_its_links(self, mara: User, connection: Connection) -> None:
        disconnect_connection(SYSTEM, connection)
        link, _ = new_link(mara, connection)
        ConnectLink.objects.update(email=ADDRESS, came_back_as="theo@personal.example")
        forget_login(SYSTEM, connection)
        link.refresh_from_db()
        assert (link.label, link.email, link.came_back_as) == ("Forgotten login", "", "")
        assert link.state == "revoked"

    def test_erasing_a_person_hands_their_links_over(self, mara: User) -> None:
        link, _ = new_link(mara)
        heir = User.objects.create_user("heir")
        join(heir, link.team.name, Role.OPERATOR)
        erase_person(SYSTEM, mara, heir=heir)
        link.refresh_from_db()
        assert (link.owner, link.state) == (heir, "open")

    def test_links_are_kept_for_90_days_after_their_end(self, mara: User) -> None:
        new_link(mara)
        ended, _ = new_link(mara)
        ConnectLink.objects.filter(pk=ended.pk).update(
            created_at=Now() - timedelta(days=98), ends_at=Now() - timedelta(days=91)
        )
        prune_tokens_histories()
        assert ConnectLink.objects.count() == 1


class TestCommand:
    def run(self, **options: Any) -> tuple[str, str]:
        out, err = StringIO(), StringIO()
        call_command("connect_link", stdout=out, stderr=err, **options)
        return out.getvalue(), err.getvalue()

    def test_it_prints_the_link_last(self, mara: User, settings: LazySettings) -> None:
        team = join(User.objects.create_user("boss", is_staff=True), "Team of alice", Role.ADMINISTRATOR)
        printed, said = self.run(team="team of ALICE", label="Copperleaf", days=2, regions="eu")
        [address] = printed.split()
        assert address.startswith(f"{settings.PUBLIC_URL}/c/")
        link = ConnectLink.objects.get()
        assert find_link(address.rstrip("/").rpartition("/")[2]) == link
        assert (link.team, link.owner.username, link.regions) == (team, "boss", ["EU"])
        assert "boss is responsible." in said

    def test_a_renewal_belongs_to_the_owner_of_its_connection(
        self, mara: User, connection: Connection
    ) -> None:
        self.run(team="Team of alice", label="Copperleaf", connection=connection.pk)
        link = ConnectLink.objects.get()
        assert (link.connection, link.owner) == (connection, mara)

    @pytest.mark.parametrize(
        ("options", "why"),
        [
            ({"team": "Nowhere"}, "There is no team 'Nowhere'"),
            ({"days": 31, "owner": "alice"}, "A link works for 1 to 30 days."),
            ({"owner": "nobody"}, "There is no active user 'nobody'."),
            ({}, "“Team of alice” has no administrator. Name the person responsible with --owner."),
            ({"regions": "XX", "owner": "alice"}, "Unknown region."),
            ({"connection": "0193c8a0-0000-7000-8000-000000000001"}, "There is no connection"),
        ],
    )
    def test_a_mistake_is_one_line(self, mara: User, options: dict[str, Any], why: str) -> None:
        with pytest.raises(CommandError, match=re.escape(why)):
            self.run(**{"team": "Team of alice", "label": "x", **options})
        assert not ConnectLink.objects.exists()
