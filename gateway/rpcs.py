"""The RPCs that web clients may call, as the contract's `google.api.http` options say.

Rule: no route is written here. An RPC without the option has none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from types import ModuleType

from google.api import annotations_pb2, http_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from starlette.routing import compile_path

from gongji.buf.validate import validate_pb2
from gongji.v1 import (
    access_pb2,
    account_pb2,
    binding_pb2,
    clearing_pb2,
    payment_pb2,
    registry_pb2,
    settlement_pb2,
)

_FILES: tuple[ModuleType, ...] = (
    binding_pb2,
    account_pb2,
    settlement_pb2,
    payment_pb2,
    registry_pb2,
    clearing_pb2,
)
_WHOLE = "*"
_CHUNK = "chunk"
_HEADER = "header"
_MEDIA_TYPE = "media_type"
_REQUEST_ID = "request_id"


class Shape(StrEnum):
    """How an RPC looks over HTTP."""

    PLAIN = "PLAIN"  # JSON in, JSON out
    EVENTS = "EVENTS"  # a stream of messages: server-sent events
    DOWNLOAD = "DOWNLOAD"  # a stream of bytes
    UPLOAD = "UPLOAD"  # the request's body is a stream of bytes


@dataclass(frozen=True, slots=True)
class Route:
    """One HTTP method and path of an RPC."""

    path: str  # the gRPC path
    service: str
    name: str
    descriptor: MethodDescriptor
    request: type[Message]
    response: type[Message]
    takes: Descriptor
    gives: Descriptor
    shape: Shape
    verb: str
    template: str
    body: str
    roles: tuple[str, ...]
    first: bool  # the RPC's own route; others are additional bindings

    @property
    def path_fields(self) -> tuple[str, ...]:
        """The request's fields that stand in the path."""
        return tuple(compile_path(self.template)[2])

    @property
    def header(self) -> Descriptor:
        """What an upload begins with; what it says stands in the query, but the media type."""
        found = self.takes.fields_by_name[_HEADER].message_type
        assert found is not None  # noqa: S101 - an upload begins with its header
        return found

    @property
    def media_types(self) -> tuple[str, ...]:
        """What an upload may be."""
        options = self.header.fields_by_name[_MEDIA_TYPE].GetOptions()
        return tuple(getattr(options.Extensions[validate_pb2.field].string, "in"))

    @property
    def takes_json(self) -> bool:
        """Whether the HTTP body is the request."""
        return self.body == _WHOLE

    @property
    def repeatable(self) -> bool:
        """Whether sending it twice does no more than once: it reads, or carries a request_id."""
        return self.verb == "GET" or _REQUEST_ID in self.takes.fields_by_name


def _routes() -> Iterator[Route]:
    services = (one for file in _FILES for one in file.DESCRIPTOR.services_by_name.values())
    for method in (one for service in services for one in service.methods):
        options = method.GetOptions()
        if options.HasExtension(annotations_pb2.http):
            yield from _of(method, options.Extensions[annotations_pb2.http])


def _of(method: MethodDescriptor, rule: http_pb2.HttpRule) -> Iterator[Route]:
    access = method.GetOptions().Extensions[access_pb2.access]
    roles = [access_pb2.Role.Name(grant.role) for grant in access.grants]
    for number, one in enumerate((rule, *rule.additional_bindings)):
        verb = one.WhichOneof("pattern")
        assert verb is not None  # noqa: S101 - the contract's lint checks it
        yield Route(
            path=f"/{method.containing_service.full_name}/{method.name}",
            service=method.containing_service.name,
            name=method.name,
            descriptor=method,
            request=message_factory.GetMessageClass(method.input_type),
            response=message_factory.GetMessageClass(method.output_type),
            takes=method.input_type,
            gives=method.output_type,
            shape=_shape(method),
            verb=verb.upper(),
            template=getattr(one, verb),
            body=one.body,
            roles=tuple(dict.fromkeys(role.removeprefix("ROLE_").lower() for role in roles)),
            first=number == 0,
        )


def _shape(method: MethodDescriptor) -> Shape:
    if method.client_streaming:
        return Shape.UPLOAD
    if not method.server_streaming:
        return Shape.PLAIN
    chunk = method.output_type.fields_by_name.get(_CHUNK)
    is_bytes = chunk is not None and chunk.type == FieldDescriptor.TYPE_BYTES
    return Shape.DOWNLOAD if is_bytes else Shape.EVENTS


ROUTES: tuple[Route, ...] = tuple(_routes())
"""Every route."""
