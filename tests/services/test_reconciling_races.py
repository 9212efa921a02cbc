"""Comparisons of one day at the same time, and beside whoever puts a difference right."""

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from threading import Barrier
from typing import Any

import pytest

from gongji.v1 import clearing_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.errors import Refusal
from gongji_svc.services import reconciling
from gongji_svc.storage.database import Database
from gongji_svc.storage.reconciliation import comparing, lock_day
from tests.families import Families
from tests.services.driver import Driver
from tests.services.reconciling import details, header, listed, pieces, resolve, resolving, send
from tests.services.till import HOHHOT

DAY = date(2025, 5, 6)
ROWS = [pb.ReconcileRow(request_id=f"x-{number}") for number in range(50)]
OPEN = pb.DIFFERENCE_STATE_OPEN


@pytest.fixture(autouse=True)
def _several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only within a process do comparisons take turns in memory."""
    monkeypatch.setattr(reconciling, "_ONE_AT_A_TIME", contextlib.nullcontext())


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """What each gives, or the refusal it ends with."""
    barrier = Barrier(len(works))

    def begun(work: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return work()
        except Refusal as refusal:
            return refusal

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(begun, works))


def kept(driver: Driver, **fields: Any) -> Sequence[pb.Difference]:
    return listed(driver, "agency", HOHHOT, region=HOHHOT, page_size=1_000, **fields)


def test_a_request_sent_several_times_at_once_is_one(driver: Driver, families: Families) -> None:
    code = families.institution(HOHHOT)
    first = header(code, DAY)
    answers = at_once(*[lambda: send(driver, code, pieces(first, ROWS))] * 4)
    assert sorted(one.replayed for one in answers) == [False, True, True, True]
    assert len({tuple(one.difference_id for one in answer.differences) for answer in answers}) == 1
    assert len(kept(driver)) == len(ROWS)


def test_comparisons_of_a_day_at_once_leave_what_one_of_them_found(
    driver: Driver, families: Families
) -> None:
    code = families.institution(HOHHOT)
    sent = [ROWS[start : start + 20] for start in (0, 15, 30)]
    for _ in range(5):
        at_once(*(partial(details, driver, code, rows, DAY) for rows in sent))
        found = [one.request_id for one in kept(driver)]
        assert sorted(found) in [sorted(row.request_id for row in rows) for rows in sent]


def test_a_difference_put_right_during_a_comparison_is_either_kept_or_gone(
    driver: Driver, families: Families
) -> None:
    code = families.institution(HOHHOT)
    for number in range(10):
        mine = [pb.ReconcileRow(request_id=f"y-{number}")]
        [found] = details(driver, code, mine, DAY).differences
        request = resolving(found.difference_id)
        outcome, _ = at_once(
            partial(resolve, driver, "agency", HOHHOT, request),
            partial(details, driver, code, [], DAY),
        )
        left = [one for one in kept(driver) if one.difference_id == found.difference_id]
        if isinstance(outcome, errors.DifferenceNotFound):
            assert not left
        else:
            assert left == [outcome.difference]
        assert not kept(driver, states=[OPEN])


def test_a_comparison_waits_for_the_one_before_it(
    driver: Driver, families: Families, database: Database
) -> None:
    code = families.institution(HOHHOT)
    with ThreadPoolExecutor(1) as threads:
        with comparing(database) as tx:
            lock_day(tx, code, DAY)
            waiting = threads.submit(details, driver, code, ROWS, DAY)
            assert not kept(driver)
        assert waiting.result().difference_count == len(ROWS)
    assert len(kept(driver)) == len(ROWS)
