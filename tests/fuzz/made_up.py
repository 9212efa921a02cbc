"""Messages made up from their descriptors, with and against the rules that the contract states.

Rule: no field is named here: what it may hold, and where the edges are, is read from its
descriptor; the texts that mean something come from sound messages of the tests.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from gongji.buf.validate import validate_pb2
from tests.fuzz.choice import Choice, one_in, pick

Known = Mapping[str, tuple[str, ...]]

_DEEPEST = 5
_EDITS = (0, 0, 1, 1, 2, 4)
_FEW, _MANY = 3, 1200
_SHORT, _LONG = 40, 300
_BITS = {
    FieldDescriptor.TYPE_INT32: (-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.TYPE_INT64: (-(1 << 63), (1 << 63) - 1),
    FieldDescriptor.TYPE_ENUM: (-(1 << 31), (1 << 31) - 1),
}
_EDGES = (
    0, 1, -1, 2, 12, 13, 28, 31, 32, 100, 1999, 2025, 2026, 9999, 10_000, 999_999_999, 10**9,
    10**12, 10**12 + 1, 1_760_500_000, 253_402_300_799, 253_402_300_800, -62_135_596_800,
    -62_135_596_801, (1 << 31) - 1, 1 << 31, -(1 << 31), (1 << 53) + 1, (1 << 63) - 1, -(1 << 63),
)  # fmt: skip
_WORDS = (
    "", "a", "A-1", "r-1", "0", "1", "-1", "0.0001", "1.5", "00.10", "999999999999.999999", "1e3",
    "150100", "150000", "999999", "000000", "王1", "药", " ", "a b", "a\0b", "\n", "\u202e", "😀",
    "%s", "'", '"; --', "\\x00", "{}", "../..", "00000000-0000-8000-8000-000000000000",
    "5f0a3c7e-0000-8000-8000-000000000001", "FFFFFFFF-FFFF-8FFF-BFFF-FFFFFFFFFFFF",
)  # fmt: skip


def texts_in(messages: Iterable[Message]) -> Known:
    """What stands in the text fields of these messages, by the field's name."""
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for message in messages:
        for name, text in _texts(message):
            found[name][text] = None
    return {name: tuple(texts) for name, texts in found.items()}


def _texts(message: Message) -> Iterator[tuple[str, str]]:
    for field, value in message.ListFields():
        for one in value if field.is_repeated else (value,):
            if isinstance(one, Message):
                yield from _texts(one)
            elif isinstance(one, str):
                yield field.name, one


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes messages of what a choice gives; `known` are texts that name something."""

    choice: Choice
    known: Known

    def fill(self, message: Message, depth: int = 0) -> None:
        """Most fields of a message."""
        for field in fields_of(message):
            if not one_in(self.choice, 4):
                self.put(message, field, depth)

    def spoil(self, message: Message) -> None:
        """Some other values in a message that is sound."""
        for _ in range(pick(self.choice, _EDITS)):
            self._edit(message)

    def bytes_of(self, message: Message) -> bytes:
        """The message's bytes, now and then damaged."""
        body = message.SerializeToString()
        if not body or not one_in(self.choice, 16):
            return body
        at = self.choice.whole(0, len(body) - 1)
        return body[:at] + self.choice.raw(4) + body[at + self.choice.whole(0, 2) :]

    def put(self, message: Message, field: FieldDescriptor, depth: int = 0) -> None:
        """Something in one field."""
        if not field.is_repeated:
            self._put_one(message, field, depth)
            return
        rules, values = rules_of(field).repeated, getattr(message, field.name)
        del values[:]
        for _ in range(self.choice.whole(0, _FEW)):
            if field.message_type is None:
                values.append(self._value(field))
            elif depth < _DEEPEST:
                self.fill(values.add(), depth + 1)
        if values and rules.max_items < _MANY and one_in(self.choice, 32):
            values.extend([values[0]] * rules.max_items)

    def _put_one(self, message: Message, field: FieldDescriptor, depth: int) -> None:
        if field.message_type is None:
            setattr(message, field.name, self._value(field))
        elif depth < _DEEPEST:
            inner = getattr(message, field.name)
            inner.SetInParent()
            self.fill(inner, depth + 1)

    def _edit(self, message: Message) -> None:
        field = pick(self.choice, fields_of(message))
        inner = getattr(message, field.name)
        if field.message_type is not None and not one_in(self.choice, 4):
            if not field.is_repeated:
                self._edit(inner)
                return
            if inner:
                self._edit(pick(self.choice, inner))
                return
        if one_in(self.choice, 4):
            message.ClearField(field.name)
        else:
            self.put(message, field, depth=_DEEPEST - 2)

    def _value(self, field: FieldDescriptor) -> Any:
        if field.type == FieldDescriptor.TYPE_STRING:
            return self._text(field)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return self.choice.raw(_LONG)
        if field.type == FieldDescriptor.TYPE_BOOL:
            return one_in(self.choice, 2)
        if field.enum_type is not None and not one_in(self.choice, 8):
            return pick(self.choice, field.enum_type.values).number
        return self._number(field)

    def _number(self, field: FieldDescriptor) -> int:
        least, most = _BITS[field.type]
        bounds = [one for one in bounds_of(field) if least < one < most]
        how = self.choice.whole(0, 3)
        if how == 0 and bounds:
            return self.choice.whole(min(bounds), max(bounds))
        if how == 1 and bounds:
            return pick(self.choice, bounds) + self.choice.whole(-1, 1)
        if how < 3:
            return max(least, min(most, pick(self.choice, _EDGES)))
        return self.choice.whole(least, most)

    def _text(self, field: FieldDescriptor) -> str:
        how = self.choice.whole(0, 7)
        if how < 3 and field.name in self.known:
            return pick(self.choice, self.known[field.name])
        if how < 5:
            return pick(self.choice, fitting(text_rules(field).pattern))
        if how == 5 and self.known:
            return pick(self.choice, pick(self.choice, tuple(self.known.values())))
        if how == 6:
            return self.choice.text(_SHORT)
        longest = text_rules(field).max_len or _LONG
        return (self.choice.text(2) or "x") * (longest + self.choice.whole(-1, 1))


def fields_of(message: Message) -> Sequence[FieldDescriptor]:
    """The fields a message may have."""
    fields: Any = message.DESCRIPTOR.fields
    return tuple(fields)


def rules_of(field: FieldDescriptor) -> Any:
    """What the contract says of a field."""
    return field.GetOptions().Extensions[validate_pb2.field]


def text_rules(field: FieldDescriptor) -> Any:
    """What it says of a text, or of each text of a list."""
    rules = rules_of(field)
    return rules.repeated.items.string if field.is_repeated else rules.string


def bounds_of(field: FieldDescriptor) -> list[int]:
    """The bounds it states of a number."""
    rules = rules_of(field)
    rules = rules.repeated.items if field.is_repeated else rules
    kind = rules.WhichOneof("type")
    if kind not in ("int32", "int64"):
        return []
    stated = getattr(rules, kind)
    return [getattr(stated, name) for name in ("gt", "gte", "lt", "lte") if stated.HasField(name)]


@cache
def fitting(pattern: str) -> tuple[str, ...]:
    """The words that a pattern lets pass; all, where there is none, or Python can't read it."""
    try:
        found = tuple(word for word in _WORDS if re.search(pattern, word))
    except re.error:
        return _WORDS
    return found or _WORDS
