from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from tokens.models import Membership, Team
from tokens.people.invitations import invite
from tokens.people.roles import Role
from tokens.people.teams import clean_team_name, create_team, remove_member, set_member
from tokens.permissions import SYSTEM
from tokens.processes.commands import OperatorCommand


class Command(OperatorCommand):
    help = (
        "Make a team if it does not exist, add, invite and remove members, and print the id of the team last."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="the name of the team; capitals make no difference")
        parser.add_argument(
            "--add", metavar="USER", help="a person who becomes a member, or gets another role"
        )
        parser.add_argument("--invite", metavar="ADDRESS", help="an e-mail address that gets an invitation")
        parser.add_argument("--role", choices=Role.values, help="the role of who is added or invited")
        parser.add_argument("--remove", metavar="USER", help="a member who is removed")

    def handle(self, *args: Any, **options: Any) -> None:
        if (options["add"] is None and options["invite"] is None) != (options["role"] is None):
            raise CommandError("--role belongs to --add or --invite.")
        # Before the team is made: a wrong name makes none.
        added = _find(options["add"]) if options["add"] else None
        removed = _find(options["remove"]) if options["remove"] else None
        try:
            team = self._find_or_create(options["name"])
            if added is not None:
                is_new = set_member(SYSTEM, team, added, options["role"])
                self.stderr.write(
                    f"{added} is {'now' if is_new else 'as before'} in “{team}”, as {options['role']}."
                )
            if options["invite"] is not None:
                invitation = invite(SYSTEM, team, options["invite"], options["role"])
                self.stderr.write(f"{invitation.email} is invited to “{team}”, as {options['role']}.")
            if removed is not None:
                remove_member(SYSTEM, team, removed)
                self.stderr.write(f"{removed} is no longer in “{team}”.")
        except Membership.DoesNotExist:
            raise CommandError(f"{removed} is not in “{options['name']}”.") from None
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stdout.write(str(team.pk))

    def _find_or_create(self, name: str) -> Team:
        team = Team.objects.filter(name__iexact=clean_team_name(name)).first()
        if team is None:
            team = create_team(SYSTEM, name)
            self.stderr.write(f"The team “{team}” is made.")
        return team


def _find(name: str) -> User:
    person = User.objects.filter(username=name).first()
    if person is None:
        raise CommandError(f"There is no user {name!r}.")
    return person
