"""The filter by team of the lists: who is offered it, what follows it, and how long it is remembered."""

import re
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.test import Client

from accounts.batch import start_batch
from accounts.models import AccountChange, BatchOperation, SyncRun
from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection, squeeze
from tests.teams import join, team_of
from tokens.models import ChosenTeam, Team, TokenRefresh
from tokens.people.audit import Action, record_audit
from tokens.people.roles import Role

LISTS = ("/", "/accounts/", "/connections/", "/operations/", "/activity/", "/audit/")


@pytest.fixture
def teams(
    administrator: User, alice: User, bob: User, make_connection: MakeConnection, make_account: MakeAccount
) -> tuple[Team, Team]:
    """The teams of alice and of bob, with a login, an account and an operation each; ada administers both."""
    for person, name in ((alice, "Apple"), (bob, "Banana")):
        connection = make_connection(person, f"{name} login")
        account = make_account(connection, f"{name} account")
        start_batch(
            person,
            BatchOperation.Operation.UPDATE,
            account_ids=[str(account.pk)],
            options={"labels": {"a": "b"}},
        )
    return team_of(alice), team_of(bob)


@pytest.fixture
def ada(administrator: User, teams: tuple[Team, Team], log_in: LogIn) -> Client:
    return log_in(administrator)


def read(client: Client, address: str, **headers: str) -> str:
    caches["process"].clear()
    answer = client.get(address, follow=True, headers=headers)
    assert answer.status_code == 200
    return squeeze(answer.content.decode())


@pytest.mark.parametrize("address", LISTS)
def test_who_sees_several_teams_may_choose_one(ada: Client, teams: tuple[Team, Team], address: str) -> None:
    page = read(ada, address)
    assert "Team: <b>" in page or "Team:<b>" in page
    for team in teams:
        assert f"team={team.pk}" in page


@pytest.mark.parametrize("address", LISTS)
def test_who_sees_one_team_is_offered_no_choice(
    alice: User, teams: tuple[Team, Team], log_in: LogIn, address: str
) -> None:
    join(alice, teams[0].name, Role.ADMINISTRATOR)
    page = read(log_in(alice), address)
    assert "team-menu" not in page


def test_a_superuser_chooses_among_all_teams(
    superuser: User, teams: tuple[Team, Team], log_in: LogIn
) -> None:
    page = read(log_in(superuser), "/accounts/")
    assert all(f"team={team.pk}" in page for team in (*teams, Team.objects.get(name="Main")))


@pytest.mark.parametrize("address", [each for each in LISTS if each != "/audit/"])
def test_a_chosen_team_leaves_out_the_rows_of_others(
    ada: Client, teams: tuple[Team, Team], address: str
) -> None:
    page = read(ada, f"{address}?team={teams[0].pk}")
    assert "Show all teams" in page
    assert f"Only<b><bdi>{teams[0]}" in page
    if address not in {"/", "/operations/"}:
        assert "Apple" in page
    assert "Banana" not in page


def test_operations_of_a_chosen_team_are_listed(
    ada: Client, teams: tuple[Team, Team], administrator: User
) -> None:
    both = BatchOperation.objects.create(
        user=administrator, operation="sync", total=2, team_ids=[team.pk for team in teams]
    )
    of_bob = BatchOperation.objects.get(team_ids=[teams[1].pk])
    page = read(ada, f"/operations/?team={teams[0].pk}")
    assert f"/operations/{both.pk}/" in page
    assert f"/operations/{of_bob.pk}/" not in page
    assert "<bdi>Team of alice, Team of bob</bdi>" in page


@pytest.mark.parametrize("kind", ["sync", "refresh", "change", "batch"])
def test_the_history_shows_events_of_the_chosen_team(
    ada: Client, teams: tuple[Team, Team], kind: str
) -> None:
    for team in teams:
        connection = team.connections.get()
        SyncRun.objects.create(connection=connection, trigger="manual")
        TokenRefresh.objects.create(connection=connection, grant_version=1, trigger="manual")
        AccountChange.objects.create(account=connection.accounts.get(), kind="name", old="a", new="b")
    numbers = [
        read(ada, f"/activity/?kind={kind}&team={team}").count("data-item>")
        for team in ("", teams[0].pk, teams[1].pk)
    ]
    assert numbers[0] == numbers[1] + numbers[2]
    assert numbers[1] == numbers[2] > 0


def test_entries_of_a_chosen_team_are_listed(ada: Client, teams: tuple[Team, Team], alice: User) -> None:
    record_audit(alice, Action.TEAM_RENAME, teams[1], before={"name": "a"}, after={"name": "b"})
    assert "Renamed a team<details>" in read(ada, "/audit/")
    assert "Renamed a team<details>" not in read(ada, f"/audit/?team={teams[0].pk}")


