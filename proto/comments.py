"""The comments of the contract, which generated code loses, by full name of what they are about.

Rule: the comment before something is what it says of it, as one line.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet

_MESSAGE, _SERVICE, _ENUM = 4, 6, 5  # field numbers of FileDescriptorProto
_FIELD, _NESTED, _METHOD = 2, 3, 2  # of DescriptorProto and ServiceDescriptorProto


def write_comments(described: Path, destination: Path) -> None:
    """Writes the comments of a descriptor set that has source info, as one JSON object."""
    files = FileDescriptorSet.FromString(described.read_bytes()).file
    comments = {name: text for file in files for name, text in _of(file)}
    text = json.dumps(comments, ensure_ascii=False, indent=0, sort_keys=True)
    destination.write_text(text + "\n", encoding="utf-8")


def _of(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    names = dict(_named(file))
    for location in file.source_code_info.location:
        name = names.get(tuple(location.path))
        if name is not None and location.leading_comments:
            yield name, " ".join(location.leading_comments.split())


def _named(file: FileDescriptorProto) -> Iterator[tuple[tuple[int, ...], str]]:
    for number, message in enumerate(file.message_type):
        yield from _in_message(message, (_MESSAGE, number), file.package)
    for number, enum in enumerate(file.enum_type):
        yield (_ENUM, number), f"{file.package}.{enum.name}"
    for number, service in enumerate(file.service):
        name = f"{file.package}.{service.name}"
        yield (_SERVICE, number), name
        for place, method in enumerate(service.method):
            yield (_SERVICE, number, _METHOD, place), f"{name}.{method.name}"


def _in_message(
    message: DescriptorProto, path: Sequence[int], scope: str
) -> Iterator[tuple[tuple[int, ...], str]]:
    name = f"{scope}.{message.name}"
    yield tuple(path), name
    for number, field in enumerate(message.field):
        yield (*path, _FIELD, number), f"{name}.{field.name}"
    for number, nested in enumerate(message.nested_type):
        yield from _in_message(nested, (*path, _NESTED, number), name)
