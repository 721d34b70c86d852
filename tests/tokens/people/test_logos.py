"""Logos of teams: which files are taken, and what is stored of them."""

import os
import zlib
from io import BytesIO

import pytest
from django.core.exceptions import ValidationError
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.pictures import claim_size, make_chunk, make_png
from tokens.models import Team, TeamLogo
from tokens.models.team import MAX_LOGO_BYTES
from tokens.people.logos import SHOWN, clean_logo, remove_team_logo, set_team_logo
from tokens.permissions import SYSTEM


def read(png: bytes) -> Image.Image:
    return Image.open(BytesIO(png), formats=["PNG"])


def as_format(name: str) -> bytes:
    written = BytesIO()
    Image.new("RGB", (20, 20)).save(written, format=name)
    return written.getvalue()


PLAIN = make_png()
# A few hundred bytes that would be 900 MB of pixels or text.
BOMB_OF_PIXELS = claim_size(PLAIN, 15_000, 15_000)
BOMB_OF_TEXT = PLAIN[:33] + make_chunk(b"zTXt", b"x\0\0" + zlib.compress(b"\0" * 50_000_000)) + PLAIN[33:]
BOMB_IN_SIZE = claim_size(PLAIN, 2000, 2000)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no PNG"),
        (b"GIF89a" + b"x" * 100, "no PNG"),
        (as_format("JPEG"), "no PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "no PNG"),
        (PLAIN[:8], "no PNG"),
        (PLAIN[:40], "damaged"),
        (PLAIN[:60] + b"x" * 20 + PLAIN[80:], "damaged"),
        (PLAIN[:8] + os.urandom(500), "wider or higher|damaged"),
        (claim_size(PLAIN, 0, 10), "wider or higher"),
        (claim_size(PLAIN, 2**31, 1), "wider or higher"),
        (BOMB_OF_PIXELS, "wider or higher than 2,000 pixels"),
        (BOMB_OF_TEXT, "damaged"),
        (BOMB_IN_SIZE, "damaged"),
        (PLAIN + b"x" * 262_144, "more than 256 KB"),
    ],
    ids=lambda value: f"{len(value)} bytes" if isinstance(value, bytes) else "",
)
def test_what_is_no_small_picture_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        clean_logo(data)


def test_the_picture_is_written_anew_without_what_was_beside_it() -> None:
    info = PngInfo()
    info.add_text("Author", "Mara Reuter")
    given = make_png(pnginfo=info) + b"<?php echo 1; ?>"
    assert b"Mara" in given
    clean = clean_logo(given)
    assert b"Mara" not in clean
    assert b"php" not in clean
    with read(clean) as picture:
        assert picture.size == (40, 40)
        assert picture.getpixel((0, 0)) == (36, 75, 65, 255)
        assert not picture.info


@pytest.mark.parametrize(
    ("given", "stored"), [((2000, 1000), (320, 160)), ((2000, 100), (400, 20)), ((30, 20), (30, 20))]
)
def test_a_large_picture_becomes_as_small_as_it_is_shown(
    given: tuple[int, int], stored: tuple[int, int]
) -> None:
    with read(clean_logo(make_png(*given))) as picture:
        assert picture.size == stored


def test_a_picture_with_a_palette_and_16_bits_is_taken() -> None:
    for mode in ("P", "L", "I;16", "1"):
        written = BytesIO()
        Image.new(mode, (20, 20)).save(written, format="PNG")
        with read(clean_logo(written.getvalue())) as picture:
            assert picture.mode == "RGBA"


def test_a_picture_that_cannot_be_compressed_fits() -> None:
    written = BytesIO()
    Image.frombytes("RGBA", SHOWN, os.urandom(SHOWN[0] * SHOWN[1] * 4)).save(written, format="PNG")
    clean = clean_logo(written.getvalue())
    assert 250_000 < len(clean) <= MAX_LOGO_BYTES


def test_a_team_has_one_logo(db: None) -> None:
    team = Team.objects.get()
    set_team_logo(SYSTEM, team, PLAIN)
    set_team_logo(SYSTEM, team, make_png(10, 10))
    with read(bytes(TeamLogo.objects.get().png)) as picture:
        assert picture.size == (10, 10)
    assert remove_team_logo(SYSTEM, team)
    assert not remove_team_logo(SYSTEM, team)
