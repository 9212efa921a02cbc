"""The front's side of the pipes: passes request bytes to its writers and answers back.

Rules: the front neither parses nor builds the money path's messages. The first writer takes what
makes a good batch; beyond that a call goes to the writer that has less to do. While none is ready
the front says that it does not serve. Callers take turns at the writers; a turn lasts until the
writer has answered, whatever becomes of the caller. No call takes more than half of the room, so
there is always a writer for others. More calls than `max_waiting` are refused at once.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from functools import partial

from gongji_svc.domain.access import Caller
from gongji_svc.domain.errors import QueueFull, ServiceUnavailable
from gongji_svc.pipe import Answer, Request, Settings
from gongji_svc.services.contract import Method
from gongji_svc.services.turns import Turns, within
from gongji_svc.services.weights import weight
from gongji_svc.signals.batches import HeardBatches
from gongji_svc.signals.catalogue import Figure
from gongji_svc.writer_process import WriterProcess, ask_again

_LAST_CALL = (1 << 32) - 1
# While one waits for PostgreSQL the other decides. A third would only make batches smaller.
_WRITERS = 2
_GOOD_BATCH = 16  # smaller ones cost much more a call
# Two batches each: one is written while the next gathers.
_AT_THE_WRITERS = 1024
_MOST_OF_A_CALL = _AT_THE_WRITERS // 2
_LEAST_AT_THE_WRITERS = 2
_CROWD_AT_THE_WRITERS = 48  # more tills than one institution has in use at a time
_HANG_UP_SECONDS = 5.0  # a writer that has nothing to do ends much sooner


class Forwarder:
    """Forwards calls to the writer processes of one front, and keeps them running."""

    def __init__(self, settings: Settings, max_waiting: int, tell: Callable[[bool], None]) -> None:
        """`tell` hears whether any writer serves, each time that changes."""
        self._tell = tell
        self._told = False
        self._batches = HeardBatches()
        self._max_waiting = max_waiting
        self._writers = [
            WriterProcess(settings, self._changed, self._batches.hear) for _ in range(_WRITERS)
        ]
        self._turns = Turns(
            _AT_THE_WRITERS, _LEAST_AT_THE_WRITERS, _AT_THE_WRITERS, crowd=_CROWD_AT_THE_WRITERS
        )
        self._next_call = 0

    @property
    def ready(self) -> bool:
        """Whether there is a writer that serves."""
        return any(writer.ready for writer in self._writers)

    @property
    def waiting(self) -> int:
        """How many calls wait for an answer."""
        return sum(writer.waiting for writer in self._writers) + self._turns.waiting

    async def start(self) -> None:
        """Start the writers, and wait until all are ready."""
        await asyncio.gather(*(writer.start() for writer in self._writers))

    async def forward(
        self, method: Method, caller: Caller, body: bytes, deadline: float, trace: bytes
    ) -> Answer:
        """The writer's answer; a refusal of our own when all have too much to do or are gone.

        Raises DeadlinePassed when the caller's turn does not come in time.
        """
        if not self.ready:
            return ask_again(ServiceUnavailable)
        if self.waiting >= self._max_waiting:
            return ask_again(QueueFull)
        weighs = weight(method, body)
        place = min(weighs, _MOST_OF_A_CALL)
        async with within(deadline):
            await self._turns.begin(caller.who, place)
        writer = self._free()
        if writer is None:
            self._turns.end(caller.who, place)
            return ask_again(ServiceUnavailable)
        call = self._next_call = self._next_call % _LAST_CALL + 1
        request = Request(call, method.number, deadline, caller, body, trace)
        # Once the writer has it, it completes although the caller may be gone.
        return await writer.ask(request, weighs, partial(self._turns.end, caller.who, place))

    def __iter__(self) -> Iterator[Figure]:
        """The writers' figures as they are just now."""
        yield from self._batches
        yield "gongji_queued_calls", {(): self.waiting}
        yield "gongji_writer_ready", {(): sum(writer.ready for writer in self._writers)}

    async def close(self, until: float) -> None:
        """Let the writers finish what they have, until a time of the monotonic clock, then end
        them.
        """
        while self.waiting and time.monotonic() < until:
            await asyncio.sleep(0.02)
        grace_seconds = max(_HANG_UP_SECONDS, until - time.monotonic())
        await asyncio.gather(*(writer.close(grace_seconds) for writer in self._writers))

    def _free(self) -> WriterProcess | None:
        """Whom to give the next call; None while no writer serves."""
        ready = [writer for writer in self._writers if writer.ready]
        if not ready or ready[0].load < _GOOD_BATCH:
            return next(iter(ready), None)
        return min(ready, key=lambda writer: writer.load)

    def _changed(self) -> None:
        if self.ready != self._told:
            self._told = self.ready
            self._tell(self._told)
