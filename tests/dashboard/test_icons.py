"""The font of icons has each icon that a page can show; without one, a page would show the icon's name."""

from fontTools.ttLib import TTFont

from tests.icons import OURS, WHOLE, icons_of, used_icons


def test_the_font_has_each_icon_that_pages_name() -> None:
    missing = used_icons(icons_of(TTFont(WHOLE))) - set(icons_of(TTFont(OURS)))
    assert missing == set(), "Run `python -m tests.icons`."


def test_icons_are_found_in_templates_scripts_and_python() -> None:
    known = icons_of(TTFont(WHOLE))
    assert {"storefront", "filter_list", "chevron_right", "autorenew"} <= used_icons(known)
    assert "pets" not in used_icons(known)
