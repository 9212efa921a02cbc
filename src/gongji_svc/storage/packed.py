"""Columns of values packed into PostgreSQL's binary array format, for set-based statements.

Rule: the money path sends one array a column, packed here in one go; psycopg's own list dumpers
would cost about 120 microseconds a settlement at a batch of 32.
"""

import json
import struct
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import psycopg
from psycopg import pq
from psycopg.adapt import Buffer, Dumper, Loader
from sqlalchemy import types
from sqlalchemy.dialects import postgresql

_HEADER = struct.Struct("!iiIii")  # dimensions, has null, element oid, length, lower bound
_NULL = b"\xff\xff\xff\xff"
_DATE_EPOCH = date(2000, 1, 1).toordinal()
_TIME_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class PackedArray:
    """An array in PostgreSQL's binary wire format, ready to send."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class _Bigints(PackedArray):
    __slots__ = ()


class _Smallints(PackedArray):
    __slots__ = ()


class _Texts(PackedArray):
    __slots__ = ()


class _Uuids(PackedArray):
    __slots__ = ()


class _Blobs(PackedArray):
    __slots__ = ()


class _Dates(PackedArray):
    __slots__ = ()


class _Instants(PackedArray):
    __slots__ = ()


class _Booleans(PackedArray):
    __slots__ = ()


def _micros(instant: datetime) -> int:
    delta = instant - _TIME_EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def _fixed(layout: str, convert: Callable[[Any], object] | None) -> Callable[[Any], bytes]:
    pack = struct.Struct("!i" + layout).pack
    size = struct.calcsize("!" + layout)
    if convert is None:
        return lambda value: pack(size, value)
    return lambda value: pack(size, convert(value))


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


@lru_cache(maxsize=4096)  # most texts of a batch are regions, states and kinds
def _text(value: str) -> bytes:
    return _sized(value.encode())


# Ids and days within JSON are kept as text.
dump_json = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), default=str, check_circular=False
).encode
_EMPTY_LIST = b"\x01[]"
_scan_json = json.JSONDecoder().raw_decode

_Element = tuple[type[PackedArray], int, int, Callable[..., bytes]]  # class, element oid, array oid

_ELEMENTS: dict[type[types.TypeEngine[Any]], _Element] = {
    types.BigInteger: (_Bigints, 20, 1016, _fixed("q", None)),
    types.SmallInteger: (_Smallints, 21, 1005, _fixed("h", None)),
    types.Text: (_Texts, 25, 1009, _text),
    types.Uuid: (_Uuids, 2950, 2951, lambda value: b"\0\0\0\x10" + value.int.to_bytes(16)),
    types.LargeBinary: (_Blobs, 17, 1001, _sized),
    types.Date: (_Dates, 1082, 1182, _fixed("i", lambda value: value.toordinal() - _DATE_EPOCH)),
    types.DateTime: (_Instants, 1184, 1185, _fixed("q", _micros)),
    types.Boolean: (_Booleans, 16, 1000, _fixed("?", None)),
    # JSON travels as text and is cast in the statement: its binary form only adds a version byte.
    postgresql.JSONB: (_Texts, 25, 1009, lambda value: _sized(dump_json(value).encode())),
}


def _dumper(array_oid: int) -> type[Dumper]:
    class PackedDumper(Dumper):
        format = pq.Format.BINARY
        oid = array_oid

        def dump(self, obj: PackedArray) -> bytes:
            return obj.data

    return PackedDumper


class _JsonbLoader(Loader):
    """What the server sends is JSON without a blank around it, after a byte of version: half the
    cost of `json.loads`.
    """

    format = pq.Format.BINARY

    def load(self, data: Buffer) -> object:
        if data == _EMPTY_LIST:
            return []  # most lists are
        return _scan_json(str(data[1:], "utf-8"))[0]


def register(connection: psycopg.Connection) -> None:
    """Teach a connection to send packed arrays, and to read JSON quickly."""
    connection.adapters.register_loader("jsonb", _JsonbLoader)
    for kind, _, array_oid, _ in _ELEMENTS.values():
        connection.adapters.register_dumper(kind, _dumper(array_oid))


def pack(column_type: types.TypeEngine[Any], values: Sequence[object]) -> PackedArray:
    """`values` (None for NULL) as one array of the column's type."""
    kind, element_oid, _, encode = _ELEMENTS[type(column_type)]
    parts = [_NULL if value is None else encode(value) for value in values]
    has_null = 1 if _NULL in parts else 0  # bytes compare faster than what they were made from
    header = _HEADER.pack(1, has_null, element_oid, len(parts), 1)
    return kind(header + b"".join(parts))


def uuids(values: Sequence[UUID]) -> PackedArray:
    """Ids as one uuid[]."""
    return pack(types.Uuid(), values)


def texts(values: Sequence[str]) -> PackedArray:
    """Strings as one text[]."""
    return pack(types.Text(), values)
