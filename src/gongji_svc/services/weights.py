"""What a call weighs: as much as so many ordinary ones, by its bytes, read no further than needed.

Rule: a purchase of a few lines weighs 1. A request's kilobyte costs what such a purchase does, and
so do four of an answer (half a millisecond of the processor, measured with bills of 1500 lines and
lists of 1000 rows). A batch weighs as many as it has items, more when its bytes do.
"""

from collections.abc import Iterator

from google.protobuf.message import DecodeError, Message

from gongji_svc.services.contract import METHODS, Method

_REQUEST_BYTES = 1 << 10
_ANSWER_BYTES = 4 << 10
_MANY_ROWS = 200


def weight(method: Method, body: bytes, answer: bytes = b"", *, times: int = 1) -> int:
    """How many ordinary calls one with this request, and this answer, costs as much as; `times` is
    how much longer than those they may be.
    """
    field = _BATCHES.get(method.path)
    items = 1 if field is None else items_in(body, field)
    kilobytes = len(body) // _REQUEST_BYTES + len(answer) // _ANSWER_BYTES
    return max(1, items, kilobytes // times)


def is_batch(method: Method) -> bool:
    """Whether one call asks many things."""
    return method.path in _BATCHES


def asks_much(method: Method, body: bytes) -> bool:
    """Whether a call asks for a long page of a list."""
    if method.path not in _LISTS:
        return False
    try:
        request: Message = method.request.FromString(body)
    except DecodeError:
        return False  # refused where it is read
    return bool(getattr(request, _PAGE_SIZE) > _MANY_ROWS)


def items_in(body: bytes, field: int, most: int = 1000) -> int:
    """How many elements of a field of messages are in a request's bytes, `most` at most; as many as
    there are before bytes that are no request, which whoever reads them refuses.
    """
    place, count, wanted = 0, 0, field << 3 | 2
    try:
        while place < len(body) and count < most:
            tag, place = _varint(body, place)
            kind = tag & 7
            if kind == 2:
                size, place = _varint(body, place)
                place += size
                count += tag == wanted
            elif kind == 0:
                _, place = _varint(body, place)
            elif kind in (1, 5):
                place += 8 if kind == 1 else 4
            else:
                break
    except IndexError:
        pass
    return count


def _varint(body: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while (byte := body[place]) & 0x80:
        value |= (byte & 0x7F) << shift
        shift += 7
        place += 1
    return value | byte << shift, place + 1


def _batches() -> Iterator[tuple[str, int]]:
    """The batch calls, and the field of each that holds what is asked."""
    for method in METHODS:
        if method.name.startswith("Batch"):
            (items,) = (
                field
                for field in method.request.DESCRIPTOR.fields
                if field.is_repeated and field.message_type is not None
            )
            yield method.path, items.number


_PAGE_SIZE = "page_size"
_BATCHES = dict(_batches())
_LISTS = frozenset(
    method.path for method in METHODS if _PAGE_SIZE in method.request.DESCRIPTOR.fields_by_name
)
