"""The login with a passkey alone: for whom it is a way in, and for whom it would be a way past the provider."""

import pytest
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from tests.dashboard.conftest import squeeze
from tests.dashboard.sign_in.conftest import TryPassword
from tests.dashboard.sign_in.oidc.conftest import SignOn, person_at
from tests.dashboard.sign_in.software_passkey import SoftwarePasskey
from tests.public_url import browser_at_public_url

REFUSAL = "a passkey is no way past the provider"


@pytest.fixture
def passkey() -> SoftwarePasskey:
    return SoftwarePasskey()


@pytest.fixture
def carlas(passkey: SoftwarePasskey, carla: User, try_password: TryPassword) -> SoftwarePasskey:
    """A passkey of somebody who also has a password."""
    client = browser_at_public_url()
    try_password(client=client)
    passkey.add(client)
    return passkey


@pytest.fixture
def newcomers(passkey: SoftwarePasskey, sign_on: SignOn) -> SoftwarePasskey:
    """A passkey of somebody who came by single sign-on and has no password."""
    client = browser_at_public_url()
    sign_on("passkey-holder", client)
    passkey.add(client)
    return passkey


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "tokens.sign_in"]


def read_login(client: Client) -> str:
    return squeeze(client.get("/auth/login/").content.decode())


def test_the_passkey_of_a_person_with_a_password_signs_in(carlas: SoftwarePasskey, carla: User) -> None:
    client = browser_at_public_url()
    assert carlas.log_in(client)["Location"] == "/"
    assert person_at(client) == carla


def test_a_passkey_is_no_way_past_the_provider(
    newcomers: SoftwarePasskey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.clear()
    client = browser_at_public_url()
    assert newcomers.log_in(client)["Location"] == "/auth/login/"
    assert person_at(client) is None
    assert REFUSAL in read_login(client)
    user = User.objects.get()
    assert lines(caplog) == [f"Refused the passkey of user {user.pk}, who must use single sign-on."]
    assert client.get("/auth/security/")["Location"].startswith("/auth/login/")


@pytest.mark.parametrize("address", ["", "https://new.example.com"])
def test_a_passkey_is_no_way_past_a_provider_of_before(
    newcomers: SoftwarePasskey, settings: Settings, address: str
) -> None:
    settings.OIDC_SERVER_URL = address
    client = browser_at_public_url()
    newcomers.log_in(client)
    assert person_at(client) is None
    assert REFUSAL in read_login(client)


def test_a_linked_person_keeps_the_passkey_while_there_is_a_password(
    carlas: SoftwarePasskey, carla: User, settings: Settings
) -> None:
    settings.OIDC_SERVER_URL = "https://login.example.com"
    SocialAccount.objects.create(user=carla, provider=settings.OIDC_SERVER_URL, uid="carla")
    client = browser_at_public_url()
    carlas.log_in(client)
    assert person_at(client) == carla
    carla.set_unusable_password()
    carla.save()
    client = browser_at_public_url()
    carlas.log_in(client)
    assert person_at(client) is None
    assert REFUSAL in read_login(client)


def test_a_passkey_of_a_person_who_is_not_active_signs_nobody_in(
    carlas: SoftwarePasskey, carla: User, caplog: pytest.LogCaptureFixture
) -> None:
    User.objects.update(is_active=False)
    caplog.clear()
    client = browser_at_public_url()
    assert carlas.log_in(client)["Location"] == "/auth/inactive/"
    assert person_at(client) is None
    assert lines(caplog) == ["Refused a sign-in as 'carla' from 127.0.0.1: the person is not active."]


def test_who_has_no_rights_reads_whom_to_ask_after_the_passkey(carlas: SoftwarePasskey) -> None:
    User.objects.update(is_staff=False)
    client = browser_at_public_url()
    carlas.log_in(client)
    page = client.get("/", follow=True)
    assert page.status_code == 403
    assert "You have no rights here yet" in page.content.decode()


def test_with_single_sign_on_only_no_passkey_is_read(carlas: SoftwarePasskey, settings: Settings) -> None:
    client = browser_at_public_url()
    begun = carlas.begin(client)
    settings.OIDC_ONLY = True
    answer = carlas.finish(client, begun)
    assert answer.status_code == 403
    assert person_at(client) is None
