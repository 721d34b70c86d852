"""The page of client links."""

from html import unescape

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.dashboard.conftest import LogIn, MakeConnection, squeeze, staff
from tokens.connect.disconnect import disconnect_connection
from tokens.connect.forget import forget_login
from tokens.connect.links import find_link
from tokens.connect.move import move_connection
from tokens.connect.update import update_connection
from tokens.models import ConnectLink, Team
from tokens.permissions import SYSTEM

FORM = {"label": "Copperleaf", "language": "en", "days": "7", "regions": ["EU"]}

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(log_in: LogIn) -> Client:
    return log_in(staff("mara", "Operator"))


def form_of(client: Client, **changes: object) -> dict[str, object]:
    page = client.get("/links/")
    team = page.context["form"].fields["team"].queryset.get()
    return {**FORM, "team": str(team.pk), **changes}


def test_the_new_link_is_shown_once(client: Client) -> None:
    page = client.post("/links/", form_of(client)).content.decode()
    address = page.partition('id="new-link" type="text" readonly value="')[2].partition('"')[0]
    token = address.rstrip("/").rpartition("/")[2]
    assert find_link(token) == ConnectLink.objects.get()
    later = client.get("/links/").content.decode()
    assert "Copperleaf" in later
    assert token not in later
    assert token not in str(dict(client.session))


def test_a_mailed_link_is_not_shown(client: Client) -> None:
    answer = client.post("/links/", form_of(client, email="ads@copperleaf.example"), follow=True)
    text = squeeze(answer.content.decode())
    assert "The mail with the link is on its way." in text
    assert "not mailed yet to" in text
    assert "new-link" not in text


def test_a_mistake_is_shown_in_the_form(client: Client) -> None:
    answer = client.post("/links/", form_of(client, email="nobody", days="31"))
    assert answer.status_code == 422
    assert "Ensure this value is less than or equal to 30." in answer.content.decode()
    answer = client.post("/links/", form_of(client, email="nobody"))
    assert "It must be one e-mail address." in answer.content.decode()
    assert not ConnectLink.objects.exists()


def test_a_renewal_begins_at_its_connection(client: Client, make_connection: MakeConnection) -> None:
    connection = make_connection(User.objects.get(username="mara"), "Garden")
    begin = f"/links/?connection={connection.pk}"
    assert begin in unescape(client.get(f"/connections/{connection.pk}/").content.decode())
    page = client.get(begin)
    assert "Make a link to renew <bdi>Garden</bdi>" in page.content.decode()
    assert 'name="regions"' not in page.content.decode()
    form = {"label": "Garden", "language": "de", "days": "7", "connection": str(connection.pk)}
    assert client.post("/links/", form).status_code == 200
    link = ConnectLink.objects.get()
    assert (link.connection, link.team, link.language) == (connection, connection.team, "de")
    assert client.get("/links/?connection=x").status_code == 404


def test_a_link_is_revoked_by_a_press(client: Client) -> None:
    client.post("/links/", form_of(client))
    link = ConnectLink.objects.get()
    for words in ("The link is revoked.", "The link had ended before."):
        answer = client.post(f"/links/{link.pk}/revoke/", follow=True)
        assert words in answer.content.decode()
    assert ConnectLink.objects.get().state == "revoked"


def test_the_list_names_another_login_that_came_back(client: Client) -> None:
    client.post("/links/", form_of(client))
    ConnectLink.objects.update(came_back_as="theo@personal.example")
    text = squeeze(client.get("/links/").content.decode())
    assert "Came back as<bdi>theo@personal.example</bdi>. Nothing was changed." in text


def test_a_connection_that_cannot_be_renewed_is_refused_with_the_reason(
    client: Client, make_connection: MakeConnection
) -> None:
    mara = User.objects.get(username="mara")
    connection = make_connection(mara, "Garden")
    disconnect_connection(SYSTEM, connection)
    forget_login(SYSTEM, connection)
    form = {"label": "Garden", "language": "de", "days": "7", "connection": str(connection.pk)}
    answer = client.post("/links/", form)
    assert answer.status_code == 422
    assert "The login was forgotten, so it cannot be renewed." in answer.content.decode()
    assert not ConnectLink.objects.exists()


def test_a_connection_that_has_moved_is_not_named_to_its_old_team(
    client: Client, make_connection: MakeConnection
) -> None:
    connection = make_connection(User.objects.get(username="mara"), "Garden")
    form = {"label": "Garden", "language": "de", "days": "7", "connection": str(connection.pk)}
    client.post("/links/", form)
    move_connection(SYSTEM, connection, Team.objects.create(name="Berlin"))
    update_connection(SYSTEM, connection, {"label": "Secret client"})
    page = client.get("/links/").content.decode()
    assert "Garden" in page
    assert "Secret client" not in page
    assert str(connection.pk) not in page
