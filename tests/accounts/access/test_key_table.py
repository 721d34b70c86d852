"""Which requests each kind of key may make: every address of the API with every method."""

from collections.abc import Callable

import pytest

from tests.accounts.access.somebody import Somebody
from tests.accounts.access.test_table import rows
from tests.accounts.conftest import AccountFactory
from tests.teams import join
from tokens.models import Team
from tokens.people.keys import make_api_key, make_team_key
from tokens.people.roles import Role

API = [row for row in rows() if row[1].startswith("api/")]
# Whoever is signed in may read the description of the API.
DESCRIPTION = ("api/v1/schema/", "api/v1/docs/")
HAND_OUT = "access-token"

# Other tests cover the same code, and measuring makes the many requests three times as slow.
pytestmark = pytest.mark.no_cover


def make_of_person(somebody: Somebody, team: Team, role: str) -> str:
    assert somebody.user is not None
    return make_api_key(somebody.user, somebody.user, name="A test", team=team, role=role)[1]


def make_of_team(somebody: Somebody, team: Team, role: str) -> str:
    assert somebody.user is not None
    return make_team_key(somebody.user, team, name="A test", role=role)[1]


of_both_kinds = pytest.mark.parametrize("make", [make_of_person, make_of_team], ids=["person", "team"])
MakeKey = Callable[[Somebody, Team, str], str]


@of_both_kinds
@pytest.mark.parametrize("role", ["Viewer", "Operator", "Administrator"])
def test_a_key_with_a_role_may_what_the_role_may(
    db: None, new_account: AccountFactory, role: str, make: MakeKey
) -> None:
    somebody = Somebody("Administrator", new_account)
    somebody.asks_with = make(somebody, somebody.account.team, role.lower())
    # A key of one team sees no other team to which it could move something.
    assert somebody.ask_each(API) == {
        f"{method} {address}": (
            "400" if address.endswith("/move/") and answers[role] == "200" else answers[role]
        )
        for method, address, answers in API
    }


@of_both_kinds
def test_a_key_of_another_team_finds_nothing_here(
    db: None, new_account: AccountFactory, make: MakeKey
) -> None:
    somebody = Somebody("Administrator", new_account)
    assert somebody.user is not None
    another = join(somebody.user, "Another team", Role.ADMINISTRATOR)
    somebody.asks_with = make(somebody, another, "administrator")
    # The body names an account or a team that the key does not see.
    refused = {"POST api/v1/notes/": "400", "POST api/v1/views/": "400"}
    assert (
        somebody.ask_each(API)
        == {
            f"{method} {address}": (
                "404"
                if "<uuid:" in address and answers["Administrator"] != "403"
                else answers["Administrator"]
            )
            for method, address, answers in API
        }
        | refused
    )


@of_both_kinds
def test_a_key_for_tokens_hands_out_tokens_and_does_nothing_else(
    db: None, new_account: AccountFactory, make: MakeKey
) -> None:
    somebody = Somebody("Administrator", new_account)
    somebody.asks_with = make(somebody, somebody.account.team, "tokens")
    answers = somebody.ask_each(API)
    for method, address, expected in API:
        answer = answers[f"{method} {address}"]
        if HAND_OUT in address or address in DESCRIPTION:
            assert answer == expected["Administrator"], address
        elif method == "GET" and "<uuid:" not in address:
            # A list without rows: see TestTokens.
            assert answer in {"200", "403"}, address
        else:
            assert answer in {"403", "404"}, address
