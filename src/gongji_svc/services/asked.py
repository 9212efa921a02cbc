"""A checked request on its way to becoming a command."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from gongji_svc.domain.access import Caller
from gongji_svc.services.contract import Method
from gongji_svc.services.office import Office
from gongji_svc.storage.sealing import Sealer
from gongji_svc.storage.state import Claim


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks what until when; `deadline` in Unix seconds."""

    method: Method
    caller: Caller
    message: Any
    deadline: float

    def claim(
        self, region: str, caller: str, sealer: Sealer, resolved: Iterable[tuple[str, bytes]] = ()
    ) -> Claim:
        """The idempotency claim of the request in `region` for `caller` (whom it is made for).

        `resolved` replaces fields, by name, by what they were found to mean: a credential by the
        person it names, so that another code of the same person is the same request.
        """
        message: Message = self.message
        instead = dict(resolved)
        content: dict[int, bytes] = {}
        for field, value in message.ListFields():
            if field.name == "request_id":
                continue
            meaning = instead.get(field.name)
            if meaning is None:
                meaning = _meaning(message, field.name, value)
            content[field.number] = sealer.field_hash(meaning)
        return Claim(region, caller, self.message.request_id, self.method.path, content)

    def field_name(self, number: int) -> str:
        """The contract's name of a field of the request."""
        return str(self.message.DESCRIPTOR.fields_by_number[number].name)


@dataclass(slots=True)
class AskedCommand:
    """What every command in a request has: its deadline, and its fields' names."""

    office: Office
    asked: Asked

    @property
    def deadline(self) -> float:
        """Unix seconds."""
        return self.asked.deadline

    def field_name(self, number: int) -> str:
        """The contract's name of a field."""
        return self.asked.field_name(number)


def _meaning(message: Message, name: str, value: Any) -> bytes:
    """The bytes of one field, the same for the same content."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bool | int | bytes):
        return repr(value).encode()
    alone = type(message)()
    if isinstance(value, Message):
        getattr(alone, name).CopyFrom(value)
    else:
        getattr(alone, name).extend(value)
    return alone.SerializeToString(deterministic=True)
