"""Pictures for tests."""

import struct
import zlib
from io import BytesIO

from PIL import Image


def make_png(width: int = 40, height: int = 40, **options: object) -> bytes:
    written = BytesIO()
    Image.new("RGBA", (width, height), (36, 75, 65, 255)).save(written, format="PNG", **options)
    return written.getvalue()


def make_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def claim_size(png: bytes, width: int, height: int) -> bytes:
    """Return a small file that says that it is a picture of this size."""
    header = struct.pack(">II", width, height) + png[24:29]
    return png[:8] + make_chunk(b"IHDR", header) + png[33:]
