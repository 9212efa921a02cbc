"""How long an upload is waited for."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gongji_svc.domain.errors import DeadlinePassed, DocumentTooLarge
from gongji_svc.services.receiving import Patience, received

_SOON = Patience(seconds=0.05, bytes_a_second=1)
_ENOUGH = 1 << 20


async def _sent(pieces: list[bytes], pause_seconds: float = 0.0) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
        await asyncio.sleep(pause_seconds)


async def _nothing() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


def test_what_comes_is_held_until_it_is_whole() -> None:
    pieces = [b"a", b"", b"bc"]
    assert asyncio.run(received(_sent(pieces), _ENOUGH, DocumentTooLarge)) == pieces


def test_who_sends_nothing_is_not_waited_for() -> None:
    with pytest.raises(DeadlinePassed):
        asyncio.run(received(_nothing(), _ENOUGH, DocumentTooLarge, _SOON))


def test_who_goes_on_sending_is_waited_for() -> None:
    pieces = [bytes(1000)] * 3
    coming = _sent(pieces, pause_seconds=0.1)
    assert asyncio.run(received(coming, _ENOUGH, DocumentTooLarge, _SOON)) == pieces


def test_who_sends_next_to_nothing_is_not_waited_for() -> None:
    trickle = _sent([b"x"] * 10_000, pause_seconds=0.01)
    patience = Patience(seconds=0.05, bytes_a_second=1 << 20)
    with pytest.raises(DeadlinePassed):
        asyncio.run(received(trickle, _ENOUGH, DocumentTooLarge, patience))


def test_more_than_may_be_held_is_refused_though_more_would_come() -> None:
    async def run() -> None:
        async def without_end() -> AsyncIterator[bytes]:
            while True:
                yield bytes(100)

        await received(without_end(), 1000, DocumentTooLarge)

    with pytest.raises(DocumentTooLarge):
        asyncio.run(run())
