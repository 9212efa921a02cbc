"""Everything the contract declares, read from the generated descriptors.

Rule: what is listed here is found, never typed: a new service or RPC is seen by every test.
"""

import importlib
import pkgutil

from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    FileDescriptor,
    MethodDescriptor,
)

import gongji.v1
from gongji.v1 import access_pb2


def files() -> list[FileDescriptor]:
    """The files of the package, in order of their names."""
    names = sorted(module.name for module in pkgutil.iter_modules(gongji.v1.__path__))
    modules = (importlib.import_module(f"gongji.v1.{n}") for n in names if n.endswith("_pb2"))
    return [module.DESCRIPTOR for module in modules]


def methods() -> list[MethodDescriptor]:
    """Every RPC of every service."""
    services = (service for file in files() for service in file.services_by_name.values())
    return [method for service in services for method in service.methods]


def enums() -> dict[str, EnumDescriptor]:
    """Every top-level enum by its name."""
    return {name: enum for file in files() for name, enum in file.enum_types_by_name.items()}


def grants(method: MethodDescriptor) -> list[access_pb2.Grant]:
    """Who may call the RPC; empty when it does not say."""
    return list(method.GetOptions().Extensions[access_pb2.access].grants)


def field_at(message: Descriptor, path: str) -> FieldDescriptor | None:
    """The field a dotted path leads to, through messages and lists of them."""
    first, _, rest = path.partition(".")
    field = message.fields_by_name.get(first)
    if field is None or not rest:
        return field
    return field_at(field.message_type, rest) if field.message_type else None


def value_names(enum: EnumDescriptor) -> set[str]:
    """The values of an enum without their prefix, but for the unspecified one."""
    prefix = enum.values[0].name.removesuffix("UNSPECIFIED")
    return {value.name.removeprefix(prefix) for value in enum.values[1:]}