def test_the_figures_of_the_overview_follow(
    ada: Client,
    alice: User,
    teams: tuple[Team, Team],
    make_account: MakeAccount,
    make_connection: MakeConnection,
) -> None:
    make_account(make_connection(alice, "Cherry"), "Cherry account")
    assert "<small>of 3</small>" in read(ada, "/?team=")
    assert "<small>of 2</small>" in read(ada, f"/?team={teams[0].pk}")
    assert "<small>of 1</small>" in read(ada, f"/?team={teams[1].pk}")


def test_the_badge_of_the_menu_follows(
    ada: Client, alice: User, teams: tuple[Team, Team], make_connection: MakeConnection
) -> None:
    make_connection(alice, "Cherry", state="reauthorization_required")
    badge = re.compile(r'>Connections</span><span class="[^"]*">1<')
    assert badge.search(read(ada, f"/audit/?team={teams[0].pk}"))
    assert not badge.search(read(ada, f"/audit/?team={teams[1].pk}"))


def test_the_choice_is_remembered_for_other_pages_and_sessions(
    ada: Client, administrator: User, teams: tuple[Team, Team], log_in: LogIn
) -> None:
    read(ada, f"/connections/?team={teams[0].pk}")
    ada.post("/auth/logout/")
    page = read(log_in(administrator), "/accounts/")
    assert "Apple account" in page
    assert "Banana" not in page


def test_the_choice_of_one_person_is_not_that_of_another(
    ada: Client, superuser: User, teams: tuple[Team, Team], log_in: LogIn
) -> None:
    read(ada, f"/connections/?team={teams[0].pk}")
    assert "Banana" in read(log_in(superuser), "/connections/")


@pytest.mark.parametrize("address", LISTS)
def test_all_teams_forgets_the_choice(
    ada: Client, administrator: User, teams: tuple[Team, Team], address: str
) -> None:
    read(ada, f"/connections/?team={teams[0].pk}")
    assert "Show all teams" not in read(ada, f"{address}?team=")
    assert not ChosenTeam.objects.exists()
    assert "Banana" in read(ada, "/accounts/")


def test_a_team_in_the_address_wins_and_is_remembered(ada: Client, teams: tuple[Team, Team]) -> None:
    read(ada, f"/connections/?team={teams[0].pk}")
    assert "Banana account" in read(ada, f"/accounts/?team={teams[1].pk}")
    assert ChosenTeam.objects.get().team == teams[1]


def test_a_page_that_updates_itself_does_not_change_the_choice(ada: Client, teams: tuple[Team, Team]) -> None:
    read(ada, f"/connections/?team={teams[0].pk}")
    page = read(ada, f"/connections/?team={teams[1].pk}", **{"HX-Request": "true"})
    assert "Banana login" in page
    assert ChosenTeam.objects.get().team == teams[0]


def test_a_remembered_team_that_the_person_left_is_ignored(
    ada: Client, administrator: User, superuser: User, teams: tuple[Team, Team]
) -> None:
    read(ada, f"/connections/?team={teams[0].pk}")
    administrator.memberships.get(team=teams[0]).delete()
    page = read(ada, "/connections/")
    assert "Banana login" in page
    assert "Apple" not in page
    assert "Show all teams" not in page


@pytest.mark.parametrize("address", [*LISTS, "/audit/entries.csv"])
def test_a_team_of_others_is_not_found_and_is_not_remembered(ada: Client, address: str) -> None:
    secret = Team.objects.create(name="Secret")
    for team_id in (secret.pk, uuid4()):
        answer = ada.get(f"{address}?team={team_id}", follow=True)
        assert answer.status_code == 404
        assert "Secret" not in answer.content.decode()
    assert not ChosenTeam.objects.exists()


@pytest.mark.parametrize("address", [each for each in LISTS if each != "/audit/"])
def test_who_sees_one_team_finds_that_team_alone(
    alice: User, teams: tuple[Team, Team], log_in: LogIn, address: str
) -> None:
    client = log_in(alice)
    assert client.get(f"{address}?team={teams[0].pk}").status_code == 200
    assert client.get(f"{address}?team={teams[1].pk}").status_code == 404


def test_one_of_several_teams_that_the_person_does_not_see_is_not_found(
    ada: Client, teams: tuple[Team, Team]
) -> None:
    secret = Team.objects.create(name="Secret")
    query = f"team={teams[0].pk}&team={secret.pk}"
    for address in ("/accounts/", "/connections/"):
        assert ada.get(f"{address}?{query}").status_code == 404
    form = {"operation": "sync", "all": "1", "query": query, "confirm": "1", "key": "k"}
    assert ada.post("/operations/", form).status_code == 404


@pytest.mark.parametrize("address", ["/accounts/", "/activity/"])
def test_a_connection_of_another_team_is_not_found(
    alice: User, teams: tuple[Team, Team], log_in: LogIn, address: str
) -> None:
    client = log_in(alice)
    for team, status in ((teams[0], 200), (teams[1], 404)):
        connection = team.connections.get()
        assert client.get(f"{address}?connection={connection.pk}").status_code == status


