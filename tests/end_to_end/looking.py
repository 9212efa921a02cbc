"""Looks for the demo's people in whatever was printed, logged, told or kept.

Rule: everything is looked for in every form in which text is written: as UTF-8, escaped, in a web
address, in hexadecimal, in base64.
"""

import base64
import json
from typing import Any
from urllib.parse import quote

import psycopg

from gongji_svc.demo import data


def secrets() -> dict[str, str]:
    """What must not be found, by whose and what it is."""
    return {
        f"{what} of {one.key}": getattr(one, what)
        for one in data.PEOPLE
        for what in ("name", "certificate_number", "card_no", "phone")
    }


def forms(secret: str) -> set[bytes]:
    """The ways of writing it: base64 depends on where it begins among three bytes."""
    raw = secret.encode()
    found = {raw, raw.hex().encode(), raw.hex().upper().encode(), quote(secret).encode()}
    found |= {
        json.dumps(secret)[1:-1].encode(),
        secret.encode("gb18030"),
        secret.encode("utf-16-le"),
    }
    found.add("".join(f"\\{byte:03o}" for byte in raw).encode())
    for before in range(3):
        coded = base64.b64encode(bytes(before) + raw)
        sure = coded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        found |= {sure, sure.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def found_in(content: bytes) -> list[str]:
    """Which of the secrets stand in it, in whatever form."""
    return [
        whose for whose, one in secrets().items() if any(form in content for form in forms(one))
    ]


def tables_of(tx: psycopg.Connection[Any]) -> list[str]:
    """All tables by name."""
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    return [name for (name,) in tx.execute(query)]


def dump_of(tx: psycopg.Connection[Any], table: str) -> bytes:
    """All that a table holds, as text, and its bytes once more as they are."""
    with tx.cursor().copy(f"COPY {table} TO STDOUT") as copy:
        text = b"".join(copy)
    for escaped in text.split(b"\\\\x")[1:]:
        digits = escaped[: len(escaped) - len(escaped.lstrip(b"0123456789abcdef"))]
        text += b"\n" + bytes.fromhex(digits.decode())
    return text
