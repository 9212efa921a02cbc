"""Calls of every RPC, made up of a fuzzer's bytes, and files to load, through the real office.

Rule: what a call changes is taken back, so that the world stays as it was and a finding comes
again; only files that are sound stay loaded. What is refused is refused by name, in a status that
fits where it travels; anything else that is raised is a finding.
"""

import queue
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

from gongji_svc.domain.access import Caller
from gongji_svc.domain.errors import NotBuilt, Refusal, ServiceUnavailable
from gongji_svc.engine import Command, Engine, Outcome
from gongji_svc.services import messages, routes
from gongji_svc.services.access import check_role
from gongji_svc.services.allocating import allocate
from gongji_svc.services.contract import METHODS, Method
from gongji_svc.services.loading import load
from gongji_svc.services.loading_kinds import KINDS
from gongji_svc.services.office import Office
from gongji_svc.services.status import code_of, status_of
from gongji_svc.storage.database import Database
from tests.fuzz.choice import Choice, FromBytes, one_in, pick
from tests.fuzz.files import ALLOCATIONS, columns_of, csv_file
from tests.fuzz.made_up import Known
from tests.fuzz.world import Attempt, made
from tests.services.applications import HOHHOT

_MOST_HEADER_BYTES = 8192
_SECONDS = 30
_FILES = 128  # one input of so many is a file
_ORIGIN = "10.0.0.7"


def target(database: Database) -> Callable[[bytes], None]:
    """What is called with a fuzzer's bytes."""
    world = made(database)
    made_with = world.driver.office
    office = replace(made_with, _engines=queue.SimpleQueue())
    office._engines.put(_Rehearsal(database, made_with.clock_offset))

    def one(data: bytes) -> None:
        choice = FromBytes(data)
        if one_in(choice, _FILES):
            load_file(office, world.known, choice)
        else:
            check(office, world.attempt(choice))

    return one


def seeds() -> Iterator[bytes]:
    """A sound call of every RPC as each of the first roles that may, one made up, and files."""
    for number in range(len(METHODS)):
        for role in range(3):
            yield bytes([0, number, 0, role])
        yield bytes([0, number, 0, 0, 0, 0, 0, 6, *range(40)])
    yield from (bytes([_FILES - 1, kind, 0, *range(60)]) for kind in range(len(KINDS) + 1))


def check(office: Office, attempt: Attempt) -> None:
    """Answer a call; raises what a client must never see."""
    caller = Caller(attempt.role, attempt.subject, "c-1", _ORIGIN)
    try:
        check_role(caller, attempt.method)
        _answer(office, attempt.method, caller, attempt)
    except ServiceUnavailable:
        raise  # the database is there: something broke the connection
    except NotBuilt:
        pass
    except Refusal as refusal:
        _check_told(refusal)


def _answer(office: Office, method: Method, caller: Caller, attempt: Attempt) -> None:
    asked = (office, method, caller, attempt.bodies[0])
    deadline = time.time() + _SECONDS
    if method.path in routes.COMMANDS:
        answered = office.run(routes.read_command(*asked, deadline))
        method.response.FromString(answered.answer)
    elif method.path in routes.BATCHES:
        for item in routes.read_batch(*asked, deadline):
            if not isinstance(item, Refusal):
                _run_item(office, item)
    elif method.path in routes.READS:
        method.response.FromString(routes.answer_read(*asked))
    elif method.path in routes.DOWNLOADS:
        for piece in routes.answer_download(*asked):
            method.response.FromString(piece)
    elif method.path in routes.WATCHES:
        routes.begin_watch(*asked)
    elif method.path in routes.UPLOADS:
        read = (messages.read(method.request, body) for body in attempt.bodies)
        routes.UPLOADS[method.path].serve(office, caller, read)


def _run_item(office: Office, item: Command) -> None:
    try:
        office.run(item)
    except ServiceUnavailable:
        raise
    except Refusal as refusal:
        _check_told(refusal)


def _check_told(refusal: Refusal) -> None:
    """The status stands in two headers: its bytes in base 64, and its message, percent-encoded."""
    status = status_of(refusal)
    assert status.code == code_of(refusal).value[0] > 0
    in_headers = len(status.SerializeToString()) * 4 // 3 + len(status.message.encode()) * 3
    assert in_headers < _MOST_HEADER_BYTES, f"{refusal.reason}: {in_headers} bytes of headers"


class _Rehearsal(Engine):
    """Does all that the engine does, and takes it back."""

    def _attempt(self, commands: Sequence[Command]) -> list[Outcome]:
        with self._open().transaction(force_rollback=True):
            return super()._attempt(commands)


class _Watch:
    """Nobody watches."""

    def read(self, more_bytes: int) -> None: ...

    def booking(self, rows: int, total: int) -> None: ...

    def booked(self, rows: int) -> None: ...


def load_file(office: Office, known: Known, choice: Choice) -> None:
    """Load a file of some kind; faults are told, nothing is raised."""
    kind = pick(choice, (*KINDS, ALLOCATIONS))
    content = csv_file(choice, columns_of(kind), known)
    if kind != ALLOCATIONS:
        load(office, KINDS[kind], BytesIO(content), HOHHOT, lambda _: None, lambda _: None)
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        allocate(office, HOHHOT, Path(file.name), lambda _: None, _Watch())
