"""Calls that carry many requests, each with a result of its own.

Rule: an item is the command of a single call, so a request_id means the same in both. Items are
decided in their order, and one that is refused leaves the others alone. What breaks a field rule of
the contract breaks the whole call, before anything is decided.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from gongji_svc.domain.errors import Refusal
from gongji_svc.engine import Answered, Command, Outcome
from gongji_svc.services.asked import Asked
from gongji_svc.services.contract import Method
from gongji_svc.services.office import Office
from gongji_svc.services.status import internal, status_of

Item = Command | Refusal
"""A request of a batch as its command, or why there is none."""


@dataclass(frozen=True, slots=True)
class Batch:
    """How a batch call becomes items, and what became of them, in their order, one answer."""

    read: Callable[[Office, Asked], Sequence[Item]]
    answer: Callable[[Sequence[Outcome]], Message]


def read_items(
    office: Office,
    asked: Asked,
    single: Method,
    requests: Iterable[Message],
    read: Callable[[Office, Asked], Command],
) -> list[Item]:
    """Each of `requests` as `read` reads it, as if it had been asked by the method `single`."""

    def item(request: Message) -> Item:
        try:
            return read(office, replace(asked, method=single, message=request))
        except Refusal as refusal:
            return refusal

    return [item(request) for request in requests]


def error_of(outcome: Outcome) -> Status | None:
    """The error that a single call would have been answered with, None where it was answered."""
    if isinstance(outcome, Answered):
        return None
    return status_of(outcome) if isinstance(outcome, Refusal) else internal()
