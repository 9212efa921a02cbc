"""WatchAccount: each stream gets its account's entries, those there are and then each as it comes.

Rule: what a stream gets next is what the database holds behind the last entry it got, so nothing is
lost and nothing comes twice, whatever becomes of hints and connections. One query reads for all
streams that wait, and a stream waits only when its client has taken everything: a slow client costs
no query, little memory, and nobody else anything.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import count
from uuid import UUID

import structlog

from gongji.v1 import account_pb2 as pb
from gongji_svc.domain.access import Caller
from gongji_svc.domain.errors import QueueFull, ServiceUnavailable, Violation
from gongji_svc.services import messages
from gongji_svc.services.account_readers import account_seen
from gongji_svc.services.entry_view import entry_message
from gongji_svc.services.interceptors import Write
from gongji_svc.services.office import Office
from gongji_svc.storage.database import DatabaseUnavailable
from gongji_svc.storage.entry_reads import EntryRow, read_names
from gongji_svc.storage.entry_watch import Follower, Place, hints

_log = structlog.get_logger()

_TICK_SECONDS = 1.0
_BETWEEN_WAKE_UPS_SECONDS = 0.1
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_RETRY_AFTER_SECONDS = 1.0
# Who may watch is asked when a stream begins: it begins anew before the answer is old. And a
# connection that has had its time waits no longer for its streams (server.py).
_LONGEST_STREAM_SECONDS = 900.0
_MOST_STREAMS = 4096
_ENTRIES_A_STREAM = 32
_ENTRIES_A_QUERY = 1024
_NEVER = -1


@dataclass(frozen=True, slots=True)
class Watched:
    """What a stream is about: an account, of this owner, behind this place."""

    owner_id: UUID
    after: Place


def begin_watch(office: Office, caller: Caller, request: pb.WatchAccountRequest) -> Watched:
    """What the caller may watch; AccessDenied for an account that is missing or not theirs to see.

    InvalidField for a seq that the account has not reached: nobody can know that entry.
    """
    account = account_seen(office, caller, request.account_id)
    if request.after_seq > account.seq:
        raise messages.invalid(Violation("after_seq", "大于该账户最后一笔明细的序号，请核对"))
    return Watched(account.person_id, Place(account.id, request.after_seq))


@dataclass(eq=False, slots=True)
class _Stream:
    """A stream: behind which entry it goes on, and the last wake-up at which it had all."""

    owner_id: UUID
    after: Place
    complete_at: int = _NEVER


class Hub:
    """All streams of one process; lives in its event loop, and reads by threads."""

    def __init__(self, office: Office, threads: Executor) -> None:
        self._office = office
        self._threads = threads
        self._follower = Follower(office.database)
        self._streams: set[_Stream] = set()
        self._waiting: dict[_Stream, asyncio.Future[Sequence[bytes]]] = {}
        self._wake_ups = 0
        self._hinted = asyncio.Event()
        self._due = asyncio.Event()
        self._ended = False
        self._reading: asyncio.Task[None] | None = None
        self._waking: Sequence[asyncio.Task[None]] = ()

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self._streams)

    async def send(self, watched: Watched, write: Write) -> None:
        """Write a stream's entries as they come, until it is cancelled.

        ServiceUnavailable when it has lasted long or the process ends: the client is to come back.
        QueueFull for one stream too many.
        """
        if len(self._streams) >= _MOST_STREAMS:
            raise QueueFull(retry_after_seconds=_RETRY_AFTER_SECONDS)
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
            self._waking = [asyncio.create_task(one()) for one in (self._wake_up, self._listen)]
        stream = _Stream(watched.owner_id, watched.after)
        self._streams.add(stream)
        try:
            async with asyncio.timeout(_LONGEST_STREAM_SECONDS):
                await self._send(stream, write)
        except TimeoutError as over:
            raise _come_back() from over
        finally:
            self._streams.discard(stream)

    def end(self) -> None:
        """End every stream, and begin no other."""
        self._ended = True
        self._due.set()
        for task in self._waking:
            task.cancel()
        for found in self._waiting.values():
            if not found.done():
                found.set_exception(_come_back())

    async def close(self) -> None:
        """End, and give the connections back."""
        self.end()
        if self._reading is not None:
            await asyncio.wait((self._reading, *self._waking))

    async def _send(self, stream: _Stream, write: Write) -> None:
        while True:
            for answer in await self._next(stream):
                await write(answer)

    async def _next(self, stream: _Stream) -> Sequence[bytes]:
        """The next entries of a stream, as soon as there are some."""
        if self._ended:
            raise _come_back()
        found: asyncio.Future[Sequence[bytes]] = asyncio.get_running_loop().create_future()
        self._waiting[stream] = found
        if stream.complete_at < self._wake_ups:
            self._due.set()
        try:
            return await found
        finally:
            self._waiting.pop(stream, None)

    # --- when to read

    async def _wake_up(self) -> None:
        """Have every stream read for at each hint, and each tick without one."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._hinted.wait()
            self._hinted.clear()
            self._wake_ups += 1
            self._due.set()
            await asyncio.sleep(_BETWEEN_WAKE_UPS_SECONDS)

    async def _listen(self) -> None:
        pause_seconds = _FIRST_PAUSE_SECONDS
        while True:
            try:
                async for _ in hints(self._office.database.direct_url):
                    self._hinted.set()
                    pause_seconds = _FIRST_PAUSE_SECONDS
            except Exception as lost:  # noqa: BLE001 - whatever it is, the tick serves meanwhile
                _log.warning("no hints of new entries are heard", error=repr(lost))
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)

    # --- reading

    async def _read(self) -> None:
        """One query after another, each for all streams that wait and may lack something."""
        while not self._ended:
            await self._due.wait()
            self._due.clear()
            due = [one for one in self._waiting if one.complete_at < self._wake_ups]
            if due:
                await self._read_for(due)
        self._follower.close()

    async def _read_for(self, streams: Sequence[_Stream]) -> None:
        wake_up = self._wake_ups
        loop = asyncio.get_running_loop()
        try:
            found, whole = await loop.run_in_executor(self._threads, self._found, streams)
        except DatabaseUnavailable as away:
            _log.warning("streams wait for the database", streams=len(streams), error=repr(away))
            found, whole = {}, True  # until the next tick
        except Exception as fault:  # noqa: BLE001 - what breaks one stream must not end the others
            await self._read_apart(streams, fault)
            return
        for stream in streams:
            answers = found.get(stream.after, ())
            complete = whole and len(answers) < _ENTRIES_A_STREAM
            stream.complete_at = wake_up if complete else _NEVER
            if answers:
                self._hand_over(stream, answers)
        if not whole:
            self._due.set()

    async def _read_apart(self, streams: Sequence[_Stream], fault: Exception) -> None:
        """Read for fewer streams at a time, until the one that can't be served stands alone."""
        half = len(streams) // 2
        if half:
            await self._read_for(streams[:half])
            await self._read_for(streams[half:])
            return
        waiting = self._waiting.pop(streams[0], None)
        if waiting is not None and not waiting.done():
            waiting.set_exception(fault)

    def _found(self, streams: Sequence[_Stream]) -> tuple[Mapping[Place, Sequence[bytes]], bool]:
        """The next answers by place, and whether there is nothing beyond; runs in a thread."""
        owners = {one.after.account_id: one.owner_id for one in streams}
        places = [one.after for one in streams]
        found = self._follower.read(places, _ENTRIES_A_STREAM, _ENTRIES_A_QUERY)
        entries = [entry for some in found.values() for entry in some]
        if not entries:
            return {}, True
        with self._office.database.reader() as tx:
            names = read_names(tx, entries, self._office.sealer)

        def answer(entry: EntryRow) -> bytes:
            message = entry_message(self._office, entry, owners[entry.account_id], names)
            return pb.WatchAccountResponse(entry=message).SerializeToString()

        answers = {
            place: [
                answer(entry) for seq, entry in zip(count(place.seq + 1), some) if entry.seq == seq
            ]
            for place, some in found.items()
        }
        return answers, len(entries) < _ENTRIES_A_QUERY

    def _hand_over(self, stream: _Stream, answers: Sequence[bytes]) -> None:
        stream.after = Place(stream.after.account_id, stream.after.seq + len(answers))
        waiting = self._waiting.pop(stream, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answers)


def _come_back() -> ServiceUnavailable:
    return ServiceUnavailable(retry_after_seconds=_RETRY_AFTER_SECONDS)
