"""The pages of clients and their mails in six languages. `make messages` writes the files below `locale/`."""

import re
import shutil
from pathlib import Path
from string import Formatter

import polib
import pytest
from django.conf import LazySettings, settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone, translation

from tests.dashboard.conftest import LogIn, MakeConnection, squeeze, staff
from tests.teams import team_of
from tokens.connect.links import make_connect_link, write_mail
from tokens.connect.renewal_text import write_renewal_mail
from tokens.models import ConnectLink

FOLDER = Path(settings.BASE_DIR) / "locale"
TRANSLATED = ["de", "es", "fr", "it", "ja"]
HEADINGS = {
    "en-GB,en;q=0.9": ("en", "Connect your Amazon Ads account"),
    "de-AT,de;q=0.9,en;q=0.8": ("de", "Ihr Amazon-Ads-Konto verbinden"),
    "fr": ("fr", "Connecter votre compte Amazon Ads"),
    "es-MX,es;q=0.9": ("es", "Conectar su cuenta de Amazon Ads"),
    "it-IT": ("it", "Collegare il Suo account Amazon Ads"),
    "ja": ("ja", "Amazon Adsアカウントを接続する"),
    # No catalog: the next language of the browser, or English.
    "pt-BR,pt;q=0.9,fr;q=0.5": ("fr", "Connecter votre compte Amazon Ads"),
    "zh-CN": ("en", "Connect your Amazon Ads account"),
    "x" * 1000: ("en", "Connect your Amazon Ads account"),
}


def catalog(language: str) -> polib.POFile:
    return polib.pofile(FOLDER / language / "LC_MESSAGES/django.po")


def texts(entry: polib.POEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) or [entry.msgstr]


def marks(text: str) -> set[str]:
    """Return the tags and the names of values in a text."""
    return {
        *re.findall(r"<[^>]+>", text),
        *re.findall(r"%\(\w+\)s", text),
        *(name for _, name, _, _ in Formatter().parse(text) if name),
    }


@pytest.mark.parametrize("language", TRANSLATED)
def test_each_text_is_translated_with_the_same_tags_and_values(language: str) -> None:
    entries = list(catalog(language))
    assert len(entries) > 50
    for entry in entries:
        assert not entry.fuzzy, entry.msgid
        assert not entry.obsolete, entry.msgid
        for text in texts(entry):
            assert text, entry.msgid
            assert marks(text) == marks(entry.msgid), entry.msgid


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_compiled_file_has_the_same_texts(language: str) -> None:
    compiled = polib.mofile(FOLDER / language / "LC_MESSAGES/django.mo")
    assert {entry.msgid: texts(entry) for entry in compiled} == {
        entry.msgid: texts(entry) for entry in catalog(language)
    }


def test_all_languages_have_all_texts_of_the_pages(
    tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {language: {entry.msgid for entry in catalog(language)} for language in TRANSLATED}
    assert all(found == known["de"] for found in known.values())
    if shutil.which("xgettext") is None:
        pytest.skip("xgettext, which finds the texts of the pages, is not installed")
    for source in ("dashboard/templates", "dashboard/views", "tokens/connect"):
        shutil.copytree(Path(settings.BASE_DIR) / source, tmp_path / source)
    settings.LOCALE_PATHS = [tmp_path / "locale"]
    (tmp_path / "locale").mkdir()
    monkeypatch.chdir(tmp_path)
    call_command("makemessages", locale=["de"], verbosity=0)
    written = polib.pofile(tmp_path / "locale/de/LC_MESSAGES/django.po")
    assert {entry.msgid for entry in written} == known["de"]


@pytest.fixture
def mara(db: None) -> User:
    return staff("mara", "Operator")


@pytest.mark.parametrize("accepted", HEADINGS, ids=lambda accepted: accepted[:20])
def test_the_page_has_the_language_of_the_browser(mara: User, accepted: str) -> None:
    _, address = make_connect_link(mara, team_of(mara), label="Copperleaf")
    path = str(address).removeprefix(settings.PUBLIC_URL)
    answer = Client(headers={"accept-language": accepted}).get(path)
    language, heading = HEADINGS[accepted]
    text = answer.content.decode()
    assert f'<html lang="{language}">' in text
    assert answer["Content-Language"] == language
    assert heading in squeeze(text)
    assert translation.get_language() == "en-us"


@pytest.mark.parametrize("language", ["en", *TRANSLATED])
def test_the_mail_has_the_language_of_the_link(
    mara: User, make_connection: MakeConnection, language: str
) -> None:
    connection = make_connection(mara, consented_at=timezone.now())
    links = [
        make_connect_link(mara, team_of(mara), label="{Copper}leaf", language=language, connection=each)[0]
        for each in (None, connection, connection)
    ]
    mails = [
        *(write_mail(link, "the-token") for link in links),
        write_renewal_mail(dict.fromkeys(links, "the-token")),
    ]
    for mail in mails:
        assert "/c/the-token/\n" in str(mail.body)
        assert "{Copper}leaf" in str(mail.body)
        assert str(links[0].team) in mail.subject
        if language != "en":
            assert "Amazon password" not in str(mail.body)


def test_the_console_stays_in_english(mara: User, log_in: LogIn) -> None:
    client = log_in(mara)
    pages = [client.get("/links/", headers={"accept-language": language}) for language in ("en", "de")]
    english, german = (squeeze(page.content.decode()) for page in pages)
    assert "Client links" in german
    # Only the form offers the language of the browser for the mail.
    assert '<option value="de" selected>' in german
    assert '<option value="en" selected>' in english


def test_the_form_of_a_german_browser_makes_german_mails(mara: User, log_in: LogIn) -> None:
    team = team_of(mara)
    form = {"label": "x", "language": "de", "days": "7", "regions": ["EU"], "team": str(team.pk)}
    log_in(mara).post("/links/", form)
    assert ConnectLink.objects.get().language == "de"
