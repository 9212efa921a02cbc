"""Processes that die under load.

Rule: what was answered stays; what was not is settled once, by a repeat of the same request.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from grpc import StatusCode

from bench.cpu import writers_of
from gongji.v1 import settlement_pb2 as pb
from tests.end_to_end.books import Books
from tests.end_to_end.purchases import ULANQAB, at_work, purchase
from tests.end_to_end.refusals import refusal_of
from tests.end_to_end.service import Service, Till, free_address, stopped, until
from tests.families import Families, Made
from tests.signals.scraped import health, scrape

_PROCESSES = Path("/proc")
_BUYERS = 8
_PAUSE_SECONDS = 0.05
pytestmark = pytest.mark.skipif(
    not _PROCESSES.exists(), reason="finding a front's writers needs Linux's /proc"
)


def runs(process: int) -> bool:
    """Whether the process is still there and no mere remainder waiting to be collected."""
    try:
        return _status(process)[0] not in "ZX"
    except FileNotFoundError:
        return False


def _status(process: int) -> list[str]:
    """What follows the name in its brackets: the state first."""
    stat = (_PROCESSES / str(process) / "stat").read_text()
    return stat.rpartition(")")[2].split()


@dataclass(slots=True)
class Load:
    """Buyers who buy all the time, and repeat what was not answered until it is."""

    till: Till
    code: str
    patients: list[Made]
    requests: list[pb.SettleRequest] = field(default_factory=list)
    answers: dict[str, pb.SettleResponse] = field(default_factory=dict)
    failures: list[grpc.RpcError] = field(default_factory=list)
    repeating: bool = True
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator["Load"]:
        """Buy until the end of the block; then wait for the answers still to come."""
        buyers = [threading.Thread(target=self._buy, args=(one,)) for one in self.patients]
        for buyer in buyers:
            buyer.start()
        try:
            until(lambda: len(self.answers) > 5 * _BUYERS, 20)
            yield self
        finally:
            self._over.set()
            for buyer in buyers:
                buyer.join()

    def more(self, seconds: float = 20) -> None:
        """Wait until everybody has bought again."""
        so_far = len(self.answers)
        until(lambda: len(self.answers) > so_far + 5 * _BUYERS, seconds)

    def _buy(self, patient: Made) -> None:
        while not self._over.is_set():
            request = purchase(self.code, patient, total_fen=100)
            self.requests.append(request)
            while not self._answered(request):
                if not self.repeating:
                    return
                time.sleep(_PAUSE_SECONDS)

    def _answered(self, request: pb.SettleRequest) -> bool:
        try:
            self.answers[request.request_id] = self.till.settle(request)
        except grpc.RpcError as failure:
            self.failures.append(failure)
            return False
        return True


def load_on(service: Service) -> Load:
    """A patient with money each buyer, at one pharmacy."""
    families = at_work(service.database)
    patients = [families.person(ULANQAB, balance_fen=10_000_000) for _ in range(_BUYERS)]
    code = families.institution(ULANQAB)
    return Load(service.till(code), code, patients)


def assert_unavailable(failures: list[grpc.RpcError]) -> None:
    """Some calls failed, all of them so that they may be repeated blindly."""
    assert failures
    for failure in failures:
        assert isinstance(failure, grpc.Call)
        assert failure.code() is StatusCode.UNAVAILABLE


def die(writers: list[int], address: str) -> None:
    """Kill writers, the first among them, while all buyers wait for it."""
    with stopped(writers):
        until(lambda: scrape(address)["gongji_queued_calls",] == _BUYERS)
        for writer in writers:
            os.kill(writer, signal.SIGKILL)


@pytest.mark.parametrize("dying", [1, 2])
def test_after_the_death_of_writers_repeats_settle_once(
    start: Callable[..., Service], dying: int
) -> None:
    address = free_address()
    service = start(metrics=address)
    load = load_on(service)
    before = Books.read(service.database)
    (front,) = service.workers.processes()
    with load.running():
        for first in (0, -1):  # the first writer, and the youngest when it was started again
            writers = writers_of([front])
            die(writers if dying == 2 else [writers[first]], address)
            load.more()
            until(lambda: scrape(address)["gongji_writer_ready",] == 2, 30)
            load.more()
    assert_unavailable(load.failures)
    assert {refusal_of(one).reason for one in load.failures} == {"SERVICE_UNAVAILABLE"}
    assert service.workers.processes() == [front]
    for request in load.requests:
        again = load.till.settle(request)
        assert again.replayed
        assert again.settlement == load.answers[request.request_id].settlement
    Books.read(service.database).check_since(before, load.answers.values())


def test_while_one_writer_is_away_the_other_serves(start: Callable[..., Service]) -> None:
    address = free_address()
    service = start(metrics=address)
    load = load_on(service)
    before = Books.read(service.database)
    os.kill(writers_of(service.workers.processes())[0], signal.SIGKILL)
    until(lambda: scrape(address)["gongji_writer_ready",] == 1)
    answers = [load.till.settle(purchase(load.code, patient)) for patient in load.patients]
    assert health(address).status_code == 200
    until(lambda: scrape(address)["gongji_writer_ready",] == 2, 30)
    Books.read(service.database).check_since(before, answers)


def test_what_is_more_than_a_good_batch_is_shared_by_the_writers(
    start: Callable[..., Service],
) -> None:
    service = start()
    load = load_on(service)
    before = Books.read(service.database)
    with stopped(writers_of(service.workers.processes())[:1]):
        calls = [
            load.till.begin(purchase(load.code, load.patients[number % _BUYERS]))
            for number in range(40)
        ]
        until(lambda: sum(call.done() for call in calls) >= 16)
        assert not all(call.done() for call in calls)
    answers = [call.result() for call in calls]
    Books.read(service.database).check_since(before, answers)


def test_after_the_death_of_a_front_repeats_settle_once(start: Callable[..., Service]) -> None:
    service = start(listen=free_address())
    load = load_on(service)
    before = Books.read(service.database)
    (front,) = service.workers.processes()
    writers = writers_of([front])
    with load.running():
        os.kill(front, signal.SIGKILL)
        load.more()
    assert_unavailable(load.failures)
    until(lambda: not any(runs(writer) for writer in writers))
    assert service.workers.processes() != [front]
    Books.read(service.database).check_since(before, load.answers.values())


def test_a_service_told_to_end_loses_no_call_it_took(start: Callable[..., Service]) -> None:
    """Whatever was settled was answered: nobody has to ask again."""
    service = start()
    load = load_on(service)
    load.repeating = False
    before = Books.read(service.database)
    (front,) = service.workers.processes()
    with load.running():
        os.kill(front, signal.SIGTERM)
        until(lambda: len(load.failures) == _BUYERS)
    assert_unavailable(load.failures)
    Books.read(service.database).check_since(before, load.answers.values())


def test_a_service_that_stops_answers_what_it_has(start: Callable[..., Service]) -> None:
    service = start()
    load = load_on(service)
    before = Books.read(service.database)
    calls = [
        load.till.begin(purchase(load.code, patient)) for patient in load.patients for _ in range(5)
    ]
    calls[0].result()
    service.workers.stop()
    answers = [call.result() for call in calls if call.code() is StatusCode.OK]
    Books.read(service.database).check_since(before, answers)


def test_a_call_whose_time_passes_while_it_waits_settles_nothing(
    service: Service, families: Families
) -> None:
    code = families.institution(ULANQAB)
    patient = families.person(ULANQAB, balance_fen=100_000)
    till = service.till(code)
    till.settle(purchase(code, patient))
    before = Books.read(service.database)
    with stopped(writers_of(service.workers.processes())):
        late = [till.begin(purchase(code, patient), 0.3) for _ in range(10)]
        assert {call.code() for call in late} == {StatusCode.DEADLINE_EXCEEDED}
    answer = till.settle(purchase(code, patient))
    Books.read(service.database).check_since(before, [answer])
