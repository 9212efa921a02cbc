"""HTTP to the contract's messages and back: proto3 JSON with the contract's own field names.

Rule: what stands in the path, the query and the body together is the request; a field that is not
the contract's, or is said twice and differently, is refused by name.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway import values
from gateway.problems import BadField
from gateway.rpcs import Route

_BOOLS = {"true": True, "false": False}
_INT = re.compile(r"-?[0-9]{1,10}")

Query = Iterable[tuple[str, str]]


def read_request(route: Route, path: Mapping[str, str], query: Query, body: bytes) -> Message:
    """The request; BadField for what cannot be read."""
    if not route.takes_json:
        said = read_query(route.takes, query)
    elif any(True for _ in query):
        raise BadField("", "此接口的参数写在请求体中，不写在网址中")
    else:
        said = _read_body(body)
    for name, text in path.items():
        if said.get(name, text) != text:
            raise BadField(name, "网址与请求体中的值不一致")
        said[name] = text
    return parse(route.request(), route.takes, said)


def read_query(descriptor: Descriptor, query: Query) -> dict[str, Any]:
    """The JSON object that a query says; `a.b` is field b of message a."""
    said: dict[str, Any] = {}
    for name, text in query:
        _place(said, descriptor, name, text)
    return said


def parse(message: Message, descriptor: Descriptor, said: Mapping[str, Any]) -> Message:
    """Put a JSON object into the message; BadField where it does not fit the contract."""
    values.check(descriptor, said)
    try:
        return json_format.ParseDict(dict(said), message)
    except (json_format.ParseError, RecursionError) as wrong:  # two of what excludes each other
        raise BadField("", "内容不符合接口定义") from wrong


def to_json(message: Message) -> dict[str, Any]:
    """The JSON object of an answer; fields that are at their default are written too."""
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _read_body(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body, parse_constant=_refuse_constant, object_pairs_hook=_once)
    except (ValueError, RecursionError) as wrong:
        raise BadField("", "请求体不是JSON，或同一字段写了两次") from wrong
    if not isinstance(said, dict):
        raise BadField("", "请求体须为JSON对象")
    return said


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    said = dict(pairs)
    if len(said) != len(pairs):
        raise ValueError("a name stands twice")
    return said


def _place(said: dict[str, Any], descriptor: Descriptor, name: str, text: str) -> None:
    """Put the value of a query parameter where it belongs."""
    first, _, rest = name.partition(".")
    field = descriptor.fields_by_name.get(first)
    if field is None or values.is_whole(field) == bool(rest) or (rest and field.is_repeated):
        raise BadField(name[:200], "没有这个参数")
    if rest and field.message_type is not None:
        _place(said.setdefault(first, {}), field.message_type, rest, text)
    elif field.is_repeated:
        said.setdefault(first, []).append(_value(field, text))
    elif first in said:
        raise BadField(name, "此参数只能写一次")
    else:
        said[first] = _value(field, text)


def _value(field: FieldDescriptor, text: str) -> Any:
    """What a parameter's text stands for; what it does not fit stays text, and is refused later."""
    if field.type == FieldDescriptor.TYPE_BOOL:
        return _BOOLS.get(text, text)
    if field.type == FieldDescriptor.TYPE_INT32 and _INT.fullmatch(text):
        return int(text)
    return text
