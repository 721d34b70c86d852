"""The filter and the column of the team in the admin."""

import pytest
from django.contrib.auth.models import User

from accounts.models import SyncRun
from tests.dashboard.conftest import LogIn, MakeAccount, MakeConnection, squeeze
from tests.teams import team_of
from tokens.models import Team, TokenRefresh

pytestmark = pytest.mark.django_db

LISTS = (
    "accounts/account",
    "accounts/syncrun",
    "tokens/connection",
    "tokens/tokenrefresh",
    "tokens/membership",
)


@pytest.fixture(autouse=True)
def rows(
    administrator: User, alice: User, bob: User, make_connection: MakeConnection, make_account: MakeAccount
) -> None:
    Team.objects.create(name="Secret team")
    for person, name in ((alice, "Apple"), (bob, "Banana")):
        connection = make_connection(person, f"{name} login")
        make_account(connection, f"{name} account")
        SyncRun.objects.create(connection=connection, trigger="manual")
        TokenRefresh.objects.create(connection=connection, grant_version=1, trigger="manual")


@pytest.mark.parametrize("address", LISTS)
def test_the_filter_offers_the_teams_of_the_person_and_no_others(
    administrator: User, alice: User, bob: User, log_in: LogIn, address: str
) -> None:
    page = log_in(administrator).get(f"/admin/{address}/").content.decode()
    for person in (alice, bob, administrator):
        assert f'value="{team_of(person).pk}"' in page
    assert "Secret team" not in page


@pytest.mark.parametrize("address", LISTS)
def test_who_sees_one_team_is_offered_no_filter(bob: User, log_in: LogIn, address: str) -> None:
    page = log_in(bob).get(f"/admin/{address}/").content.decode()
    assert 'name="team"' not in page


@pytest.mark.parametrize("address", [each for each in LISTS if each != "tokens/membership"])
def test_the_rows_of_the_chosen_team_are_shown(
    administrator: User, alice: User, log_in: LogIn, address: str
) -> None:
    client, team = log_in(administrator), team_of(alice)
    assert "Banana" in client.get(f"/admin/{address}/").content.decode()
    page = client.get(f"/admin/{address}/?team={team.pk}").content.decode()
    assert "Apple" in page
    assert "Banana" not in page


@pytest.mark.parametrize("address", ["accounts/account", "tokens/connection"])
def test_a_column_names_the_team(administrator: User, log_in: LogIn, address: str) -> None:
    page = squeeze(log_in(administrator).get(f"/admin/{address}/").content.decode())
    assert ">Team of alice<" in page


@pytest.mark.parametrize("address", LISTS)
def test_the_team_of_others_is_not_found_and_what_is_no_id_is_ignored(
    administrator: User, bob: User, alice: User, log_in: LogIn, address: str
) -> None:
    client = log_in(bob)
    for value, status in (
        ([str(team_of(alice).pk)], 404),
        ([str(team_of(alice).pk), str(team_of(bob).pk)], 404),
        ([str(team_of(bob).pk)], 200),
        (["x"], 200),
    ):
        answer = client.get(f"/admin/{address}/", {"team": value})
        assert answer.status_code == status
        assert "Apple" not in answer.content.decode()
    secret = Team.objects.get(name="Secret team")
    assert log_in(administrator).get(f"/admin/{address}/", {"team": str(secret.pk)}).status_code == 404


@pytest.mark.parametrize("address", LISTS)
@pytest.mark.parametrize("lookup", ["team__name__startswith", "team__id__exact", "connection__team__name"])
def test_nobody_reads_the_name_of_a_team_by_lookups(
    administrator: User, log_in: LogIn, address: str, lookup: str
) -> None:
    assert log_in(administrator).get(f"/admin/{address}/", {lookup: "S"}).status_code == 400
