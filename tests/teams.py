"""Teams of the people in tests."""

from django.contrib.auth.models import User

from tokens.models import Membership, Team
from tokens.people.roles import Role


def team_of(user: User, role: Role = Role.VIEWER) -> Team:
    """Return the team of the person. Who is in none gets a team of their own, with this role."""
    membership = Membership.objects.filter(user=user).select_related("team").first()
    return membership.team if membership else join(user, f"Team of {user.get_username()}", role)


def join(user: User, name: str, role: Role) -> Team:
    """Make the person a member of the team with this name, and return the team."""
    team, _ = Team.objects.get_or_create(name=name)
    Membership.objects.update_or_create(team=team, user=user, defaults={"role": role})
    return team


def set_role(user: User, role: Role) -> User:
    """Give the person this role in all their teams, at least in one; return a fresh object of the person."""
    team_of(user)
    Membership.objects.filter(user=user).update(role=role)
    return User.objects.get(pk=user.pk)
