"""What the pages under `/auth/` write into the audit trail."""

import re
from collections.abc import Callable

import pytest
from allauth.mfa.models import Authenticator
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client

from tests.dashboard.sign_in.conftest import PASSWORD, TryPassword
from tests.dashboard.sign_in.software_passkey import SoftwarePasskey
from tests.dashboard.sign_in.test_second_factors import code, set_up_app
from tokens.models import AuditEntry
from tokens.sign_in.password_reset import mail_password_reset

pytestmark = pytest.mark.django_db


def written() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", "outcome"))


@pytest.fixture
def home(carla: User, try_password: TryPassword) -> Client:
    """A browser in which Carla has just signed in."""
    client = Client()
    try_password(client=client, REMOTE_ADDR="198.51.100.7")
    return client


def test_a_sign_in_and_the_sign_out_are_written_down(home: Client, carla: User) -> None:
    home.post("/auth/logout/")
    assert written() == [("session.sign_in", "done"), ("session.sign_out", "done")]
    entry = AuditEntry.objects.earliest("pk")
    assert (entry.actor_kind, entry.actor_name, entry.object_id) == ("person", "carla", str(carla.pk))
    assert (entry.address, entry.after) == ("198.51.100.7", {"by": ["password"]})


def test_a_wrong_password_is_written_down_with_whom_it_concerns(
    carla: User, try_password: TryPassword
) -> None:
    try_password("wrong", REMOTE_ADDR="198.51.100.8")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.outcome, entry.actor_kind) == ("session.sign_in", "refused", "nobody")
    assert (entry.object_id, entry.object_name) == (str(carla.pk), "carla")
    assert (entry.address, entry.after) == ("198.51.100.8", {"reason": "password"})


def test_a_name_that_nobody_has_is_not_written_down(db: None, try_password: TryPassword) -> None:
    try_password("x", name="my-secret-in-the-wrong-field")
    entry = AuditEntry.objects.get()
    assert (entry.object_type, entry.object_id, entry.object_name) == ("person", "", "")
    assert "secret" not in str(AuditEntry.objects.values().get())


def test_a_throttled_try_writes_nothing(carla: User, try_password: TryPassword) -> None:
    for _ in range(8):
        try_password("wrong", REMOTE_ADDR="198.51.100.8")
    assert len(written()) == 5


def test_somebody_who_is_not_active_is_refused_in_the_trail_too(
    carla: User, try_password: TryPassword
) -> None:
    User.objects.update(is_active=False)
    try_password()
    assert written() == [("session.sign_in", "refused")]


def test_second_factors_are_written_down(home: Client, django_capture_on_commit_callbacks: Callable) -> None:  # type: ignore[type-arg]
    with django_capture_on_commit_callbacks(execute=True):
        set_up_app(home)
    with django_capture_on_commit_callbacks(execute=True):
        home.post("/auth/2fa/recovery-codes/generate/")
    with django_capture_on_commit_callbacks(execute=True):
        home.post("/auth/2fa/totp/deactivate/")
    assert not Authenticator.objects.exists()
    assert [action for action, _ in written()] == [
        "session.sign_in",
        "second_factor.add",
        "second_factor.renew",
        "second_factor.remove",
    ]
    factor = AuditEntry.objects.get(action="second_factor.add")
    assert (factor.object_type, factor.object_name) == ("second_factor", "totp of carla")


def test_a_new_name_of_a_passkey_is_written_down_without_the_name(home: Client, carla: User) -> None:
    SoftwarePasskey().add(home)
    factor = Authenticator.objects.get(type="webauthn")
    answer = home.post(f"/auth/2fa/webauthn/keys/{factor.pk}/edit/", {"name": "the key of Carla"})
    assert answer.status_code == 302
    assert written()[-1] == ("second_factor.rename", "done")
    entry = AuditEntry.objects.latest("pk")
    assert (entry.actor_name, entry.object_id, entry.object_name) == (
        "carla",
        str(factor.pk),
        "webauthn of carla",
    )
    assert "the key" not in str(list(AuditEntry.objects.values()))
    number = len(written())
    assert home.post(f"/auth/2fa/webauthn/keys/{factor.pk}/edit/", {"name": ""}).status_code == 200
    assert len(written()) == number


def test_a_wrong_second_factor_is_written_down(home: Client, try_password: TryPassword) -> None:
    secret = set_up_app(home)
    client = Client()
    try_password(client=client)
    client.post("/auth/2fa/authenticate/", {"code": "000000"})
    client.post("/auth/2fa/authenticate/", {"code": code(secret)})
    last = AuditEntry.objects.order_by("pk").values_list("outcome", "after")
    assert list(last)[-2:] == [
        ("refused", {"reason": "second factor"}),
        ("done", {"by": ["password", "totp"]}),
    ]


def test_a_wrong_password_of_somebody_who_is_asked_again_is_written_down(home: Client, carla: User) -> None:
    home.post("/auth/reauthenticate/", {"password": "wrong"})
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.outcome, entry.object_id) == ("session.sign_in", "refused", str(carla.pk))
    assert entry.after == {"reason": "password, asked again"}
    home.post("/auth/reauthenticate/", {"password": PASSWORD})
    assert len(written()) == 2


def test_a_new_password_is_written_down(home: Client) -> None:
    form = {"oldpassword": PASSWORD, "password1": "another good one", "password2": "another good one"}
    assert home.post("/auth/password/change/", form).status_code == 302
    assert written()[1:] == [("password.change", "done")]
    assert "another good one" not in str(list(AuditEntry.objects.values()))


def test_a_wrong_old_password_is_written_down_and_limited_like_a_sign_in(home: Client, carla: User) -> None:
    form = {"oldpassword": "wrong", "password1": "another good one", "password2": "another good one"}
    answer = home.post("/auth/password/change/", form)
    assert answer.status_code == 200
    assert "Please type your current password" in answer.content.decode()
    assert written()[1:] == [("session.sign_in", "refused")]
    entry = AuditEntry.objects.latest("pk")
    assert (entry.actor_kind, entry.object_id) == ("nobody", str(carla.pk))
    assert entry.after == {"reason": "password, asked again"}
    assert "another good one" not in str(list(AuditEntry.objects.values()))
    # Together with other places that ask for the password.
    for _ in range(4):
        home.post("/auth/reauthenticate/", {"password": "wrong"})
    answer = home.post("/auth/password/change/", form | {"oldpassword": PASSWORD})
    assert (answer.status_code, len(written())) == (429, 6)
    assert int(answer["Retry-After"]) > 0
    assert carla.check_password(PASSWORD)


@pytest.mark.django_db(transaction=True)
def test_a_forgotten_password_is_written_down(carla: User, settings: LazySettings, client: Client) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    mail_password_reset(carla.pk)
    found = re.search(r"/auth/password/reset/key/\S+", str(mail.outbox[0].body))
    assert found
    page = client.get(found[0], follow=True)
    form = {"password1": "another good one", "password2": "another good one"}
    client.post(page.redirect_chain[-1][0], form)
    actions = [action for action, _ in written()]
    assert actions[:2] == ["password.mail_reset", "password.reset"]
