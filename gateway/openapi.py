"""The OpenAPI 3.1 document, from the contract's descriptors.

Rule: it says all that a call may answer; an answer that is not in it is a fault.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from gateway import problems
from gateway.comments import comment_of
from gateway.rpcs import ROUTES, Route, Shape
from gateway.schemas import (
    Schema,
    field_schema,
    is_required,
    messages_below,
    name_of,
    schema_of,
)
from gateway.values import is_whole

_JSON = "application/json"
_BYTES = {"type": "string", "format": "binary"}
_PROBLEMS = {
    "400": "业务未办理：内容有误，或按规则不能办理",
    "401": "请先登录",
    "403": "无权办理，或没有这项记录",
    "404": "没有找到",
    "405": "不支持这种请求方法",
    "408": "请求没有收全",
    "409": "与已有记录冲突",
    "413": "内容过大",
    "415": "内容类型不支持",
    "429": "请求过于频繁",
    "500": "系统错误",
    "501": "尚未开通",
    "503": "服务暂时不可用",
    "504": "处理超时，结果未知",
}
_REASON = (
    "ErrorReason of the contract. Empty: the core said nothing, and what became of the call is not "
    "known; send the same request_id again."
)
_PROBLEM: Schema = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "detail_en", "reason", "fields", "metadata"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "Chinese, with what to do next"},
        "detail_en": {"type": "string"},
        "reason": {"type": "string", "description": _REASON},
        "fields": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "description"],
                "properties": {"field": {"type": "string"}, "description": {"type": "string"}},
            },
        },
        "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
        "retry_after_seconds": {"type": "integer"},
    },
}


@cache
def document() -> Mapping[str, Any]:
    """The document."""
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.template, {})[route.verb.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "共济 Gongji",
            "version": "v1",
            "description": "医保个人账户家庭共济：网页客户端接口。金额以分为单位，写作字符串。",
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "responses": {
                status: {
                    "description": text,
                    "content": {
                        problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}
                    },
                }
                for status, text in _PROBLEMS.items()
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
        "security": [{"bearer": []}],
    }


def _operation(route: Route) -> Schema:
    comment = comment_of(str(route.descriptor.full_name))
    operation: Schema = {
        "operationId": route.name if route.first else f"{route.name}_{route.verb.lower()}_other",
        "tags": [route.service],
        "summary": comment.partition(". ")[0],
        "description": f"{comment} ({', '.join(route.roles)})",
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": {
            "200": {"description": "办理结果", "content": _content(route)},
            **{status: {"$ref": f"#/components/responses/{status}"} for status in _PROBLEMS},
        },
    }
    if route.takes_json:
        schema = {"$ref": f"#/components/schemas/{_body_name(route)}"}
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": schema}}}
    elif route.shape is Shape.UPLOAD:
        content = {name: {"schema": _BYTES} for name in route.media_types}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _content(route: Route) -> Schema:
    if route.shape is Shape.EVENTS:
        return {"text/event-stream": {"schema": {"type": "string"}}}
    if route.shape is Shape.DOWNLOAD:
        return {"*/*": {"schema": _BYTES}}
    name = name_of(route.gives, answer=True)
    return {_JSON: {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def _path_parameters(route: Route) -> Iterable[Schema]:
    for name in route.path_fields:
        schema = field_schema(route.takes.fields_by_name[name], answer=False)
        if schema.get("format") != "uuid":
            schema.setdefault("minLength", 1)
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(route: Route) -> Iterable[Schema]:
    """The fields that are not in the path, nor excluded by one that is."""
    if route.takes_json:
        return
    said = [route.takes.fields_by_name[name] for name in route.path_fields]
    excluded = [one.containing_oneof for one in said if one.containing_oneof is not None]
    about = route.header if route.shape is Shape.UPLOAD else route.takes
    for field in about.fields:
        is_media_type = route.shape is Shape.UPLOAD and field.name == "media_type"
        if not (field in said or field.containing_oneof in excluded or is_media_type):
            yield from _query_parameter(field, field.name, is_required(field))


def _query_parameter(field: FieldDescriptor, name: str, required: bool) -> Iterable[Schema]:
    """A field as a parameter; a message's fields each by itself, `a.b`."""
    if not is_whole(field) and field.message_type is not None:
        for part in field.message_type.fields:
            needed = required and is_required(part)
            yield from _query_parameter(part, f"{name}.{part.name}", needed)
        return
    schema = field_schema(field, answer=False)
    yield {"name": name, "in": "query", "required": required, "schema": schema}


def _body_name(route: Route) -> str:
    """A request whose path names fields is another schema than the message: without them."""
    return f"{route.name}Body"


def _schemas() -> Schema:
    schemas: Schema = {"Problem": _PROBLEM}
    for route in ROUTES:
        if route.shape in (Shape.PLAIN, Shape.UPLOAD):
            for message in messages_below(route.gives):
                schemas[name_of(message, answer=True)] = schema_of(message, answer=True)
        if route.takes_json:
            _, *parts = messages_below(route.takes)
            for message in parts:
                schemas[name_of(message, answer=False)] = schema_of(message, answer=False)
            schemas[_body_name(route)] = _body(route)
    return schemas


def _body(route: Route) -> Schema:
    body = schema_of(route.takes, answer=False)
    for name in route.path_fields:
        body["properties"].pop(name)
    body["required"] = [one for one in body.get("required", ()) if one in body["properties"]]
    return body
