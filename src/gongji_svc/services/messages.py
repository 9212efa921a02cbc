"""Request bytes to messages: read, then checked against the rules that the contract states.

Rule: bad input names every field that is wrong and the remedy, and never gets further than here.
"""

from typing import Any, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message
from protovalidate import Validator

from gongji.buf.validate import validate_pb2
from gongji_svc.domain.errors import InvalidField, MalformedRequest, Violation

M = TypeVar("M", bound=Message)

_VALIDATOR = Validator()

# What a broken rule means to a person, by the last part of the rule's id.
_REMEDIES = {
    "required": "必填项，请填写",
    "min_len": "内容过短",
    "max_len": "内容过长",
    "len": "长度不正确",
    "max_bytes": "内容过长",
    "pattern": "格式不正确",
    "uuid": "编号格式不正确",
    "min_items": "至少填写一项",
    "max_items": "项数过多",
    "unique": "有重复项",
    "defined_only": "取值不在允许范围内",
    "not_in": "请选择有效取值",
    "in": "取值不在允许范围内",
}
_EMPTY = "不能为空"
_BOUNDS = {"gt": "大于", "gte": "不小于", "lt": "小于", "lte": "不大于"}
# The status travels in a header, and clients take at most 8 KiB of headers.
_MOST_VIOLATIONS = 20
_OTHER = "内容不符合要求"


def read(kind: type[M], body: bytes) -> M:
    """The message in `body`, its fields checked.

    MalformedRequest when the bytes are not such a message, InvalidField naming each bad field.
    """
    try:
        message = kind.FromString(body)
    except (DecodeError, UnicodeDecodeError) as broken:
        raise MalformedRequest from broken
    check(message)
    return message


def check(message: Message) -> None:
    """InvalidField naming the fields, at most 20, that break a rule of the contract."""
    broken = _VALIDATOR.collect_violations(message)
    if broken:
        raise invalid(*(_violation(message, one) for one in broken[:_MOST_VIOLATIONS]))


def invalid(*violations: Violation) -> InvalidField:
    """The refusal for fields that are wrong."""
    fields = ", ".join(violation.field for violation in violations)
    return InvalidField(violations=violations, fields=fields)


def _violation(message: Message, broken: Any) -> Violation:
    return Violation(_path(broken.proto.field), _remedy(message, broken))


def _remedy(message: Message, broken: Any) -> str:
    kind, _, rule = broken.proto.rule_id.rpartition(".")
    if broken.field_value == "":
        return _EMPTY
    if rule.startswith(("gt", "lt")):
        return _range(message, broken.proto)
    if rule == "not_in" and kind != "enum":
        return "不能为" + "、".join(str(value) for value in broken.rule_value)
    return _REMEDIES.get(rule, _OTHER)


def _range(message: Message, broken: Any) -> str:
    """The bounds that the contract states of a number or a duration."""
    descriptor: Any = message.DESCRIPTOR
    for element in broken.field.elements:
        field = descriptor.fields_by_name[element.field_name]
        descriptor = field.message_type
    rules: Any = field.GetOptions().Extensions[validate_pb2.field]
    for element in broken.rule.elements[:-1]:
        rules = getattr(rules, element.field_name)
    stated = {name: getattr(rules, name) for name in _BOUNDS if rules.HasField(name)}
    return "须" + "、".join(f"{_BOUNDS[name]}{_bound(value)}" for name, value in stated.items())


def _bound(value: Any) -> str:
    return f"{value.ToSeconds()}秒" if isinstance(value, Duration) else str(value)


def _path(field: Any) -> str:
    """The path of a field as the contract writes it: items[3].quantity."""
    parts: list[str] = []
    for element in field.elements:
        subscript = element.subscript
        place = "" if subscript is None else f"[{subscript.value}]"
        parts.append(f"{element.field_name}{place}")
    return ".".join(parts)
