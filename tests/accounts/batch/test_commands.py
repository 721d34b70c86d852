"""`manage.py batch`."""

import io
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.http import QueryDict

from accounts.lists.filters import filter_accounts
from accounts.lists.parameters import read_account_query
from accounts.models import Account, BatchOperation
from tests.accounts.conftest import AccountFactory, ConnectionFactory
from tests.sandbox_fixtures import SandboxServer
from tests.teams import team_of
from tokens.models import Connection
from tokens.permissions import SYSTEM

transactional = pytest.mark.django_db(transaction=True)


def output(*arguments: str, **options: Any) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue()


class TestBatch:
    @transactional
    def test_it_labels_what_a_filter_chooses(
        self, alice: User, bob: User, new_account: AccountFactory
    ) -> None:
        for user in (alice, bob):
            new_account(user, status="pending")
        new_account(alice)
        printed = output("batch", "update", "--filter", "?status=pending", "--labels", '{"team": "north"}')
        assert printed == "2 total, 0 waiting, 0 running, 2 succeeded, 0 failed, 0 skipped\n"
        assert Account.objects.filter(labels={"team": "north"}).count() == 2

    @transactional
    def test_it_acts_on_connections(self, alice: User, bob: User, new_connection: ConnectionFactory) -> None:
        acme, other = new_connection(alice, labels={"client": "acme"}), new_connection(alice)
        on = ("--on", "connections")
        printed = output("batch", "pause", *on, "--filter", "?labels=client:acme&ordering=-label")
        assert printed == "1 total, 0 waiting, 0 running, 1 succeeded, 0 failed, 0 skipped\n"
        assert list(Connection.objects.filter(paused=True)) == [acme]
        output("batch", "move", *on, "--filter", f"search={other.pk}", "--to", team_of(bob).name.upper())
        assert Connection.objects.get(team=team_of(bob)) == other
        for wrong, words in (
            (("move", *on, "--filter", "", "--to", "nowhere"), "There is no team 'nowhere'"),
            (("move", *on, "--filter", ""), "options: A move needs"),
            (("reconnect", *on, "--filter", ""), "operation: It must be one of: sync, refresh"),
            (("pause", *on, "--filter", "status=active"), "status"),
        ):
            with pytest.raises(CommandError, match=words):
                output("batch", *wrong)

    @transactional
    def test_a_filter_may_be_the_address_of_a_page(self, alice: User, new_account: AccountFactory) -> None:
        for _ in range(2):
            new_account(alice)
        query = "?status=active&ordering=-name&view=table&cursor=abc&page_size=1"
        assert output("batch", "disconnect", "--filter", query).startswith("2 total, 0 waiting")

    @transactional
    @pytest.mark.parametrize(
        "query",
        [
            "health_reason=suspended&health_reason=at_risk",
            "standing=suspended&standing=at_risk",
            "status=suspended&health=problem",
            "suspension_before=2036-12-31&health_reason=at_risk&standing=at_risk",
        ],
    )
    def test_it_filters_by_standing_and_by_what_is_wrong(
        self, alice: User, new_account: AccountFactory, query: str
    ) -> None:
        new_account(alice, standing="good")
        new_account(alice, status="suspended", standing="suspended")
        new_account(alice, standing="at_risk", suspension_at=datetime(2036, 12, 15, tzinfo=UTC))
        chosen = set(filter_accounts(SYSTEM, read_account_query(QueryDict(query))))
        assert 0 < len(chosen) < 3
        printed = output("batch", "update", "--filter", query, "--labels", '{"seen": "yes"}')
        assert printed.startswith(f"{len(chosen)} total, 0 waiting, 0 running, {len(chosen)} succeeded")
        assert set(Account.objects.filter(labels={"seen": "yes"})) == chosen

    @transactional
    def test_it_reads_ids_from_a_file(self, alice: User, new_account: AccountFactory, tmp_path: Path) -> None:
        chosen, _ = new_account(alice), new_account(alice)
        file = tmp_path / "ids"
        file.write_text(f"{chosen.pk}\n")
        counts = json.loads(output("batch", "disconnect", "--ids", str(file), "--json"))
        assert (counts["state"], counts["succeeded"]) == ("succeeded", 1)
        assert Account.objects.get(status="inactive") == chosen

    @transactional
    def test_it_reads_ids_from_standard_input(self, alice: User, new_account: AccountFactory) -> None:
        chosen, other, _ = (new_account(alice) for _ in range(3))
        stdin = io.StringIO(f"{chosen.pk}\n\n  {other.pk}  \n")
        counts = json.loads(output("batch", "disconnect", "--ids", "-", "--json", stdin=stdin))
        assert (counts["state"], counts["total"], counts["succeeded"]) == ("succeeded", 2, 2)
        assert set(Account.objects.filter(status="inactive")) == {chosen, other}

    @pytest.mark.parametrize(
        ("text", "words"),
        [("", "There must be 1 to 100,000 ids; there are 0"), ("x", "“x” is not the id of an account")],
    )
    def test_it_refuses_ids_from_standard_input_that_are_wrong(self, db: None, text: str, words: str) -> None:
        with pytest.raises(CommandError, match=words):
            output("batch", "disconnect", "--ids", "-", stdin=io.StringIO(text))
        assert not BatchOperation.objects.exists()

    def test_it_refuses_a_file_that_is_no_text(self, db: None, tmp_path: Path) -> None:
        file = tmp_path / "ids"
        file.write_bytes(b"\xff\xff")
        with pytest.raises(CommandError, match="is not text in UTF-8 or UTF-16"):
            output("batch", "disconnect", "--ids", str(file))

    @transactional
    def test_it_says_that_no_account_was_chosen(self, db: None) -> None:
        printed = output("batch", "disconnect", "--filter", "status=suspended")
        assert printed == "0 total, 0 waiting, 0 running, 0 succeeded, 0 failed, 0 skipped\n"

    @transactional
    def test_a_batch_that_fails_in_part_is_an_error(self, alice: User, new_account: AccountFactory) -> None:
        new_account(alice, labels={str(number): "" for number in range(64)})
        new_account(alice)
        with pytest.raises(CommandError, match=r"1 of 2 failed\. It would have more than 64 labels\."):
            output("batch", "update", "--filter", "", "--labels", '{"one more": ""}')
        assert Account.objects.filter(labels={"one more": ""}).count() == 1

    def calls(self, server: SandboxServer) -> Counter[str]:
        """What the API was asked, how often; not Login with Amazon, which the first sync alone needs."""
        return Counter(
            f"{entry.method} {entry.path} {entry.region} {entry.query} {entry.status}"
            for entry in server.sandbox.journal.entries()
            if not entry.path.startswith("/auth")
        )

    @transactional
    def test_it_makes_the_same_calls_as_one_sync(
        self, sandbox_server: SandboxServer, alice: User, settings: Any
    ) -> None:
        settings.AMAZON_REQUESTS_PER_SECOND = settings.AMAZON_MAX_REQUESTS_PER_SECOND = 1_000.0
        connection = Connection.objects.create(
            team=team_of(alice), owner=alice, label="Garden", client_id=settings.AMAZON_CLIENT_ID,
            refresh_token=sandbox_server.sandbox.refresh_token("alice"),
        )  # fmt: skip
        call_command("sync_accounts", stdout=io.StringIO(), stderr=io.StringIO())
        accounts = Account.objects.count()
        asked = self.calls(sandbox_server)
        counts = json.loads(output("batch", "sync", "--filter", "", "--json"))
        assert counts["succeeded"] == counts["total"] == accounts > 5
        # Good answers of Amazon's billing are not asked for again.
        billing = {call: number for call, number in asked.items() if " /billing/" in call}
        assert len(billing) > 2
        assert self.calls(sandbox_server) == asked + asked - Counter(billing)
        assert asked.total() > 2
        connection.refresh_from_db()
        assert connection.sync_failures == 0

    @transactional
    def test_it_says_since_and_until_when_it_waits_for_amazon_and_why(
        self,
        sandbox_server: SandboxServer,
        alice: User,
        new_account: AccountFactory,
        new_connection: ConnectionFactory,
        settings: Any,
    ) -> None:
        settings.AMAZON_REQUESTS_PER_SECOND = settings.AMAZON_MAX_REQUESTS_PER_SECOND = 1_000.0
        sandbox = sandbox_server.sandbox
        new_account(
            alice,
            connection=new_connection(
                alice, refresh_token=sandbox.refresh_token("alice"), access_token=None, expires_at=None
            ),
        )
        sandbox.faults.add("throttle", path="/managerAccounts", region="FE", seconds=100, retry_after="100")
        words = r"wait since \d\d:\d\d UTC, until \d\d:\d\d UTC\. Amazon asked this login to wait until .+ A worker goes on by itself"
        with pytest.raises(CommandError, match=words):
            output("batch", "sync", "--filter", "")

    @transactional
    def test_it_says_what_failed(self, alice: User, new_account: AccountFactory) -> None:
        account = new_account(alice)
        Connection.objects.update(state="reauthorization_required")
        with pytest.raises(CommandError, match=r"1 of 1 failed\. Amazon refuses this login"):
            output("batch", "sync", "--filter", f"connection={account.connection_id}")

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["delete", "--filter", ""], "operation: It must be one of: sync"),
            (["sync", "--filter", "colour=red"], "filter.colour: There is no such parameter"),
            (["sync", "--filter", "status=on"], "filter.status: “on” is not one of"),
            (["sync", "--filter", "connection=019ac0de-0000-7000-8000-000000000000"], "no such connection"),
            (["sync", "--ids", "/nowhere/at/all"], "/nowhere/at/all cannot be read"),
            (["update", "--filter", "", "--labels", "{"], "--labels: It is not valid JSON"),
            (["update", "--filter", "", "--labels", "[]"], "options.labels"),
            (["update", "--filter", ""], "options: An update needs"),
            (["sync"], "one of the arguments --ids --filter is required"),
        ],
    )
    def test_it_refuses(self, db: None, arguments: list[str], words: str) -> None:
        with pytest.raises(CommandError, match=words):
            output("batch", *arguments)
        assert not BatchOperation.objects.exists()
