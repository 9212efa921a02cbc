"""Page tokens: where a page ended, for the same list and for nothing else.

Rule: a token is opaque and carries a keyed hash over its list's parameters and its position, so one
that was altered, or is used with other parameters, is refused. The page size may change.
"""

import base64
import binascii
import struct
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from google.protobuf.message import Message

from gongji_svc.domain.errors import PageTokenInvalid
from gongji_svc.storage.sealing import Sealer

DEFAULT_PAGE_SIZE = 50
_PAGING_FIELDS = ("page_token", "page_size")
_HASH_BYTES = 8
_POSITION = struct.Struct("!q16s")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def size_of(request: Any) -> int:
    """How many a page holds."""
    return int(request.page_size) or DEFAULT_PAGE_SIZE


def token_after(request: Message, position: bytes, sealer: Sealer) -> str:
    """The token of the page that begins after `position`."""
    marked = _mark(request, position, sealer) + position
    return base64.urlsafe_b64encode(marked).decode()


def position_in(request: Any, sealer: Sealer) -> bytes | None:
    """The position the request's page begins after, None for the first; PageTokenInvalid."""
    if not request.page_token:
        return None
    try:
        marked = base64.urlsafe_b64decode(request.page_token.encode())
    except (binascii.Error, ValueError) as broken:
        raise PageTokenInvalid from broken
    position = marked[_HASH_BYTES:]
    if marked[:_HASH_BYTES] != _mark(request, position, sealer):
        raise PageTokenInvalid
    return position


def position_of(moment: datetime, object_id: UUID) -> bytes:
    """A place in a list by time."""
    return _POSITION.pack((moment - _EPOCH) // _MICROSECOND, object_id.bytes)


def place_at(position: bytes) -> tuple[datetime, UUID]:
    """What `position_of` packed."""
    micros, object_id = _POSITION.unpack(position)
    return _EPOCH + micros * _MICROSECOND, UUID(bytes=object_id)


def _mark(request: Message, position: bytes, sealer: Sealer) -> bytes:
    parameters = type(request)()
    parameters.CopyFrom(request)
    for name in _PAGING_FIELDS:
        parameters.ClearField(name)
    kind = request.DESCRIPTOR.full_name.encode()
    return sealer.field_hash(
        b"\0".join((kind, position, parameters.SerializeToString(deterministic=True)))
    )