def test_a_trail_that_the_person_may_not_read_is_not_found(
    ada: Client, administrator: User, teams: tuple[Team, Team]
) -> None:
    join(administrator, teams[1].name, Role.VIEWER)
    for address in ("/audit/", "/audit/entries.csv"):
        assert ada.get(f"{address}?team={teams[0].pk}").status_code == 200
        assert ada.get(f"{address}?team={teams[1].pk}").status_code == 404


@pytest.mark.parametrize("address", [each for each in LISTS if each != "/accounts/"])
def test_a_team_that_is_no_id_is_ignored(ada: Client, address: str) -> None:
    assert "Show all teams" not in read(ada, f"{address}?team=x")


def test_only_teams_whose_trail_the_person_reads_are_offered(
    ada: Client, administrator: User, teams: tuple[Team, Team]
) -> None:
    join(administrator, teams[1].name, Role.VIEWER)
    page = read(ada, "/audit/")
    assert f"team={teams[0].pk}" in page
    assert f"team={teams[1].pk}" not in page
    read(ada, f"/accounts/?team={teams[1].pk}")
    assert "Show all teams" not in read(ada, "/audit/")


def test_the_accounts_of_one_connection_are_shown_whatever_team_is_remembered(
    ada: Client, teams: tuple[Team, Team]
) -> None:
    read(ada, f"/connections/?team={teams[0].pk}")
    connection = teams[1].connections.get()
    assert "Banana account" in read(ada, f"/accounts/?connection={connection.pk}")
    assert "Banana login" in read(ada, f"/activity/?connection={connection.pk}")


def query_of(page: str) -> str:
    found = re.search(r'data-query="([^"]*)"', page)
    assert found
    return found[1].replace("&amp;", "&")


def test_chips_export_and_operations_follow_the_remembered_team(
    ada: Client, administrator: User, teams: tuple[Team, Team]
) -> None:
    read(ada, f"/connections/?team={teams[0].pk}")
    page = read(ada, "/accounts/?filter=status")
    assert re.search(r'id="chip-status-active".*?<span class="c-choice__number">1</span>', page)
    assert f"/accounts/export/?team={teams[0].pk}&amp;format=csv" in page
    # The choice changes in another tab before the operation is started.
    read(ada, "/accounts/?team=")
    ada.post(
        "/operations/",
        {"operation": "sync", "all": "1", "query": query_of(page), "confirm": "1", "key": "k"},
    )
    batch = BatchOperation.objects.get(user=administrator)
    assert [item.account.name for item in batch.items.all()] == ["Apple account"]


def test_an_operation_on_all_teams_ignores_a_team_chosen_later(
    ada: Client, administrator: User, teams: tuple[Team, Team]
) -> None:
    page = read(ada, "/accounts/")
    read(ada, f"/connections/?team={teams[0].pk}")
    ada.post(
        "/operations/",
        {"operation": "sync", "all": "1", "query": query_of(page), "confirm": "1", "key": "k"},
    )
    assert BatchOperation.objects.get(user=administrator).total == 2


def test_several_teams_in_the_address_are_shown_and_not_remembered(
    ada: Client, teams: tuple[Team, Team]
) -> None:
    page = read(ada, f"/accounts/?team={teams[0].pk}&team={teams[1].pk}")
    assert "Only<b><bdi>2 teams" in page
    assert "Apple account" in page
    assert "Banana account" in page
    assert not ChosenTeam.objects.exists()


def test_clearing_the_filters_keeps_the_team(
    ada: Client, administrator: User, teams: tuple[Team, Team]
) -> None:
    page = read(ada, f"/accounts/?team={teams[0].pk}&status=pending")
    assert f'href="/accounts/?team={teams[0].pk}">Clear filters' in page
    empty = read(ada, f"/accounts/?team={join(administrator, 'None', Role.VIEWER).pk}")
    assert "Clear filters" not in empty


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("/accounts/?view=table", 'class="c-dense__team">Team</th>'),
        ("/connections/", 'class="c-dense__team">Team</th>'),
        ("/renewals/", 'class="c-dense__team">Team</th>'),
        ("/operations/", '<th scope="col" class="c-wide">Team</th>'),
    ],
)
def test_tables_name_the_team_for_people_of_several_teams(
    ada: Client, alice: User, teams: tuple[Team, Team], log_in: LogIn, address: str, where: str
) -> None:
    assert where in read(ada, address)
    assert where not in read(log_in(alice), address)


def test_cards_name_the_team_for_people_of_several_teams(
    ada: Client, alice: User, teams: tuple[Team, Team], log_in: LogIn
) -> None:
    assert f"<bdi>{teams[0]}</bdi>·" in read(ada, "/accounts/?view=cards")
    assert "<bdi>Team of alice</bdi>" not in read(log_in(alice), "/accounts/?view=cards")


def test_the_pages_of_an_account_and_a_connection_name_the_team(
    ada: Client, teams: tuple[Team, Team]
) -> None:
    connection = teams[0].connections.get()
    for address in (f"/connections/{connection.pk}/", f"/accounts/{connection.accounts.get().pk}/"):
        assert "<dt>Team</dt><dd><bdi>Team of alice</bdi>" in read(ada, address)
