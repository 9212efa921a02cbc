"""Uploads: what a client sends, held until it is whole.

Rule: it must come, and go on coming: who sends nothing, or next to nothing, gives the place up
soon, however long the call may last. What is too much is refused as soon as it is.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from gongji_svc.domain.access import Caller
from gongji_svc.domain.errors import DeadlinePassed, Refusal
from gongji_svc.services.office import Office

_MESSAGE_BYTES = 64  # what it costs to keep one


@dataclass(frozen=True, slots=True)
class Upload:
    """What serves an upload, how many bytes of it are held before, and the refusal of more."""

    serve: Callable[[Office, Caller, Iterator[Any]], Message]
    most_bytes: int
    too_large: Callable[[], Refusal]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an upload is waited for: so many seconds, and one more for so many bytes."""

    seconds: float = 30.0
    bytes_a_second: int = 32 << 10


async def received(
    bodies: AsyncIterator[bytes],
    most_bytes: int,
    too_large: Callable[[], Refusal],
    patience: Patience = Patience(),
) -> list[bytes]:
    """All messages of an upload; the refusal as soon as they are too much to hold, DeadlinePassed
    when they come too slowly.
    """
    try:
        return await _held(bodies, most_bytes, too_large, patience)
    except TimeoutError as late:
        raise DeadlinePassed from late


async def _held(
    bodies: AsyncIterator[bytes],
    most_bytes: int,
    too_large: Callable[[], Refusal],
    patience: Patience,
) -> list[bytes]:
    messages: list[bytes] = []
    held_bytes = 0
    soon = asyncio.get_running_loop().time() + patience.seconds
    async with asyncio.timeout_at(soon) as waiting:
        async for body in bodies:
            held_bytes += len(body) + _MESSAGE_BYTES
            if held_bytes > most_bytes:
                raise too_large()
            messages.append(body)
            waiting.reschedule(soon + held_bytes / patience.bytes_a_second)
    return messages
