"""Pictures to upload: a card with a stripe, as PNG.

Rule: nobody's papers; a picture is drawn, not kept.
"""

import struct
import zlib

from playwright.sync_api import FilePayload

_WIDTH, _HEIGHT = 640, 404
_STRIPE_ROWS = 90


def card(red: int = 150, green: int = 180, blue: int = 200) -> bytes:
    """A picture of a card in one colour, with a darker stripe at its foot."""
    light = bytes((red, green, blue)) * _WIDTH
    dark = bytes((red // 2, green // 2, blue // 2)) * _WIDTH
    rows = (light if row < _HEIGHT - _STRIPE_ROWS else dark for row in range(_HEIGHT))
    header = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 2, 0, 0, 0)
    content = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    parts = ((b"IHDR", header), (b"IDAT", content), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def upload(name: str = "card.png") -> FilePayload:
    """The picture as a file that somebody chooses."""
    return {"name": name, "mimeType": "image/png", "buffer": card()}


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
