"""The team Main, and the teams, members and roles of a database that was used before there were teams.

Each owner of connections or accounts gets a team with these connections and accounts. Each person gets the highest role
whose permissions they all had. Who could see everything becomes a member of every team. Nobody sees more than before.
"""

import logging
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import migrations
from django.db.models import Q

logger = logging.getLogger(__name__)

MAIN = "Main"
MAX_NAME_LENGTH = 100

# The permissions of the groups that the roles replace, without the two that showed the rows of everybody.
VIEWER = {
    "tokens.view_connection",
    "tokens.view_tokenrefresh",
    "tokens.view_alert",
    "accounts.view_account",
    "accounts.view_accountaccess",
    "accounts.view_accountchange",
    "accounts.view_accountmanager",
    "accounts.view_batchitem",
    "accounts.view_batchoperation",
    "accounts.view_profile",
    "accounts.view_syncrun",
}
OPERATOR = VIEWER | {
    "tokens.connect_amazon",
    "tokens.refresh_connection",
    "accounts.disconnect_account",
    "accounts.sync_account",
    "accounts.update_account",
}
ADMINISTRATOR = OPERATOR | {"tokens.disconnect_connection", "tokens.use_access_token"}
# The highest role first.
ROLES = {"administrator": ADMINISTRATOR, "operator": OPERATOR, "viewer": VIEWER}
SEES_EVERYTHING = {"tokens.view_all_connections", "accounts.view_all_accounts"}


def fill_teams(apps: Any, schema_editor: Any) -> None:
    people = apps.get_model("auth", "User").objects
    connections = apps.get_model("tokens", "Connection").objects
    accounts = apps.get_model("accounts", "Account").objects
    teams = apps.get_model("tokens", "Team").objects
    memberships = apps.get_model("tokens", "Membership").objects

    main, _ = teams.get_or_create(name=MAIN)
    first = people.filter(is_superuser=True, is_active=True).order_by("pk").first()
    if first is not None:
        memberships.create(team=main, user=first, role="administrator")
    owners = people.filter(
        Q(pk__in=connections.values("owner")) | Q(pk__in=accounts.order_by().values("user").distinct())
    )
    team_of = {}
    for owner in owners.order_by("pk"):
        is_first = first is not None and owner.pk == first.pk
        team = main if is_first else teams.create(name=_choose_name(owner, teams))
        team_of[owner.pk] = team
        connections.filter(owner=owner).update(team=team)
        accounts.filter(user=owner).update(team=team)
    for person, role, sees_everything in _find_roles(apps):
        own = {team_of[person.pk]} if person.pk in team_of else set()
        for team in teams.all() if sees_everything else own:
            memberships.get_or_create(team=team, user=person, defaults={"role": role})


def _choose_name(owner: Any, teams: Any) -> str:
    """Return the name of the person, with a number if another team has it."""
    name = f"{owner.first_name} {owner.last_name}".strip() or owner.username
    chosen, number = name[:MAX_NAME_LENGTH], 1
    while teams.filter(name__iexact=chosen).exists():
        number += 1
        chosen = f"{name[: MAX_NAME_LENGTH - 12]} ({number})"
    return chosen


def _find_roles(apps: Any) -> Iterator[tuple[Any, str, bool]]:
    """Yield each person who has a role, the role, and whether they could see everything; log what fits no role."""
    permissions = apps.get_model("auth", "Permission").objects.order_by()
    # A version of long ago does not know every permission.
    known = _read_names(permissions)
    for person in apps.get_model("auth", "User").objects.order_by("pk"):
        if person.is_superuser:
            yield person, "administrator", False
            continue
        had = _read_names(permissions.filter(Q(user=person) | Q(group__user=person)))
        role = next(
            (role for role, needed in ROLES.items() if needed & known and needed & known <= had), None
        )
        sees_everything = role is not None and had >= SEES_EVERYTHING
        kept = (ROLES[role] if role else set()) | (SEES_EVERYTHING if sees_everything else set())
        if lost := sorted(had - kept):
            logger.warning(
                "%s now has %s. These permissions fit no role and are gone: %s.",
                person.username,
                f"the role {role}" if role else "no role",
                ", ".join(lost),
                extra={"action": "permissions_without_role", "person": person.pk},
            )
        if role is not None:
            yield person, role, sees_everything


def _read_names(permissions: Any) -> set[str]:
    return {f"{app}.{name}" for app, name in permissions.values_list("content_type__app_label", "codename")}


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0023_team"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("tokens", "0020_teams"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [migrations.RunPython(fill_teams, migrations.RunPython.noop)]
