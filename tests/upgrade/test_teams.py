"""A database that was used before there were teams gets teams and roles; nobody sees more than before."""

from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from tests.upgrade.conftest import Database

# Without the mark, pytest-django makes no database.
pytestmark = pytest.mark.django_db

MEMBERS: LiteralString = (
    "SELECT team.name, person.username, role FROM tokens_membership member"
    " JOIN tokens_team team ON team.id = member.team_id JOIN auth_user person ON person.id = member.user_id"
    " ORDER BY 1, 2"
)
# The dump has the people owner and operator (Operator), who have connections and accounts, viewer and administrator.


def change(database: Database, *statements: LiteralString) -> None:
    with psycopg.connect(**database.parameters) as connected:
        for statement in statements:
            connected.execute(statement)


def give(name: LiteralString, *permissions: str) -> sql.Composed:
    return sql.SQL(
        "INSERT INTO auth_user_user_permissions (user_id, permission_id)"
        " SELECT person.id, permission.id FROM auth_user person, auth_permission permission"
        " WHERE username = {} AND codename = ANY({})"
    ).format(sql.Literal(name), sql.Literal(list(permissions)))


def test_each_owner_has_a_team_with_what_they_own(old_database: Database) -> None:
    old_database.migrate("tokens", "0025")
    teams = (
        "SELECT DISTINCT team.name, owner.username FROM {} thing JOIN tokens_team team ON team.id = thing.team_id"
        " JOIN auth_user owner ON owner.id = thing.{} ORDER BY 1"
    )
    for table, column in (("tokens_connection", "owner_id"), ("user_accounts", "user_id")):
        query = sql.SQL(teams).format(sql.Identifier(table), sql.Identifier(column))
        assert old_database.fetch(query) == [("operator", "operator"), ("owner", "owner")]
    # The administrator saw everything, and the viewer saw nothing.
    assert old_database.fetch(MEMBERS) == [
        ("Main", "administrator", "administrator"),
        ("operator", "administrator", "administrator"),
        ("operator", "operator", "operator"),
        ("owner", "administrator", "administrator"),
        ("owner", "owner", "operator"),
    ]


def test_the_first_superuser_has_main(old_database: Database) -> None:
    change(
        old_database,
        "UPDATE auth_user SET is_superuser = true WHERE username IN ('owner', 'viewer')",
        "UPDATE auth_user SET is_active = false WHERE username = 'operator'",
        "UPDATE auth_user SET is_superuser = true WHERE username = 'operator'",
    )
    old_database.migrate("tokens", "0025")
    assert old_database.fetch(MEMBERS) == [
        ("Main", "administrator", "administrator"),
        ("Main", "owner", "administrator"),
        ("operator", "administrator", "administrator"),
        ("operator", "operator", "administrator"),
    ]


def test_a_team_has_the_name_of_its_person_and_no_other_team_has_it(old_database: Database) -> None:
    change(
        old_database,
        "UPDATE auth_user SET first_name = 'MAIN' WHERE username = 'owner'",
        "UPDATE tokens_connection SET owner_id = 2 WHERE label = 'Login of bob'",
        "UPDATE auth_user SET first_name = 'Vera', last_name = 'West' WHERE username = 'viewer'",
    )
    old_database.migrate("tokens", "0025")
    assert old_database.fetch("SELECT name FROM tokens_team ORDER BY name") == [
        ("MAIN (2)",),
        ("Main",),
        ("Vera West",),
        ("operator",),
    ]


def test_a_person_has_the_highest_role_whose_permissions_they_all_had(old_database: Database) -> None:
    with psycopg.connect(**old_database.parameters) as connected:
        # The owner is an operator, with one of the two permissions that an administrator has more.
        connected.execute(give("owner", "use_access_token", "view_logentry"))
    done = old_database.migrate("tokens", "0025")
    assert ("owner", "owner", "operator") in old_database.fetch(MEMBERS)
    assert (
        "owner now has the role operator. These permissions fit no role and are gone: "
        "admin.view_logentry, tokens.use_access_token." in done
    )


def test_who_lacks_a_permission_to_view_has_no_role(old_database: Database) -> None:
    change(
        old_database,
        "DELETE FROM auth_user_groups WHERE user_id = (SELECT id FROM auth_user WHERE username = 'owner')",
    )
    with psycopg.connect(**old_database.parameters) as connected:
        connected.execute(give("owner", "view_account", "sync_account"))
    done = old_database.migrate("tokens", "0025")
    assert "owner" not in {name for _, name, _ in old_database.fetch(MEMBERS)}
    assert "owner now has no role. These permissions fit no role and are gone: accounts.sync_account" in done


@pytest.mark.parametrize("codename", ["view_all_accounts", "view_all_connections"])
def test_who_saw_only_all_accounts_or_all_connections_sees_no_more(
    old_database: Database, codename: str
) -> None:
    with psycopg.connect(**old_database.parameters) as connected:
        connected.execute(give("viewer", codename))
    done = old_database.migrate("tokens", "0025")
    assert "viewer" not in {name for _, name, _ in old_database.fetch(MEMBERS)}
    assert f".{codename}." in done
