"""Whose turn it is: callers share what is scarce, and none waits behind another's flood.

Rule: who comes with a crowd, `crowd` calls or more, and others call too, has at most as much under
way as all the others together, or `least`; what is beyond waits in a queue of its own, and the
queues are served in turn. So a flood at most doubles what another waits for, and a busy caller is
none. Who is alone has everything. A call that weighs more counts as so many.
"""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable

from gongji_svc.domain.errors import DeadlinePassed

_ALONE_SECONDS = 10.0  # so long after the others' last call a caller counts as alone

Queue = OrderedDict[asyncio.Future[None], int]


class Turns:
    """So many at once, `most`; `alone` is what one caller may have while nobody else calls. With a
    `crowd` of 0 every caller counts as one. Lives in one event loop.
    """

    def __init__(
        self,
        most: int,
        least: int,
        alone: int,
        clock: Callable[[], float] = time.monotonic,
        *,
        crowd: int = 0,
    ) -> None:
        self._crowd = crowd
        self._most = most
        self._least = least
        self._alone = alone
        self._clock = clock
        self._busy = 0
        self._of: dict[Hashable, int] = {}
        self._queues: OrderedDict[Hashable, Queue] = OrderedDict()
        self._caller: Hashable = None  # of the last call
        self._called_at = self._others_at = float("-inf")  # that one, and the last before by others
        self.waiting = 0

    async def begin(self, caller: Hashable, weight: int = 1) -> None:
        """Wait for the caller's turn; `end` must follow, unless this is cancelled."""
        now = self._clock()
        if caller != self._caller:
            self._caller, self._others_at = caller, self._called_at
        self._called_at = now
        if caller not in self._queues and self._may(caller, now):
            self._take(caller, weight)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue = self._queues.setdefault(caller, OrderedDict())
        queue[turn] = weight
        self.waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it had come in the same moment
                self.end(caller, weight)
            elif turn in queue:
                del queue[turn]
                self.waiting -= 1
                self._forget_if_empty(caller, queue)
            raise

    def end(self, caller: Hashable, weight: int = 1) -> None:
        """What the caller had its turn for is over: let those go on that may."""
        left = self._of[caller] - weight
        if left:
            self._of[caller] = left
        else:
            del self._of[caller]
        self._busy -= weight
        if self._queues:
            self._go_on()

    def _go_on(self) -> None:
        now, passed = self._clock(), 0
        while self._busy < self._most and passed < len(self._queues):
            caller, queue = next(iter(self._queues.items()))
            self._queues.move_to_end(caller)
            if not self._may(caller, now):
                passed += 1
                continue
            passed = 0
            turn, weight = queue.popitem(last=False)
            self.waiting -= 1
            self._forget_if_empty(caller, queue)
            if not turn.cancelled():
                self._take(caller, weight)
                turn.set_result(None)

    def _may(self, caller: Hashable, now: float) -> bool:
        if self._busy >= self._most:
            return False
        own = self._of.get(caller, 0)
        if own + len(self._queues.get(caller, ())) < self._crowd:
            return True
        if own < self._least or own < self._busy - own:
            return True
        others_at = self._others_at if caller == self._caller else self._called_at
        return own < self._alone and now - others_at > _ALONE_SECONDS

    def _take(self, caller: Hashable, weight: int) -> None:
        self._of[caller] = self._of.get(caller, 0) + weight
        self._busy += weight

    def _forget_if_empty(self, caller: Hashable, queue: Queue) -> None:
        if not queue:
            self._queues.pop(caller, None)


@contextlib.asynccontextmanager
async def within(deadline: float) -> AsyncIterator[None]:
    """DeadlinePassed for what takes longer; `deadline` in Unix seconds."""
    try:
        async with asyncio.timeout(deadline - time.time()):
            yield
    except TimeoutError as late:
        raise DeadlinePassed from late
