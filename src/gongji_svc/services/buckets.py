"""Token buckets: so many a second, and so many at once, of whatever has a key.

Rule: the number of keys is bounded, so that no flood fills the memory; one that is forgotten, the
oldest first, is full again.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from gongji_svc.domain.errors import RateLimited

Clock = Callable[[], float]

ONE = 1.0 - 1e-6  # who waits as long as told is not refused for a rounding
_MOST_KEYS = 20_000
_MINUTE_SECONDS = 60.0


class Buckets:
    """A token bucket a key: so many a second, and so many at once. Any thread may take."""

    def __init__(self, per_second: float, burst: float, clock: Clock = time.monotonic) -> None:
        """`per_second` 0: no limit."""
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        self._taking = threading.Lock()

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._left)

    def take(self, key: Hashable, cost: float = 1.0) -> None:
        """Take from a key's bucket; RateLimited, with the time until there is one again, when it is
        empty. Whoever has one may take more, and waits longer the next time.
        """
        if not self._per_second:
            return
        with self._taking:
            now = self._clock()
            left, at = self._left.get(key, (self._burst, now))
            left = min(self._burst, left + (now - at) * self._per_second)
            taken = left >= ONE
            self._left[key] = (left - cost if taken else left, now)
            if len(self._left) > _MOST_KEYS:
                self._left.popitem(last=False)
        if not taken:
            raise RateLimited(retry_after_seconds=(1.0 - left) / self._per_second)

    def check(self, key: Hashable) -> None:
        """RateLimited when a key's bucket is empty; takes nothing."""
        if key in self._left:
            self.take(key, cost=0.0)


def by_minute(a_minute: int, clock: Clock = time.monotonic) -> Buckets:
    """So many a minute, and as many at once."""
    return Buckets(a_minute / _MINUTE_SECONDS, a_minute, clock)
