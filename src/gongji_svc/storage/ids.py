"""Ids: made here, ordered by time, and carrying the region that stores them.

Rule: an id is a UUID (version 8) of 48 bits of Unix milliseconds, a 12-bit counter, the 6-digit
region as 20 bits and 42 random bits. Any id can therefore be routed without a look-up, and two
processes that make ids in the same millisecond still differ by their random bits. What is to be
found again by what it is about has bits of a hash in place of counter and random bits.
"""

import os
import random
import threading
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

_VERSION_AND_VARIANT = (0x8 << 76) | (0b10 << 62)
_REGION_SHIFT = 42
_REGION_MASK = (1 << 20) - 1
_RANDOM_BITS = 42
_COUNTER_BITS = 12
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_A_MILLISECOND = timedelta(milliseconds=1)


class _Clock:
    """Milliseconds and a counter within them, never going back within a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def tick(self) -> int:
        """The next (milliseconds << 12 | counter), always above the one before."""
        with self._lock:
            self._last = max(self._last + 1, (time.time_ns() // 1_000_000) << _COUNTER_BITS)
            return self._last


_clock = _Clock()
# It tells processes apart and guards nothing; the system seeds it.
_random = random.Random()  # noqa: S311 - see above  # nosec B311
os.register_at_fork(after_in_child=_random.seed)


def new_id(region: str) -> UUID:
    """A new id of an object stored in `region` (6 digits)."""
    tick = _clock.tick()
    return UUID(
        int=(tick >> _COUNTER_BITS) << 80
        | (tick & ((1 << _COUNTER_BITS) - 1)) << 64
        | _VERSION_AND_VARIANT
        | int(region) << _REGION_SHIFT
        | _random.getrandbits(_RANDOM_BITS)
    )


def id_about(region: str, since: datetime, of: bytes) -> UUID:
    """The id in `region`, dated `since`, of what a hash (7 bytes or more) stands for: there is one,
    so it is found again.
    """
    told_apart = int.from_bytes(of[:7], "big") >> 2
    return UUID(
        int=(since - _EPOCH) // _A_MILLISECOND << 80
        | told_apart >> _RANDOM_BITS << 64
        | _VERSION_AND_VARIANT
        | int(region) << _REGION_SHIFT
        | told_apart & ((1 << _RANDOM_BITS) - 1)
    )


def region_of(object_id: UUID) -> str:
    """The region that stores the object, read from its id."""
    return f"{object_id.int >> _REGION_SHIFT & _REGION_MASK:06d}"


def made_at(object_id: UUID) -> datetime:
    """When the id was made, to the millisecond."""
    return datetime.fromtimestamp((object_id.int >> 80) / 1000, UTC)


def parse_id(text: str) -> UUID | None:
    """The id written in `text`, or None where it is not one that `new_id` can have made."""
    try:
        parsed = UUID(text)
    except ValueError:
        return None
    return parsed if parsed.version == 8 and str(parsed) == text.lower() else None
