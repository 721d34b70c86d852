"""The reference in the documents says what the code does."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
SPEC = spec_from_file_location("make_reference", DOCS / "make_reference.py")
assert SPEC is not None
assert SPEC.loader is not None
REFERENCE = module_from_spec(SPEC)
SPEC.loader.exec_module(REFERENCE)


@pytest.mark.django_db
@pytest.mark.parametrize("name", REFERENCE.PAGES)
def test_a_page_of_the_reference_is_as_the_code(name: str) -> None:
    page = (DOCS / "reference" / f"{name}.md").read_text(encoding="utf-8")
    assert page == REFERENCE.PAGES[name](), "Run `make reference` and commit the difference."


def test_every_page_of_the_reference_is_made() -> None:
    assert {path.stem for path in (DOCS / "reference").iterdir()} == set(REFERENCE.PAGES)
