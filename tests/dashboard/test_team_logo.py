"""The page of a team's logo, and what clients see of it."""

import base64
import re

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.dashboard.conftest import LogIn, squeeze, staff
from tests.pictures import claim_size, make_png
from tests.teams import team_of
from tokens.connect.links import make_connect_link
from tokens.models import Team, TeamLogo

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss() -> User:
    return staff("boss", "Administrator")


@pytest.fixture
def team(boss: User) -> Team:
    return team_of(boss)


@pytest.fixture
def client(log_in: LogIn, boss: User) -> Client:
    return log_in(boss)


def upload(client: Client, team: Team, data: bytes, name: str = "logo.png") -> tuple[int, str]:
    answer = client.post(
        f"/teams/{team.pk}/logo/", {"picture": SimpleUploadedFile(name, data, "image/png")}, follow=True
    )
    return answer.status_code, squeeze(answer.content.decode())


def test_clients_see_the_logo(client: Client, boss: User, team: Team, settings: LazySettings) -> None:
    path = str(make_connect_link(boss, team, label="Copperleaf")[1]).removeprefix(settings.PUBLIC_URL)
    assert '<span class="logo" aria-hidden="true">T</span>' in Client().get(path).content.decode()
    status, text = upload(client, team, make_png())
    assert (status, "Clients see this logo now." in text) == (200, True)
    page = Client().get(path).content.decode()
    shown = re.findall(r'<img src="data:image/png;base64,([^"]+)" alt="" height="40">', page)
    assert [base64.b64decode(each) for each in shown] == [bytes(TeamLogo.objects.get().png)]
    client.post(f"/teams/{team.pk}/logo/remove/")
    assert "<img" not in Client().get(path).content.decode()


@pytest.mark.parametrize(
    ("data", "status", "why"),
    [
        (b"\xff\xd8\xff\xe0 a JPEG that is called logo.png", 422, "The file is no PNG picture."),
        (claim_size(make_png(), 60_000, 60_000), 422, "wider or higher than 2,000 pixels"),
        (make_png() + b"x" * 300_000, 422, "The picture has more than 256 KB."),
        (b"", 422, "The file is empty."),
        (b"x" * 1_100_000, 413, "Too much at once"),
    ],
    ids=["no picture", "bomb", "large", "empty", "huge"],
)
def test_what_is_no_logo_is_refused_with_a_reason(
    client: Client, team: Team, data: bytes, status: int, why: str
) -> None:
    answered, text = upload(client, team, data)
    assert (answered, why in text) == (status, True)
    assert not TeamLogo.objects.exists()


def test_only_this_form_takes_bytes_that_are_no_text(client: Client, team: Team) -> None:
    file = {"picture": SimpleUploadedFile("logo.png", make_png(), "image/png")}
    assert client.post("/teams/make/", {"name": "x", **file}).status_code == 400
    assert client.post(f"/teams/{team.pk}/logo/").status_code == 422


def test_the_page_of_teams_leads_there(client: Client, team: Team) -> None:
    assert f'href="/teams/{team.pk}/logo/"' in client.get(f"/teams/?team={team.pk}").content.decode()
