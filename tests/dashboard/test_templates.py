"""What djade does not check in the templates."""

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.template.loader import get_template

MAX_LINE_LENGTH = 140
APPS = [Path(apps.get_app_config(name).path) for name in ("dashboard", "accounts", "tokens")]
TEMPLATES = [path for app in APPS for path in sorted((app / "templates").rglob("*.html"))]
NAME = re.compile(r"""["'](dashboard/\w+/\w+\.html)["']""")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: "/".join(path.parts[-2:]))
def test_no_line_is_too_long_to_read_in_a_diff(path: Path) -> None:
    too_long = [line for line in path.read_text().splitlines() if len(line) > MAX_LINE_LENGTH]
    assert too_long == []


def test_each_template_is_used_and_each_named_template_exists() -> None:
    sources = [*TEMPLATES, *(path for app in APPS for path in app.rglob("*.py"))]
    named = {name for path in sources for name in NAME.findall(path.read_text())}
    for name in named:
        get_template(name)
    pages = APPS[0] / "templates"
    assert named == {str(path.relative_to(pages)) for path in (pages / "dashboard").rglob("*.html")}
