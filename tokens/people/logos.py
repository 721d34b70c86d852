"""The logo of a team, which clients see on the pages of its links."""

import struct
import zlib
from io import BytesIO
from typing import Final

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from PIL import Image

from tokens.models import Team, TeamLogo
from tokens.models.team import MAX_LOGO_BYTES
from tokens.people.audit import Action, record_audit
from tokens.permissions import System, require

MANAGE: Final = "tokens.change_teamlogo"
# Of the picture that is uploaded. Decoded it has 64 MB at most, whatever its file has.
MAX_SIDE: Final = 2000  # pixels
# Of the picture that is stored: four times what the page shows, for sharp screens. Its pixels are less than
# MAX_LOGO_BYTES, also those of a picture that cannot be compressed.
SHOWN: Final = (400, 160)
SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
# Signature, length and name of the first chunk, width and height.
HEADER_BYTES: Final = 24
# What Pillow raises for files that are no pictures.
BROKEN: Final = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)


@transaction.atomic
def set_team_logo(user: User | System, team: Team, data: bytes) -> None:
    """Store the picture, written anew, as the logo of the team. Raises PermissionDenied and ValidationError."""
    require(user, MANAGE, team)
    logo = clean_logo(data)
    TeamLogo.objects.update_or_create(team=team, defaults={"png": logo})
    record_audit(user, Action.TEAM_LOGO_SET, team, after={"bytes": len(logo)})


@transaction.atomic
def remove_team_logo(user: User | System, team: Team) -> bool:
    """Remove the logo; return False if there was none. Raises PermissionDenied."""
    require(user, MANAGE, team)
    removed, _ = TeamLogo.objects.filter(team=team).delete()
    if removed:
        record_audit(user, Action.TEAM_LOGO_REMOVE, team)
    return bool(removed)


def clean_logo(data: bytes) -> bytes:
    """Return the picture as a new PNG that has its pixels and nothing else. Raises ValidationError."""
    if len(data) > MAX_LOGO_BYTES:
        raise ValidationError(f"The picture has more than {MAX_LOGO_BYTES // 1024} KB.")
    if not data.startswith(SIGNATURE) or len(data) < HEADER_BYTES:
        raise ValidationError("The file is no PNG picture.")
    # Before anything is decoded: a small file can claim to be a picture of any size.
    width, height = struct.unpack(">II", data[16:HEADER_BYTES])
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise ValidationError(f"The picture is wider or higher than {MAX_SIDE:,} pixels.")
    try:
        return _write_anew(data, (width, height))
    except BROKEN:
        raise ValidationError("The file is no PNG picture, or it is damaged.") from None


def _write_anew(data: bytes, size: tuple[int, int]) -> bytes:
    with Image.open(BytesIO(data), formats=["PNG"]) as picture:
        if picture.size != size:
            raise ValueError("The file has two sizes.")
        pixels = picture.convert("RGBA")
    pixels.thumbnail(SHOWN)
    clean = Image.new("RGBA", pixels.size)
    clean.paste(pixels)
    written = BytesIO()
    clean.save(written, format="PNG", optimize=True)
    return written.getvalue()
