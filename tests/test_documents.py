"""Every link, file name, command and variable in the documents is real."""

import argparse
import re
import shlex
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from amazon_accounts import __version__

PROJECT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md"), *PROJECT.glob(".github/*.md")])

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
# A name with a folder of the project before it, such as `tokens/refresh/lease.py` or `docs/`.
PROJECT_PATH = re.compile(
    r"(?<![\w./-])((?:accounts|amazon_accounts|amazon_ads|dashboard|docs|tests|tokens|deploy|\.github)/[\w./-]*)"
)
VARIABLE = re.compile(r"^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$")


def read(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def find_anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub makes of the headings."""
    headings = HEADING.findall(re.sub(r"```.*?```", "", read(document), flags=re.DOTALL))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def find_code(document: Path) -> list[str]:
    """Return the code of a document: between backticks, in fences and in indented blocks."""
    text = read(document)
    fenced = "\n".join(re.findall(r"```\w*\n(.*?)```", text, flags=re.DOTALL))
    without = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    blocks = [line.strip() for line in without.splitlines() if line.startswith("    ")]
    return [*CODE.findall(without), *fenced.splitlines(), *blocks]


@cache
def find_make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", read(PROJECT / "Makefile"), flags=re.MULTILINE))


def name_of(document: Path) -> str:
    return str(document.relative_to(PROJECT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_of_a_document_leads_somewhere(document: Path) -> None:
    for target in LINK.findall(read(document)):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        linked = (document.parent / path).resolve() if path else document
        assert linked.exists(), target
        if anchor:
            assert anchor in find_anchors(linked), target


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if path.name != "CHANGELOG.md"], ids=name_of)
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    for code in find_code(document):
        for path in PROJECT_PATH.findall(code):
            found = [PROJECT / path, PROJECT / "amazon_accounts" / path]
            assert any(place.exists() for place in found), path


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_command_that_a_document_shows_is_real(document: Path) -> None:
    for code in find_code(document):
        for name, arguments in re.findall(r"\bmanage\.py (\w+)((?: [^|;#`]*)?)", code):
            assert name in get_commands(), code
            check_options(name, arguments)
        for target in re.findall(r"(?:^|[\s`(])make ([a-z]+)\b", code):
            assert target in find_make_targets(), code
        for module in re.findall(r"\bpython -m (tests[\w.]*|amazon_accounts[\w.]*)", code):
            assert find_spec(module) is not None, code


def check_options(name: str, arguments: str) -> None:
    """Check that the command knows every option that the document gives it."""
    application = get_commands()[name]
    command = load_command_class(str(application), name)
    parser: argparse.ArgumentParser = command.create_parser("manage.py", name)
    known = {option for action in parser._actions for option in action.option_strings}
    lexer = shlex.shlex(arguments, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.quotes = ""
    for word in lexer:
        option = word.strip("[]|\"'.,").partition("=")[0]
        if option.startswith("--") and option != "--":
            assert option in known, f"manage.py {name} {option}"


def test_configuration_names_every_variable_that_the_settings_read() -> None:
    package = PROJECT / "amazon_accounts"
    settings = "".join(
        read(path) for path in [package / "settings.py", package / "configuration" / "database.py"]
    )
    quoted = set(re.findall(r"\"([A-Z][A-Z0-9_]+)\"", settings))
    documented = {
        name
        for code in find_code(PROJECT / "docs" / "configuration.md")
        for name in [code]
        if VARIABLE.match(name)
    }
    read_by_settings = set(re.findall(r"env\w*\(\s*\"([A-Z][A-Z0-9_]+)\"", settings))
    assert read_by_settings
    assert read_by_settings - documented - {"HOST", "PORT", "DEBUG", "INSECURE"} == set()
    elsewhere = {"DJANGO_SUPERUSER_USERNAME", "DJANGO_SUPERUSER_PASSWORD", "DJANGO_SUPERUSER_EMAIL"}
    assert documented - quoted - elsewhere == set()


def test_the_changelog_begins_with_the_version_of_the_product() -> None:
    versions = re.findall(
        r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$", read(PROJECT / "CHANGELOG.md"), flags=re.MULTILINE
    )
    assert versions[0] == __version__
    assert versions == sorted(
        versions, key=lambda version: [int(part) for part in version.split(".")], reverse=True
    )
