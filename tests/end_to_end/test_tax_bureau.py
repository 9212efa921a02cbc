"""However the tax bureau behaves, no premium is lost, doubled or stuck: the real service, real
workers and a bureau over HTTP and gRPC, compared with a model that only adds.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from gongji.v1 import payment_pb2 as pb
from gongji_svc.demo.bureau import PATH, Behaviour, Kept
from gongji_svc.services.tax_endpoint import TaxEndpoint, deliver
from gongji_svc.storage.ids import new_id
from tests import conftest
from tests.commands.program import gongji
from tests.end_to_end.books import Books
from tests.end_to_end.service import free_address, until
from tests.end_to_end.tax import Land, land
from tests.services.premiums import Family
from tests.upkeep.outbox import KEY

_HOUSEHOLDS = 4
_PAYABLE_FEN = {True: 20_000, False: 40_000}  # half of it subsidised, or nothing

Order = tuple[Family, pb.PremiumPayment]


@pytest.fixture(scope="module")
def shared(test_server: conftest.TestServer) -> Iterator[Land]:
    """One service and one bureau for all: each test looks at its own premiums."""
    database = test_server.new_database(conftest.TEMPLATE)
    with land(database) as started:
        yield started
    test_server.drop(database)


@pytest.fixture
def here(shared: Land) -> Iterator[Land]:
    """The same, with a bureau that behaves and remembers nothing."""
    shared.bureau.behaviour, shared.bureau.kept = Behaviour(), Kept()
    before = shared.office.tax
    yield shared
    shared.office.tax = before


def order_all(here: Land) -> tuple[list[Order], Mapping[UUID, int]]:
    """Many premiums, paid over gRPC; with the balances before."""
    found = [one for number in range(_HOUSEHOLDS) for one in here.household(number)]
    before = here.balances()
    return [(one, here.pay(one)) for one in found], before


def expect(
    here: Land, orders: Sequence[Order], before: Mapping[UUID, int], state: str, debited: bool
) -> None:
    """Each premium stands in `state`, was told of once a key, and took its amount or nothing."""
    left = {one.donor.person_id: before[one.donor.person_id] for one, _ in orders}
    for one, payment in orders:
        assert here.state(one.donor, payment) == state
        assert payment.payable_fen == _PAYABLE_FEN[bool(payment.group)]
        left[one.donor.person_id] -= payment.payable_fen if debited else 0
    assert {donor: here.balances()[donor] for donor in left} == left
    told = [one for one in here.bureau.kept.messages.values() if one["kind"] == "COLLECT"]
    assert sorted((one["payment_id"], one["amount_fen"]) for one in told) == sorted(
        (payment.payment_id, payment.payable_fen) for _, payment in orders
    )
    assert len({payment.payment_id for _, payment in orders}) == len(orders)
    assert here.count("tax_messages WHERE taken_at IS NULL") == 0
    Books.read(here.database).check()


def test_a_bureau_that_answers_at_once_is_told_once(here: Land) -> None:
    orders, before = order_all(here)
    here.send_until_heard()
    here.until_answered()
    assert set(here.bureau.kept.heard.values()) == {1}
    expect(here, orders, before, "CONFIRMED", debited=True)


def test_a_bureau_that_rejects_has_every_donor_get_the_money_back(here: Land) -> None:
    here.bureau.behaviour.rejects = True
    orders, before = order_all(here)
    here.send_until_heard()
    here.until_answered()
    expect(here, orders, before, "REJECTED", debited=False)


@pytest.mark.parametrize(("rejects", "state"), [(False, "CONFIRMED"), (True, "REJECTED")])
def test_a_bureau_that_answers_twice_changes_nothing_by_it(
    here: Land, rejects: bool, state: str
) -> None:
    here.bureau.behaviour.answers_twice = True
    here.bureau.behaviour.rejects = rejects
    orders, before = order_all(here)
    here.send_until_heard()
    here.until_answered()
    until(lambda: len(here.bureau.kept.answers) == 2 * len(orders), 30)
    expect(here, orders, before, state, debited=not rejects)
    assert here.bureau.kept.refused == {}


def test_a_bureau_whose_answers_come_too_late_is_told_again_and_acts_once(here: Land) -> None:
    here.office.tax = replace(here.bureau.endpoint, timeout_seconds=0.2)
    here.bureau.behaviour.slow_seconds = 0.6
    here.bureau.behaviour.is_silent = True
    orders, before = order_all(here)
    here.send()
    here.send()
    assert here.count("tax_messages WHERE last_error LIKE 'TimeoutError%'") > 0
    here.bureau.behaviour.slow_seconds = 0.0
    here.send_until_heard()
    assert max(here.bureau.kept.heard.values()) > 1
    here.bureau.behaviour.is_silent = False
    here.until_answered()
    expect(here, orders, before, "CONFIRMED", debited=True)


@pytest.mark.parametrize("status", [503, 400])
def test_a_bureau_that_is_down_or_refuses_hears_everything_later(here: Land, status: int) -> None:
    here.bureau.behaviour.says = status
    orders, before = order_all(here)
    for _ in range(3):
        here.send()
    assert {here.state(one.donor, payment) for one, payment in orders} == {"SUBMITTED"}
    assert here.bureau.kept.messages == {}
    here.bureau.behaviour.says = None
    here.send_until_heard()
    here.until_answered()
    expect(here, orders, before, "CONFIRMED", debited=True)


def test_what_is_refunded_is_told_and_comes_back_whole(here: Land) -> None:
    orders, before = order_all(here)
    here.send_until_heard()
    here.until_answered()
    for number, (one, payment) in enumerate(orders):
        asking = pb.RefundPremiumRequest(
            request_id=f"back-{number}",
            payment_id=payment.payment_id,
            cause=pb.PREMIUM_REFUND_CAUSE_IMPRISONED,
        )
        here.call("RefundPremium", "citizen", one.donor, asking)
        if here.state(one.donor, payment) == "REFUND_REQUESTED":
            deciding = pb.DecidePremiumRefundRequest(
                request_id=f"yes-{number}",
                payment_id=payment.payment_id,
                decision=pb.PREMIUM_REFUND_DECISION_APPROVE,
            )
            here.call("DecidePremiumRefund", "agency", payment.region, deciding)
    here.send_until_heard()
    expect(here, orders, before, "REFUNDED", debited=False)
    kept = here.bureau.kept
    assert kept.total_fen("REFUND") == kept.total_fen("COLLECT")
    assert {one["cause"] for one in kept.messages.values() if "cause" in one} == {"IMPRISONED"}


def working(here: Land, folder: Path) -> AbstractContextManager["subprocess.Popen[str]"]:
    """`gongji work` in a process of its own."""
    folder.mkdir()
    (folder / "tax.key").write_text(KEY.hex())
    settings = {
        "GONGJI_TAX_URL": here.bureau.endpoint.url,
        "GONGJI_TAX_KEY": str(folder / "tax.key"),
    }
    return gongji(here.database, folder, "work", **settings)


def test_the_bureau_as_a_program_ends_quietly_in_the_middle_of_a_slow_answer(
    tmp_path: Path,
) -> None:
    (tmp_path / "tax.key").write_text(KEY.hex())
    listen = free_address()
    arguments = [
        "--listen",
        listen,
        "--data-dir",
        str(tmp_path),
        "--silent",
        "--slow-seconds",
        "60",
    ]
    command = [sys.executable, "-m", "tests.bureau", "--key", str(tmp_path / "tax.key")]
    with subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as bureau:
        assert bureau.stdout is not None
        assert bureau.stdout.readline().startswith("the bureau listens")
        endpoint = TaxEndpoint(f"http://{listen}{PATH}", KEY, timeout_seconds=0.5)
        message_id = new_id("150100")
        body = {"message_id": str(message_id), "kind": "REFUND"}
        heard = deliver(endpoint, message_id, json.dumps(body).encode())
        assert heard.sign.startswith("TimeoutError")  # it is slow
        bureau.terminate()
        output, _ = bureau.communicate(timeout=30)
    assert (bureau.returncode, "Traceback" in output) == (0, False), output


def test_a_worker_that_dies_between_sending_and_marking_leaves_nothing_undone(
    here: Land, tmp_path: Path
) -> None:
    here.bureau.behaviour.slow_seconds = 5.0
    here.bureau.behaviour.is_silent = True
    orders, before = order_all(here)
    with working(here, tmp_path / "one") as process:
        until(lambda: len(here.bureau.kept.messages) > 0, 30)
        process.kill()
        process.wait()
    assert here.count("tax_messages WHERE taken_at IS NULL") == len(orders)
    here.bureau.behaviour.slow_seconds = 0.0
    here.send_until_heard()  # the lease is over
    assert max(here.bureau.kept.heard.values()) == 2
    here.bureau.behaviour.is_silent = False
    here.until_answered()
    expect(here, orders, before, "CONFIRMED", debited=True)


def test_workers_in_processes_of_their_own_tell_each_premium_once(
    here: Land, tmp_path: Path
) -> None:
    orders, before = order_all(here)
    with working(here, tmp_path / "one"), working(here, tmp_path / "two"):
        until(lambda: here.count("tax_messages WHERE taken_at IS NULL") == 0, 60)
    here.until_answered()
    assert set(here.bureau.kept.heard.values()) == {1}
    expect(here, orders, before, "CONFIRMED", debited=True)
