"""Makes the font of the icons that our pages and unfold's show: `python -m tests.icons`.

Unfold's font has all 3,000 icons of Material Symbols and weighs 285 KB. Ours has the same name, and is found before it.
"""

import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import unfold
from fontTools import subset
from fontTools.ttLib import TTFont

NAME = "unfold/fonts/material-symbols/Material-Symbols-Outlined.woff2"
UNFOLD = Path(unfold.__file__).parent
PROJECT = Path(__file__).resolve().parents[1]
WHOLE = UNFOLD / "static" / NAME
OURS = PROJECT / "dashboard" / "static" / NAME
# An icon is written by its name, which the font turns into one glyph.
IN_PAGES = re.compile(r"material-symbols-outlined.*?</", re.DOTALL)
IN_ARGUMENTS = re.compile(r"""icon=["']([a-z0-9_]+)""")
IN_PYTHON = re.compile(r'"([a-z0-9_]+)"')
WORD = re.compile(r"[a-z0-9_]+")


def icons_of(font: TTFont) -> dict[str, str]:
    """Return the glyphs of the icons by the names that the font turns into them."""
    characters = {glyph: chr(code) for code, glyph in font.getBestCmap().items()}
    icons: dict[str, str] = {}
    for lookup in font["GSUB"].table.LookupList.Lookup:
        for table in lookup.SubTable:
            # A large table is stored as an extension.
            rules = getattr(table, "ExtSubTable", table)
            for first, ligatures in rules.ligatures.items():
                for ligature in ligatures:
                    name = "".join(characters[glyph] for glyph in (first, *ligature.Component))
                    icons[name] = ligature.LigGlyph
    return icons


def used_icons(known: Collection[str]) -> set[str]:
    """Return the known icons that templates, scripts and Python name."""
    named: set[str] = set()
    for text in _texts("templates", "*.html"):
        named.update(IN_ARGUMENTS.findall(text))
        for part in IN_PAGES.findall(text):
            named.update(WORD.findall(part))
    for text in _texts("static", "*.js"):
        for part in IN_PAGES.findall(text):
            named.update(WORD.findall(part))
    for module in [*UNFOLD.glob("*.py"), *(PROJECT / "dashboard").rglob("*.py")]:
        named.update(IN_PYTHON.findall(module.read_text()))
    return named.intersection(known)


def _texts(folder: str, pattern: str) -> Iterator[str]:
    for root in (UNFOLD, PROJECT / "dashboard"):
        for found in root.rglob(folder):
            for path in found.rglob(pattern):
                yield path.read_text()


def main() -> None:
    font = TTFont(WHOLE)
    known = icons_of(font)
    used = used_icons(known)
    options = subset.Options(flavor="woff2", layout_closure=False, drop_tables=["FFTM"])
    subsetter = subset.Subsetter(options)
    subsetter.populate(glyphs=[known[name] for name in used], text="".join(used))
    subsetter.subset(font)
    subset.save_font(font, str(OURS), options)
    sys.stdout.write(f"{OURS.relative_to(PROJECT)}: {len(used)} icons, {OURS.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
