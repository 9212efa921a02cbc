"""Which function serves which RPC; what is in the contract and not here answers UNIMPLEMENTED.

Rule: commands (they move money, or change who may move it) and batches of them are read in the
writer and decided by the engine; reads, uploads and downloads are served by the front's threads.
What watches is begun by them, and then served by the front's hub. What staff read is recorded here.
"""

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from google.protobuf.message import Message

from gongji_svc.domain.access import Caller
from gongji_svc.domain.errors import ServiceUnavailable
from gongji_svc.engine import Command
from gongji_svc.services import (
    account,
    binding,
    clearing,
    messages,
    payment,
    registry,
    settlement,
    staff_reads,
)
from gongji_svc.services.access import check_subject
from gongji_svc.services.asked import Asked
from gongji_svc.services.batching import Batch, Item
from gongji_svc.services.contract import METHODS, Method
from gongji_svc.services.office import Office
from gongji_svc.services.receiving import Upload
from gongji_svc.services.watching import Watched
from gongji_svc.storage.database import DatabaseUnavailable

_RETRY_AFTER_SECONDS = 1.0

ReadCommand = Callable[[Office, Asked], Command]
ServeRead = Callable[[Office, Caller, Any], Message]
ServeDownload = Callable[[Office, Caller, Any], Generator[Message, None, None]]
BeginWatch = Callable[[Office, Caller, Any], Watched]

_SERVICES = {
    "RegistryService": registry,
    "BindingService": binding,
    "AccountService": account,
    "SettlementService": settlement,
    "ClearingService": clearing,
    "PaymentService": payment,
}


def _table(name: str) -> Mapping[str, Any]:
    return {
        method.path: getattr(_SERVICES[method.service], name)[method.name]
        for method in METHODS
        if method.name in getattr(_SERVICES.get(method.service), name, {})
    }


COMMANDS: Mapping[str, ReadCommand] = _table("COMMANDS")
"""By path: how a request becomes a command of the engine."""

BATCHES: Mapping[str, Batch] = _table("BATCHES")
"""By path: how a request becomes several commands, and their outcomes one answer."""

READS: Mapping[str, ServeRead] = _table("READS")
"""By path: what answers at once."""

UPLOADS: Mapping[str, Upload] = _table("UPLOADS")
"""By path: what takes a stream, and how much of it."""

DOWNLOADS: Mapping[str, ServeDownload] = _table("DOWNLOADS")
"""By path: what gives a stream that ends; a database transaction may be open until then."""

WATCHES: Mapping[str, BeginWatch] = _table("WATCHES")
"""By path: what gives a stream that goes on."""


def read_command(
    office: Office, method: Method, caller: Caller, body: bytes, deadline: float
) -> Command:
    """The command in a request's bytes; a Refusal when the request is not sound or not allowed,
    ServiceUnavailable where it asks the database, which is away.
    """
    message = messages.read(method.request, body)
    check_subject(caller, method, message)
    with _away_as_refusal():
        return COMMANDS[method.path](office, Asked(method, caller, message, deadline))


def read_batch(
    office: Office, method: Method, caller: Caller, body: bytes, deadline: float
) -> Sequence[Item]:
    """The items of a batch call, in their order; a Refusal as for `read_command`."""
    message = messages.read(method.request, body)
    check_subject(caller, method, message)
    with _away_as_refusal():
        return BATCHES[method.path].read(office, Asked(method, caller, message, deadline))


def answer_read(office: Office, method: Method, caller: Caller, body: bytes) -> bytes:
    """The answer's bytes of a read; ServiceUnavailable while the database is away."""
    message = messages.read(method.request, body)
    check_subject(caller, method, message)
    with _away_as_refusal():
        answer = READS[method.path](office, caller, message)
        staff_reads.record(office, caller, method, message, answer)
    return answer.SerializeToString()


def answer_upload(office: Office, method: Method, caller: Caller, bodies: Iterable[bytes]) -> bytes:
    """The answer's bytes of an upload, whose service looks itself whom it is about."""
    requests = (messages.read(method.request, body) for body in bodies)
    with _away_as_refusal():
        return UPLOADS[method.path].serve(office, caller, requests).SerializeToString()


def answer_download(
    office: Office, method: Method, caller: Caller, body: bytes
) -> Generator[bytes, None, None]:
    """The answers' bytes of a download, each made when it is asked for; else as `answer_read`."""
    message = messages.read(method.request, body)
    check_subject(caller, method, message)
    pieces = DOWNLOADS[method.path](office, caller, message)
    with _away_as_refusal(), contextlib.closing(pieces):
        first = next(pieces)  # refused here, if at all
        staff_reads.record(office, caller, method, message, first)
        for piece in chain((first,), pieces):
            yield piece.SerializeToString()


def begin_watch(office: Office, method: Method, caller: Caller, body: bytes) -> Watched:
    """What a stream that goes on is about; else as `answer_read`."""
    message = messages.read(method.request, body)
    check_subject(caller, method, message)
    with _away_as_refusal():
        watched = WATCHES[method.path](office, caller, message)
        staff_reads.record(office, caller, method, message, None)
    return watched


@contextlib.contextmanager
def _away_as_refusal() -> Iterator[None]:
    try:
        yield
    except DatabaseUnavailable as away:
        raise ServiceUnavailable(retry_after_seconds=_RETRY_AFTER_SECONDS) from away
