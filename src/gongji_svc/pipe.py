"""What a front and its writer say to each other over their socket pair: frames of bytes.

Rule: a request frame is (call, method, deadline, caller, trace, request bytes), an answer is (call,
code, bytes): the answer message when the code is 0, else a google.rpc.Status. The first frame of a
front is the writer's settings; the first answer, to call 0, says that the writer is ready, and each
later one to call 0 is a batch in figures.
"""

import json
import struct
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Self

from gongji_svc.domain.access import Caller, Role
from gongji_svc.signals import trace

_REQUEST = struct.Struct("!IIHHd")  # bytes that follow, call, method, bytes of the caller, deadline
_ANSWER = struct.Struct("!IIH")  # bytes that follow, call, code
_SEPARATOR = "\0"

READY = 0
"""The call that nobody makes: its first answer says that the writer is ready."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a writer needs to work; carries secrets, so it goes through the pipe, never by name."""

    database_url: str
    prepare_threshold: int | None
    keys: str
    clock_offset_seconds: float
    traces: str = ""  # where spans go; empty: nowhere

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
    """A forwarded call; `method` is its place in the contract, `deadline` in Unix seconds.

    `came_ns` is when the writer had it, in Unix nanoseconds.
    """

    call: int
    method: int
    deadline: float
    caller: Caller
    body: bytes
    trace: bytes = trace.NONE
    came_ns: int = 0

    def dump(self) -> bytes:
        """The request as a frame."""
        who = self.caller
        caller = _SEPARATOR.join((who.role.value, who.subject, who.actor, who.origin)).encode()
        size = len(caller) + trace.SIZE + len(self.body)
        head = _REQUEST.pack(size, self.call, self.method, len(caller), self.deadline)
        return b"".join((head, caller, self.trace, self.body))


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
        now_ns = time.time_ns()
        for (_, call, method, caller_bytes, deadline), rest in _frames(
            self._buffer, data, _REQUEST
        ):
            role, *rest_of_caller = rest[:caller_bytes].decode().split(_SEPARATOR)
            caller = Caller(Role(role), *rest_of_caller)
            begins = caller_bytes + trace.SIZE
            context = rest[caller_bytes:begins]
            yield Request(call, method, deadline, caller, rest[begins:], context, now_ns)


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
