"""What `connect --csv` reports about bad lines, without repeating a token."""

import io
from pathlib import Path
from typing import TextIO

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError

from amazon_accounts.sandbox.state import Sandbox
from tests.sandbox_fixtures import SandboxServer
from tests.tokens.conftest import new_connection
from tokens.encryption import Secret
from tokens.management.logins import read_login
from tokens.models import Connection

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = "Atzr|IwEBIAsecretsecretsecret"
DATE_ERROR = "The consent date must be a date like 2026-08-01."
SHIFTED = "A token is where none belongs; a text with a comma in it must be in quotes."


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> Sandbox:
    return sandbox_server.sandbox


def connect_csv(path: Path | str, stdin: TextIO | None = None) -> tuple[str, str]:
    """Run the command; return what it printed and its error, if any."""
    out = io.StringIO()
    try:
        call_command(
            "connect", owner="alice", csv=str(path), stdout=out, stderr=out, stdin=stdin or io.StringIO()
        )
    except CommandError as error:
        return out.getvalue(), str(error)
    return out.getvalue(), ""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"Acme, Inc,{TOKEN},NA", SHIFTED),
        (f"Acme, Inc, Ltd,{TOKEN},NA", SHIFTED),
        (f"Acme, Inc, Ltd, Co,{TOKEN},NA", SHIFTED),
        (f"{TOKEN},Acme", SHIFTED),
        (f"{TOKEN.upper()},{TOKEN}", SHIFTED),
        (f'"Acme,{TOKEN}\n",{TOKEN}', SHIFTED),
        (f"Acme,{TOKEN},IwEBIAsecretsecretsecret", "Unknown region. The regions are NA, EU, FE."),
        (f"Acme,{TOKEN},,IwEBIAsecretsecretsecret", DATE_ERROR),
        (f"Acme,{TOKEN} secretsecretsecret", "This is no refresh token"),
        (f"{'secretsecretsecret' * 20},{TOKEN}", "The label is wrong. It must have 1 to 200 characters."),
    ],
)
def test_an_error_repeats_nothing_of_its_line(
    alice: User, sandbox: Sandbox, tmp_path: Path, line: str, words: str
) -> None:
    path = tmp_path / "logins.csv"
    path.write_text(f"{line}\n", encoding="utf-8")
    printed, error = connect_csv(path)
    assert words in printed
    assert "secretsecret" not in (printed + error).lower()
    assert sandbox.journal.count() == 0
    assert not Connection.objects.exists()


@pytest.mark.parametrize(
    "options",
    [{"label": TOKEN}, {"label": "Acme", "regions": TOKEN}, {"label": "Acme", "consented_at": TOKEN}],
)
def test_an_option_that_is_a_token_is_not_repeated(
    alice: User, sandbox: Sandbox, options: dict[str, str]
) -> None:
    with pytest.raises(CommandError, match="A token is where none belongs") as raised:
        call_command("connect", owner="alice", stdin=io.StringIO(TOKEN), **options)
    assert "secretsecret" not in str(raised.value)


def test_the_error_in_a_date_has_no_cause_that_repeats_it() -> None:
    """With `--traceback`, the command also prints the cause of an error."""
    with pytest.raises(CommandError) as raised:
        read_login("Acme", TOKEN, "", "secretsecretsecret")
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


@pytest.mark.parametrize("from_input", [False, True], ids=["file", "standard input"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "byte order mark"])
@pytest.mark.parametrize(
    "header", ["label,refresh_token,regions", "Label, Refresh_Token ,REGIONS", "\nLABEL,REFRESH_TOKEN", ""]
)
def test_a_header_is_recognized_in_any_case_and_after_a_byte_order_mark(
    alice: User,
    sandbox: Sandbox,
    tmp_path: Path,
    header: str,
    mark: str,
    from_input: bool,
) -> None:
    content = f"{mark}{header}\nÄcme,{sandbox.refresh_token('bob')}\n".encode()
    path = tmp_path / "logins.csv"
    path.write_bytes(content)
    # As in a container without a locale, where Python accepts any bytes.
    stdin = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", errors="surrogateescape")
    printed, error = connect_csv("-" if from_input else path, stdin)
    assert error == ""
    assert "1 connected, 0 updated, 0 failed" in printed
    assert Connection.objects.get().label == "Äcme"


@pytest.mark.parametrize("from_input", [False, True], ids=["file", "standard input"])
def test_the_error_about_text_that_is_not_utf_8_names_the_line(
    alice: User,
    sandbox: Sandbox,
    tmp_path: Path,
    from_input: bool,
) -> None:
    content = f"Acme,{sandbox.refresh_token('bob')}\nÄcme,{TOKEN}\n".encode("latin-1")
    path = tmp_path / "logins.csv"
    path.write_bytes(content)
    stdin = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", errors="surrogateescape")
    printed, error = connect_csv("-" if from_input else path, stdin)
    name = "Standard input" if from_input else str(path)
    assert error == f"{name} is not text in UTF-8 or UTF-16: see line 2."
    assert printed == ""
    assert not Connection.objects.exists()


def test_a_token_on_standard_input_may_follow_a_byte_order_mark(alice: User, sandbox: Sandbox) -> None:
    stdin = io.StringIO(f"\ufeff{sandbox.refresh_token('bob')}\n")
    call_command("connect", owner="alice", label="Acme", stdin=stdin)
    assert Connection.objects.get().label == "Acme"


def test_a_token_that_is_not_utf_8_is_refused(alice: User, sandbox: Sandbox) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b"Atzr|\xff\n"), encoding="utf-8")
    with pytest.raises(CommandError, match="This is no refresh token"):
        call_command("connect", owner="alice", label="Acme", stdin=stdin)


def test_a_stored_token_that_cannot_be_decrypted_does_not_stop_a_line(
    alice: User, sandbox: Sandbox, settings: LazySettings, tmp_path: Path
) -> None:
    settings.AMAZON_SCOPES = "advertising::campaign_management"
    for _ in range(50):
        new_connection(alice, settings, "Atzr|x")
    # Before it begins, the command reads only the 50 oldest and the 50 newest tokens.
    unreadable = new_connection(alice, settings, "Atzr|x", label="Unreadable")
    Connection.objects.filter(pk=unreadable.pk).update(refresh_token=Secret("of a key that is gone"))
    for _ in range(50):
        new_connection(alice, settings, "Atzr|x")
    token = sandbox.refresh_token("bob", scopes=("advertising::campaign_management",))
    path = tmp_path / "logins.csv"
    path.write_text(f"Acme,{token}\nAcme again,{token}\n")
    printed, error = connect_csv(path)
    assert error == ""
    assert printed.endswith("1 connected, 1 updated, 0 failed\n")
    labels = Connection.objects.exclude(label="Garden shop").values_list("label", flat=True)
    assert sorted(labels) == ["Acme", "Unreadable"]


def test_it_stops_at_a_refusal_of_the_application(
    alice: User, sandbox_server: SandboxServer, sandbox: Sandbox, settings: LazySettings, tmp_path: Path
) -> None:
    sandbox.world.clients[settings.AMAZON_CLIENT_ID].blocked = True
    path = tmp_path / "logins.csv"
    path.write_text("".join(f"Login {number},{sandbox.refresh_token('alice')}\n" for number in range(5)))
    asked = sandbox.journal.count()
    printed, error = connect_csv(path)
    assert error == "Not all logins were connected; the lines above say why."
    assert printed.splitlines()[-1] == "0 connected, 0 updated, 1 failed, 4 not tried"
    assert sandbox.journal.count() - asked == 1
    assert not Connection.objects.exists()
