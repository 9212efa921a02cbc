"""What a front and its writer say to each other over their socket pair: frames of bytes.

Rule: a request frame is (call, method, deadline, caller, request bytes), an answer frame is (call,
code, bytes): the answer message when the code is 0, else a google.rpc.Status. The first frame of a
front is the writer's settings; the first answer, to call 0, says that the writer is ready.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Self

from gongji_svc.domain.access import Caller, Role

_REQUEST = struct.Struct("!IIHHd")  # bytes that follow, call, method, bytes of the caller, deadline
_ANSWER = struct.Struct("!IIH")  # bytes that follow, call, code
_SEPARATOR = "\0"

READY = 0
"""The call that nobody makes: its answer says that the writer is ready."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a writer needs to work; carries secrets, so it goes through the pipe, never by name."""

    database_url: str
    prepare_threshold: int | None
    keys: str
    clock_offset_seconds: float

    def dump(self) -> bytes:
        """The settings as the first frame."""
        body = json.dumps(asdict(self)).encode()
        return len(body).to_bytes(4, "big") + body

    @classmethod
    def load(cls, body: bytes) -> Self:
        """The settings from the first frame's body."""
        return cls(**json.loads(body))


@dataclass(frozen=True, slots=True)
class Request:
    """A forwarded call; `method` is its place in the contract, `deadline` in Unix seconds."""

    call: int
    method: int
    deadline: float
    caller: Caller
    body: bytes

    def dump(self) -> bytes:
        """The request as a frame."""
        who = self.caller
        caller = _SEPARATOR.join((who.role.value, who.subject, who.actor, who.origin)).encode()
        size = len(caller) + len(self.body)
        head = _REQUEST.pack(size, self.call, self.method, len(caller), self.deadline)
        return b"".join((head, caller, self.body))


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a forwarded call; `code` is a gRPC status code, 0 for OK."""

    call: int
    code: int
    body: bytes

    def dump(self) -> bytes:
        """The answer as a frame."""
        return _ANSWER.pack(len(self.body), self.call, self.code) + self.body


class RequestReader:
    """Cuts a stream of bytes into requests."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Request]:
        """The requests that `data` completes."""
        for (_, call, method, caller_bytes, deadline), rest in _frames(
            self._buffer, data, _REQUEST
        ):
            role, *rest_of_caller = rest[:caller_bytes].decode().split(_SEPARATOR)
            caller = Caller(Role(role), *rest_of_caller)
            yield Request(call, method, deadline, caller, rest[caller_bytes:])


class AnswerReader:
    """Cuts a stream of bytes into answers."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Answer]:
        """The answers that `data` completes."""
        for (_, call, code), body in _frames(self._buffer, data, _ANSWER):
            yield Answer(call, code, body)


def _frames(
    buffer: bytearray, data: bytes, head: struct.Struct
) -> Iterator[tuple[tuple[int, ...], bytes]]:
    buffer += data
    start = 0
    while len(buffer) - start >= head.size:
        fields = head.unpack_from(buffer, start)
        end = start + head.size + fields[0]
        if len(buffer) < end:
            break
        yield fields, bytes(buffer[start + head.size : end])
        start = end
    del buffer[:start]
