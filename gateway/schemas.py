"""JSON schemas of the contract's messages, from their descriptors and field rules.

Rule: what a schema demands is what the contract's `buf.validate` options demand, as far as JSON
schema can say it; an answer has every field that is always written. A message has one schema as a
part of an answer, and another, `...Input`, as a part of a request, where it may be left out.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway import values
from gateway.comments import comment_of
from gongji.buf.validate import validate_pb2

Schema = dict[str, Any]

_INT64 = {"type": "string", "pattern": f"^{values.INT64}$"}
_NOT_NEGATIVE = "^(0|[1-9][0-9]{0,17})$"
_NOT_ZERO = "^-?[1-9][0-9]{0,17}$"
_UUID_OR_EMPTY = "^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})?$"
_INT32 = {"type": "integer", "minimum": -(1 << 31), "maximum": (1 << 31) - 1}
_SCALARS: Mapping[int, Schema] = {
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_INT64: _INT64,
}
_WELL_KNOWN: Mapping[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": "^-?[0-9]{1,9}(\\.[0-9]{1,9})?s$"},
    "google.protobuf.FieldMask": {
        "type": "string",
        "pattern": "^[a-z][A-Za-z]*(,[a-z][A-Za-z]*)*$",
    },
}
_DATE = "google.type.Date"
_DATE_LIMITS = {"year": (1, 9999), "month": (1, 12), "day": (1, 31)}
# JSON schema's patterns need not know Unicode's categories: control characters, and separators.
_CATEGORIES = {
    "\\P{Cc}": "[^\\u0000-\\u001f\\u007f-\\u009f]",
    "\\p{Cc}": "\\u0000-\\u001f\\u007f-\\u009f",
    "\\p{Z}": " \\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000",
}


def name_of(descriptor: Descriptor, *, answer: bool) -> str:
    """The schema's name: the message's, with its package where it is not ours."""
    name = str(descriptor.full_name).removeprefix("gongji.v1.")
    return name if answer else f"{name}Input"


def schema_of(descriptor: Descriptor, *, answer: bool) -> Schema:
    """The schema of a message, sent or answered."""
    fields = list(descriptor.fields)
    properties = {field.name: field_schema(field, answer=answer) for field in fields}
    if answer:
        required = [field.name for field in fields if not field.has_presence]
    else:
        required = [field.name for field in fields if is_required(field)]
    if descriptor.full_name == _DATE and not answer:
        required = list(_DATE_LIMITS)
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = required
    for oneof in descriptor.oneofs:
        options = oneof.GetOptions().Extensions[validate_pb2.oneof]
        if options.required and not answer:
            schema["oneOf"] = [{"required": [field.name]} for field in oneof.fields]
    if text := comment_of(descriptor.full_name):
        schema["description"] = text
    return schema


def field_schema(field: FieldDescriptor, *, answer: bool) -> Schema:
    """The schema of a field, with its rules and its comment."""
    rules = rules_of(field)
    one = _one(field, rules.repeated.items if field.is_repeated else rules, answer)
    if field.is_repeated:
        one = {"type": "array", "items": one, **_items(rules.repeated)}
    text = comment_of(field.full_name)
    if text and "$ref" in one:
        return {"allOf": [one], "description": text}
    return {**one, "description": text} if text else one


def messages_below(descriptor: Descriptor) -> Iterator[Descriptor]:
    """The message and all that its fields are made of, each once."""
    seen: set[str] = set()
    waiting = [descriptor]
    while waiting:
        found = waiting.pop()
        if found.full_name in seen or found.full_name in _WELL_KNOWN:
            continue
        seen.add(found.full_name)
        yield found
        waiting.extend(field.message_type for field in found.fields if field.message_type)


def is_required(field: FieldDescriptor) -> bool:
    """Whether a request without the field breaks a rule."""
    rules = rules_of(field)
    if rules.required:
        return True
    if field.has_presence or rules.ignore != validate_pb2.IGNORE_UNSPECIFIED:
        return False
    if field.is_repeated:
        return bool(rules.repeated.min_items)
    text = rules.string
    if (
        rules.int32.gte > 0
        or text.uuid
        or text.min_len
        or "{1," in text.pattern
        or text.pattern == "^[0-9]{6}$"
    ):
        return True
    allowed = [*getattr(rules.enum, "in"), *getattr(text, "in")]
    return bool(allowed) or 0 in rules.enum.not_in or "0" in map(str, rules.int64.not_in)


def rules_of(field: FieldDescriptor) -> validate_pb2.FieldRules:
    """The contract's rules of a field."""
    rules: validate_pb2.FieldRules = field.GetOptions().Extensions[validate_pb2.field]
    return rules


