"""The groups that the provider names give, change and take memberships at each sign-in."""

import logging

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from pytest_django import Settings

from amazon_accounts.configuration.single_sign_on import TeamRole
from tests.dashboard.sign_in.conftest import TryPassword
from tests.dashboard.sign_in.oidc.conftest import Provider, SignOn, answer_with, person_at
from tests.dashboard.sign_in.oidc.scripted_provider import ScriptedProvider
from tests.public_url import browser_at_public_url
from tests.teams import join
from tokens.checks import find_team_problem, require_known_teams
from tokens.models import AuditEntry, Membership, Team
from tokens.people.roles import Role
from tokens.people.teams import set_member
from tokens.permissions import SYSTEM
from tokens.sign_in.oidc.links import find_link

pytestmark = pytest.mark.django_db

VIEWERS, OPERATORS, SOUTH = "ads-viewers", "ads-operators", "ads-south"


@pytest.fixture
def teams(settings: Settings) -> dict[str, Team]:
    settings.OIDC_TEAM_ROLES = {
        VIEWERS: TeamRole("North", "viewer"),
        OPERATORS: TeamRole("NORTH", "operator"),
        SOUTH: TeamRole("South", "administrator"),
    }
    settings.OIDC_GROUPS_CLAIM = "groups"
    return {name: Team.objects.create(name=name) for name in ("North", "South")}


def roles() -> dict[str, str]:
    """Return the role of the one person who signs in, by the name of the team."""
    rows = Membership.objects.filter(user__socialaccount__isnull=False)
    return dict(rows.order_by("team__name").values_list("team__name", "role"))


def written(action: str) -> list[tuple[str, str, object, object]]:
    entries = AuditEntry.objects.filter(action=action).order_by("pk")
    return list(entries.values_list("team_name", "actor_kind", "before", "after"))


