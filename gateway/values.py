"""What a JSON value must be to stand for a field of the contract.

Rule: as strict as the OpenAPI document, which says the same by `gateway/schemas.py`: the contract's
own names, no null, int64 as a string or as a number that JSON holds exactly. What is refused is
named, `items[2].quantity`.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.problems import BadField

INT64 = "(0|-?[1-9][0-9]{0,17})"
"""An int64 in JSON; the contract needs no more than 18 digits."""

EXACT = (1 << 53) - 1
"""The largest whole number that every reader of JSON holds exactly."""

_INT64 = re.compile(INT64)
_INT32_BITS = 31
_WELL_KNOWN: Mapping[str, type[Timestamp] | type[Duration] | type[FieldMask]] = {
    "google.protobuf.Timestamp": Timestamp,
    "google.protobuf.Duration": Duration,
    "google.protobuf.FieldMask": FieldMask,
}


def check(descriptor: Descriptor, said: Mapping[str, Any], place: str = "") -> None:
    """BadField where a JSON object is not the message that `descriptor` describes."""
    for name, value in said.items():
        where = f"{place}.{name}" if place else name
        field = descriptor.fields_by_name.get(name)
        if field is None:
            raise BadField(where[:200], "没有这个字段")
        if not field.is_repeated:
            _check_one(field, value, where)
            continue
        if not isinstance(value, list):
            raise BadField(where, "须为数组")
        for number, one in enumerate(value):
            _check_one(field, one, f"{where}[{number}]")


def is_whole(field: FieldDescriptor) -> bool:
    """Whether one JSON value that is no object stands for the field."""
    return field.message_type is None or field.message_type.full_name in _WELL_KNOWN


def _check_one(field: FieldDescriptor, value: Any, where: str) -> None:
    if field.message_type is not None and not is_whole(field):
        if not isinstance(value, dict):
            raise BadField(where, "须为JSON对象")
        check(field.message_type, value, where)
        return
    is_right, wanted = _SCALARS[field.type]
    if not is_right(field, value):
        raise BadField(where, wanted)


def _is_text(_: FieldDescriptor, value: Any) -> bool:
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def _is_bytes(_: FieldDescriptor, value: Any) -> bool:
    try:
        return isinstance(value, str) and base64.b64decode(value, validate=True) is not None
    except binascii.Error:
        return False


def _is_int32(_: FieldDescriptor, value: Any) -> bool:
    is_whole_float = isinstance(value, float) and value.is_integer()  # JSON has one kind of number
    is_int = isinstance(value, int) and not isinstance(value, bool)
    return (is_int or is_whole_float) and -(1 << _INT32_BITS) <= value < 1 << _INT32_BITS


def _is_int64(_: FieldDescriptor, value: Any) -> bool:
    if isinstance(value, str):
        return _INT64.fullmatch(value) is not None
    is_whole_float = isinstance(value, float) and value.is_integer()
    is_int = isinstance(value, int) and not isinstance(value, bool)
    return (is_int or is_whole_float) and -EXACT <= value <= EXACT


def _is_name(field: FieldDescriptor, value: Any) -> bool:
    assert field.enum_type is not None  # noqa: S101 - an enum has a type
    return isinstance(value, str) and value in field.enum_type.values_by_name


def _is_well_known(field: FieldDescriptor, value: Any) -> bool:
    assert field.message_type is not None  # noqa: S101 - a message has a type
    if not isinstance(value, str):
        return False
    try:
        _WELL_KNOWN[field.message_type.full_name]().FromJsonString(value)
    except ValueError:
        return False
    return True


_SCALARS: Mapping[int, tuple[Callable[[FieldDescriptor, Any], bool], str]] = {
    FieldDescriptor.TYPE_STRING: (_is_text, "须为文字"),
    FieldDescriptor.TYPE_BYTES: (_is_bytes, "须为Base64文字"),
    FieldDescriptor.TYPE_BOOL: (lambda _, value: isinstance(value, bool), "须为true或false"),
    FieldDescriptor.TYPE_INT32: (_is_int32, "须为整数"),
    FieldDescriptor.TYPE_INT64: (_is_int64, '须为整数；很大的数写作文字，如"100"'),
    FieldDescriptor.TYPE_ENUM: (_is_name, "取值不在允许范围内"),
    FieldDescriptor.TYPE_MESSAGE: (
        _is_well_known,
        "格式不正确：时间如2026-01-01T08:00:00Z，时长如60s",
    ),
}