def _one(field: FieldDescriptor, rules: validate_pb2.FieldRules, answer: bool) -> Schema:
    if field.message_type is not None:
        known = _WELL_KNOWN.get(field.message_type.full_name)
        name = name_of(field.message_type, answer=answer)
        return dict(known or {"$ref": f"#/components/schemas/{name}"})
    if field.enum_type is not None:
        wanted = set(getattr(rules.enum, "in"))
        unwanted = set(rules.enum.not_in)
        names = [
            value.name
            for value in field.enum_type.values
            if value.number not in unwanted and (not wanted or value.number in wanted)
        ]
        return {"type": "string", "enum": names}
    if field.type == FieldDescriptor.TYPE_INT64 and not answer:
        return _sent_int64(rules.int64)
    return {**_SCALARS[field.type], **_limits(field, rules)}


def _limits(field: FieldDescriptor, rules: validate_pb2.FieldRules) -> Schema:
    if field.type == FieldDescriptor.TYPE_STRING:
        return _text(rules.string, optional=rules.ignore != validate_pb2.IGNORE_UNSPECIFIED)
    if field.full_name.startswith(f"{_DATE}."):
        least, most = _DATE_LIMITS[field.name]
        return {"minimum": least, "maximum": most}
    if field.type == FieldDescriptor.TYPE_INT32:
        return _number(rules.int32)
    return {}


def _sent_int64(rules: validate_pb2.Int64Rules) -> Schema:
    """As a string, or as a number that JSON holds exactly."""
    schema: Schema = {"type": ["string", "integer"], "maximum": values.EXACT}
    if 0 in rules.not_in:
        return {**schema, "pattern": _NOT_ZERO, "minimum": -values.EXACT, "not": {"const": 0}}
    if rules.HasField("gte") and rules.gte == 0:
        return {**schema, "pattern": _NOT_NEGATIVE, "minimum": 0}
    return {**schema, "pattern": _INT64["pattern"], "minimum": -values.EXACT}


def _text(rules: validate_pb2.StringRules, *, optional: bool) -> Schema:
    schema: Schema = {}
    if rules.min_len and not optional:
        schema["minLength"] = rules.min_len
    if rules.HasField("max_len"):
        schema["maxLength"] = rules.max_len
    if rules.pattern:
        schema["pattern"] = rules.pattern
        for category, characters in _CATEGORIES.items():
            schema["pattern"] = schema["pattern"].replace(category, characters)
    if rules.uuid:
        schema |= {"pattern": _UUID_OR_EMPTY} if optional else {"format": "uuid"}
    if allowed := list(getattr(rules, "in")):
        schema["enum"] = allowed
    return schema


def _number(rules: validate_pb2.Int32Rules) -> Schema:
    schema: Schema = {}
    if rules.HasField("gte"):
        schema["minimum"] = rules.gte
    if rules.HasField("lte"):
        schema["maximum"] = rules.lte
    return schema


def _items(rules: validate_pb2.RepeatedRules) -> Schema:
    schema: Schema = {}
    if rules.min_items:
        schema["minItems"] = rules.min_items
    if rules.HasField("max_items"):
        schema["maxItems"] = rules.max_items
    if rules.unique:
        schema["uniqueItems"] = True
    return schema
