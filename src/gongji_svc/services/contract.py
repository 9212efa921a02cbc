"""The contract as this program sees it: every RPC, its messages and who may call it.

Rule: nothing about an RPC is written down twice; it is read from the generated descriptors.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from types import ModuleType

from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message

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
    registry_pb2,
    binding_pb2,
    account_pb2,
    settlement_pb2,
    clearing_pb2,
    payment_pb2,
)
_REPLAYED = "replayed"


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC."""

    number: int
    path: str
    service: str
    name: str
    request: type[Message]
    response: type[Message]
    access: access_pb2.Access
    client_streaming: bool
    server_streaming: bool

    @property
    def replayed_suffix(self) -> bytes:
        """What turns the bytes of a first answer into those of a repeat: `replayed = true`.

        A later occurrence of a field wins, so it is enough to append it.
        """
        field = self.response.DESCRIPTOR.fields_by_name[_REPLAYED]
        assert field.type == FieldDescriptor.TYPE_BOOL  # noqa: S101 - the contract says so
        replayed = self.response()
        setattr(replayed, _REPLAYED, True)
        return replayed.SerializeToString()


def _method(number: int, descriptor: MethodDescriptor) -> Method:
    service = descriptor.containing_service
    return Method(
        number=number,
        path=f"/{service.full_name}/{descriptor.name}",
        service=service.name,
        name=descriptor.name,
        request=message_factory.GetMessageClass(descriptor.input_type),
        response=message_factory.GetMessageClass(descriptor.output_type),
        access=descriptor.GetOptions().Extensions[access_pb2.access],
        client_streaming=descriptor.client_streaming,
        server_streaming=descriptor.server_streaming,
    )


def _methods() -> Iterable[Method]:
    descriptors = (
        method
        for file in _FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    )
    return (_method(number, descriptor) for number, descriptor in enumerate(descriptors))


METHODS: tuple[Method, ...] = tuple(_methods())
"""Every RPC of the contract; an RPC's number is its place here."""

SERVICES: tuple[str, ...] = tuple(dict.fromkeys(method.path.split("/")[1] for method in METHODS))
"""The full names of all services."""


def method_of(service: str, name: str) -> Method:
    """The RPC of that service and name."""
    return next(one for one in METHODS if (one.service, one.name) == (service, name))