@pytest.mark.usefixtures("teams")
class TestSignIn:
    def test_a_new_person_gets_the_roles_of_the_groups_and_becomes_staff(
        self, sign_on: SignOn, provider: Provider
    ) -> None:
        provider.know("s-1", groups=[VIEWERS, SOUTH, "others"])
        browser = browser_at_public_url()
        sign_on(client=browser)
        assert roles() == {"North": "viewer", "South": "administrator"}
        assert set(Membership.objects.values_list("source", flat=True)) == {"single_sign_on"}
        person = person_at(browser)
        assert person is not None
        assert (person.is_staff, person.is_superuser) == (True, False)
        assert browser.get("/accounts/").status_code == 200
        given = {"by": "single sign-on"}
        assert written("member.add") == [
            ("North", "system", None, {"role": "viewer", **given}),
            ("South", "system", None, {"role": "administrator", **given}),
        ]
        assert written("person.update") == [("", "system", {"is_staff": False}, {"is_staff": True, **given})]

    def test_of_several_groups_the_highest_role_counts(self, sign_on: SignOn, provider: Provider) -> None:
        provider.know("s-1", groups=[OPERATORS, VIEWERS])
        sign_on()
        assert roles() == {"North": "operator"}

    def test_a_role_is_changed_and_taken_at_the_next_sign_in(
        self, sign_on: SignOn, provider: Provider
    ) -> None:
        for groups, expected in (
            ([VIEWERS, SOUTH], {"North": "viewer", "South": "administrator"}),
            ([OPERATORS], {"North": "operator"}),
            ([VIEWERS], {"North": "viewer"}),
            ([], {}),
            (["others"], {}),
        ):
            provider.know("s-1", groups=groups)
            sign_on()
            assert roles() == expected
        assert [entry[2] for entry in written("member.remove")] == [
            {"role": "administrator"},
            {"role": "viewer"},
        ]
        assert [entry[3] for entry in written("member.update")] == [
            {"role": "operator", "by": "single sign-on"},
            {"role": "viewer", "by": "single sign-on"},
        ]
        # Staff status may have another reason.
        assert User.objects.get().is_staff

    def test_a_sign_in_that_changes_nothing_writes_nothing(self, sign_on: SignOn, provider: Provider) -> None:
        provider.know("s-1", groups=[VIEWERS])
        sign_on()
        number = AuditEntry.objects.count()
        sign_on()
        assert AuditEntry.objects.count() == number + 1, "the sign-in itself"

    def test_what_a_person_has_given_stays(
        self, sign_on: SignOn, provider: Provider, teams: dict[str, Team]
    ) -> None:
        provider.know("s-1", groups=[VIEWERS, SOUTH])
        sign_on()
        person = User.objects.get()
        set_member(SYSTEM, teams["North"], person, "operator")
        join(person, "West", Role.VIEWER)
        provider.know("s-1", groups=[VIEWERS])
        sign_on()
        assert roles() == {"North": "operator", "West": "viewer"}
        provider.know("s-1", groups=[])
        sign_on()
        assert roles() == {"North": "operator", "West": "viewer"}

    def test_the_last_administrator_loses_the_role_and_signs_in(
        self, sign_on: SignOn, provider: Provider, teams: dict[str, Team]
    ) -> None:
        provider.know("s-1", groups=[SOUTH])
        sign_on()
        provider.know("s-1", groups=[])
        browser = browser_at_public_url()
        sign_on(client=browser)
        assert person_at(browser) is not None
        assert not Membership.objects.filter(team=teams["South"]).exists()

    @pytest.mark.parametrize("claims", [{}, {"groups": "ads-viewers"}, {"groups": {"a": 1}}, {"groups": [1]}])
    def test_without_a_list_of_groups_nothing_changes_and_one_line_says_so(
        self,
        sign_on: SignOn,
        provider: Provider,
        claims: dict[str, object],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        provider.know("s-1", preferred_username="nina", groups=[VIEWERS])
        sign_on()
        provider.know("s-1", preferred_username="nina", **claims)
        caplog.clear()
        sign_on()
        assert roles() == {"North": "viewer"}
        lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert lines == [
            "The provider sent no list of groups in the claim 'groups' for 'nina'; the memberships stay as they are."
        ]

    def test_another_claim_can_have_the_groups(
        self, sign_on: SignOn, provider: Provider, settings: Settings
    ) -> None:
        settings.OIDC_GROUPS_CLAIM = "https://example.com/roles"
        provider.know("s-1", **{"groups": [SOUTH], "https://example.com/roles": [VIEWERS]})
        sign_on()
        assert roles() == {"North": "viewer"}

    def test_the_groups_can_be_in_the_id_token(self, scripted: ScriptedProvider) -> None:
        answer_with(scripted, browser_at_public_url(), groups=[VIEWERS])
        assert roles() == {"North": "viewer"}

    def test_a_person_who_is_not_active_gets_nothing(self, sign_on: SignOn, provider: Provider) -> None:
        provider.know("s-1", groups=[])
        sign_on()
        User.objects.update(is_active=False)
        provider.know("s-1", groups=[VIEWERS])
        sign_on()
        assert roles() == {}
        assert not User.objects.get().is_staff

    def test_a_link_changes_nothing(
        self, sign_on: SignOn, provider: Provider, carla: User, try_password: TryPassword
    ) -> None:
        # Somebody who is signed in links the provider. The groups count at the next sign-in.
        provider.know("s-1", groups=[VIEWERS])
        browser = browser_at_public_url()
        try_password(client=browser)
        sign_on(client=browser, path="/auth/oidc/link/")
        assert find_link(carla) is not None
        assert not Membership.objects.exists()

    def test_without_the_setting_nothing_is_taken(
        self, sign_on: SignOn, provider: Provider, settings: Settings
    ) -> None:
        provider.know("s-1", groups=[VIEWERS])
        sign_on()
        settings.OIDC_TEAM_ROLES = {}
        provider.know("s-1", groups=[])
        sign_on()
        assert roles() == {"North": "viewer"}


@pytest.mark.usefixtures("teams")
class TestTeamThatIsNotThere:
    def test_web_does_not_start(self, settings: Settings) -> None:
        assert find_team_problem() == ""
        call_command("check", databases=["default"])
        Team.objects.filter(name="South").update(name="Süd")
        assert find_team_problem() == (
            "OIDC_TEAM_ROLES names teams that do not exist: 'South'. Make them with: manage.py team NAME"
        )
        with pytest.raises(SystemCheckError, match=r"tokens\.E002"):
            call_command("check", databases=["default"])

    def test_a_sign_in_gives_and_takes_nothing_until_it_is_right(
        self, sign_on: SignOn, provider: Provider, caplog: pytest.LogCaptureFixture
    ) -> None:
        provider.know("s-1", groups=[SOUTH])
        sign_on()
        Team.objects.filter(name="South").update(name="Süd")
        provider.know("s-1", groups=[SOUTH, VIEWERS])
        caplog.clear()
        sign_on()
        assert roles() == {"North": "viewer", "Süd": "administrator"}
        lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert lines == [
            "OIDC_TEAM_ROLES names teams that do not exist: 'South'. Until it is right, no sign-in takes a membership."
        ]


@pytest.mark.django_db(transaction=True)
def test_the_start_of_web_names_the_teams(teams: dict[str, Team]) -> None:
    require_known_teams()
    teams["North"].delete()
    with pytest.raises(ImproperlyConfigured, match="'NORTH', 'North'"):
        require_known_teams()
