"""Calls of every RPC as every role, made up and sent to a running service, for FUZZ_SECONDS (20).

Rule: whatever comes is answered or refused by name, in time; then the service still sells, and in
the end its books are whole. The calls are the same in every run with the same FUZZ_SEED, as far as
the time reaches.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain.limits import Limits
from gongji_svc.services import routes
from gongji_svc.storage.audit_checks import Audit
from gongji_svc.storage.database import Database
from tests.end_to_end.books import Books
from tests.end_to_end.refusals import refusal_of
from tests.end_to_end.service import Service, metadata_of, running
from tests.fuzz.choice import Drawn
from tests.fuzz.world import Attempt, World, made, side_in
from tests.services.applications import ULANQAB

_SECONDS = int(os.environ.get("FUZZ_SECONDS", "20"))
_SEED = int(os.environ.get("FUZZ_SEED", "1"))
_TO_START_SECONDS = 240
_IN_TIME_SECONDS, _WATCHED_SECONDS = 10.0, 0.2
_CALLS = 100  # between two purchases
_NO_LIMITS = Limits.parse("off")


@dataclass(frozen=True, slots=True)
class Served:
    """A running service, what calls are about, and how often each code was answered."""

    service: Service
    world: World
    codes: dict[str, int]

    def call(self, attempt: Attempt) -> None:
        """Make a call; asserts that it is answered, or refused by one of our refusals."""
        watching = attempt.method.path in routes.WATCHES
        try:
            self._send(attempt, _WATCHED_SECONDS if watching else _IN_TIME_SECONDS)
        except grpc.RpcError as error:
            assert isinstance(error, grpc.Call)
            self._count(error.code().name)
            if not (watching and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED):
                refusal = refusal_of(error)
                assert refusal.code not in _FAULTS, attempt
        else:
            self._count("OK")

    def _send(self, attempt: Attempt, seconds: float) -> None:
        method, channel, body = attempt.method, self.service.channel, attempt.bodies[0]
        said: Any = {
            "metadata": metadata_of(attempt.role.value, attempt.subject),
            "timeout": seconds,
        }
        send: Any
        if method.client_streaming:
            send = channel.stream_unary(method.path)
            answers = [send(iter(attempt.bodies), **said)]
        elif method.server_streaming:
            send = channel.unary_stream(method.path)
            answers = list(send(body, **said))
        else:
            send = channel.unary_unary(method.path)
            answers = [send(body, **said)]
        for answer in answers:
            method.response.FromString(answer)

    def _count(self, code: str) -> None:
        self.codes[code] = self.codes.get(code, 0) + 1


_FAULTS = {
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}


@pytest.fixture(scope="module")
def served(shared_database: Database) -> Iterator[Served]:
    """The service on a world of its own, at the world's time."""
    world = made(shared_database)
    offset_seconds = world.driver.office.clock_offset.total_seconds()
    with running(
        shared_database, clock_offset_seconds=offset_seconds, limits=_NO_LIMITS
    ) as service:
        yield Served(service, world, {})
    world.driver.close()


@pytest.fixture
def sell(served: Served) -> Callable[[], pb.SettleResponse]:
    """One purchase as it should be, of people whom no other call names."""
    shop = side_in(served.world.driver, ULANQAB)
    return lambda: served.service.till(shop.institution).settle(shop.purchase())


class _Unwatched:
    """Nobody watches the audit."""

    def begin(self, part: str, entries: int | None) -> None: ...

    def advance(self, entries: int) -> None: ...


def _differences(served: Served) -> list[str]:
    audit = Audit(served.service.database, _Unwatched())
    return [finding.what for finding in audit.run() if not finding.is_note]


@pytest.mark.timeout(_SECONDS + _TO_START_SECONDS)
def test_whatever_is_called_the_service_answers_and_sells_on_and_its_books_are_whole(
    served: Served, sell: Callable[[], pb.SettleResponse]
) -> None:
    @st.composite
    def attempts(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Attempt:
        return served.world.attempt(Drawn(draw))

    @settings(
        max_examples=_CALLS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(attempts())
    def calls(attempt: Attempt) -> None:
        served.call(attempt)

    assert _differences(served) == []
    number, until = _SEED * 1_000_000, time.monotonic() + _SECONDS
    while time.monotonic() < until:
        seed(number)(calls)()
        sell()
        number += 1
    sys.stdout.write(f"{served.codes}\n")
    Books.read(served.service.database).check()
    assert _differences(served) == []
