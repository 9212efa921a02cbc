"""Calls services in this process, the way the front and the writer do together.

Rule: a request goes through the same bytes, checks and engine as in production; only the network
and the token are left out.
"""

import time
from collections.abc import Generator, Iterable
from contextlib import closing
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from google.protobuf.message import Message

from gongji_svc import regions
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.calendar import start_of
from gongji_svc.domain.errors import NotBuilt, Refusal
from gongji_svc.engine import Engine
from gongji_svc.services import routes
from gongji_svc.services.access import check_role
from gongji_svc.services.contract import Method, method_of
from gongji_svc.services.office import Office
from gongji_svc.storage.database import Database
from gongji_svc.storage.sealing import KeyRing, Sealer
from tests.families import KEYS

M = TypeVar("M", bound=Message)

_DEADLINE_SECONDS = 30
_NOON = timedelta(hours=12)


class Driver:
    """The service on one database; many threads may call it at once."""

    def __init__(self, database: Database, on: date | None = None, keys: KeyRing = KEYS) -> None:
        """`on`: the clock starts at noon of that day in Asia/Shanghai; None: the real clock."""
        self.office = Office(database, regions.load(), Sealer(keys))
        if on is not None:
            self.office.clock_offset = start_of(on) + _NOON - datetime.now().astimezone()

    def call(
        self,
        role: str,
        subject: object,
        service: str,
        rpc: str,
        request: Message,
        *,
        actor: str = "",
    ) -> Any:
        """The response; a Refusal is raised."""
        method = method_of(service, rpc)
        caller = _caller(method, role, subject, actor)
        body = request.SerializeToString()
        if method.path in routes.COMMANDS:
            return self._run(method, caller, body)
        if method.path in routes.BATCHES:
            return self._run_batch(method, caller, body)
        if method.path not in routes.READS:
            raise NotBuilt
        answer = routes.answer_read(self.office, method, caller, body)
        return method.response.FromString(answer)

    def upload(
        self,
        role: str,
        subject: object,
        service: str,
        rpc: str,
        pieces: Iterable[Message],
        *,
        actor: str = "",
    ) -> Any:
        """The response to a stream of messages; a Refusal is raised."""
        method = method_of(service, rpc)
        caller = _caller(method, role, subject, actor)
        bodies = (piece.SerializeToString() for piece in pieces)
        answer = routes.answer_upload(self.office, method, caller, bodies)
        return method.response.FromString(answer)

    def download(
        self,
        role: str,
        subject: object,
        service: str,
        rpc: str,
        request: Message,
        *,
        actor: str = "",
    ) -> Generator[Any, None, None]:
        """The responses of a stream, each made when it is asked for; a Refusal is raised then."""
        method = method_of(service, rpc)
        caller = _caller(method, role, subject, actor)
        body = request.SerializeToString()
        for piece in routes.answer_download(self.office, method, caller, body):
            yield method.response.FromString(piece)

    def close(self) -> None:
        """Close every connection."""
        self.office.close()

    def _run(self, method: Method, caller: Caller, body: bytes) -> Message:
        deadline = time.time() + _DEADLINE_SECONDS
        command = routes.read_command(self.office, method, caller, body, deadline)
        answered = self.office.run(command)
        suffix = method.replayed_suffix if answered.replayed else b""
        return method.response.FromString(answered.answer + suffix)

    def _run_batch(self, method: Method, caller: Caller, body: bytes) -> Message:
        deadline = time.time() + _DEADLINE_SECONDS
        items = routes.read_batch(self.office, method, caller, body, deadline)
        commands = [item for item in items if not isinstance(item, Refusal)]
        with closing(Engine(self.office.database, self.office.clock_offset)) as engine:
            decided = iter(engine.run(commands))
        outcomes = [item if isinstance(item, Refusal) else next(decided) for item in items]
        answer = routes.BATCHES[method.path].answer(outcomes).SerializeToString()
        return method.response.FromString(answer)


def _caller(method: Method, role: str, subject: object, actor: str) -> Caller:
    caller = Caller(Role(role), str(subject), actor)
    check_role(caller, method)
    return caller
