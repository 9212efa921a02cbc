"""RefundSettlement: what comes back, to whom, and how the settlement is shown afterwards."""

from typing import Any

import pytest

from gongji.v1 import account_pb2
from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.families import Families
from tests.services.driver import Driver
from tests.services.holds import get_hold, hold, holding, money_of
from tests.services.refunds import (
    basket,
    cancel,
    family_of_three,
    given_back,
    read,
    refund,
    refunding,
    send_refund,
    state_of,
)
from tests.services.till import HOHHOT, TIELING, ULANQAB, counts, paid, settle


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


@pytest.fixture
def settlement(driver: Driver, families: Families) -> pb.Settlement:
    """20 pieces at 10 yuan: personal 200 = own 50 + donor 80 + cash 70."""
    patient, _, code = family_of_three(families, ULANQAB)
    settled = settle(driver, code, basket(code, patient, [("XA01", 20, 10)])).settlement
    assert (paid(settled), settled.breakdown.cash_pay_fen) == (
        [("SELF", 5_000), ("DONOR", 8_000)],
        7_000,
    )
    return settled


@pytest.mark.requirement("RF-01")
def test_of_200_personal_the_60_that_come_back_first_are_cash(
    driver: Driver, settlement: pb.Settlement
) -> None:
    answer = refund(driver, settlement, (1, "6"))
    assert given_back(answer.refund) == ([], 0, 6_000)
    assert state_of(answer.settlement) == "PARTLY_REFUNDED"
    remaining = answer.settlement.remaining
    assert (remaining.total_fen, remaining.cash_pay_fen) == (14_000, 1_000)
    assert (remaining.account_pay_fen, remaining.mutual_aid_pay_fen) == (13_000, 8_000)
    assert answer.settlement.lines[0].returned_quantity == "6"
    assert answer.settlement.breakdown == settlement.breakdown


@pytest.mark.requirement("RF-01", "RF-02")
def test_after_the_cash_the_donor_gets_back_then_the_patient(
    driver: Driver, settlement: pb.Settlement
) -> None:
    steps = [refund(driver, settlement, (1, quantity)) for quantity in ("6", "6", "5.5")]
    assert [given_back(step.refund) for step in steps] == [
        ([], 0, 6_000),
        ([5_000], 0, 1_000),
        ([2_500, 3_000], 0, 0),
    ]
    after = steps[-1].settlement
    assert [(leg.amount_fen, leg.refunded_fen) for leg in after.legs] == [
        (5_000, 2_500),
        (8_000, 8_000),
    ]
    assert after.lines[0].returned_quantity == "17.5"
    assert [step.refund for step in steps] == list(after.refunds)


@pytest.mark.requirement("RF-01", "RF-02")
def test_a_refund_to_the_end_moves_every_fen_back(
    driver: Driver, settlement: pb.Settlement, database: Database
) -> None:
    refund(driver, settlement, (1, "7"))
    last = refund(driver, settlement)
    assert state_of(last.settlement) == "REFUNDED"
    assert [(line.line_no, line.quantity) for line in last.refund.lines] == [(1, "13")]
    assert last.settlement.remaining == pb.Breakdown(
        fund_ratio_bp=settlement.breakdown.fund_ratio_bp
    )
    assert all(leg.refunded_fen == leg.amount_fen for leg in last.settlement.legs)
    with database.connect() as tx:
        balances = tx.execute("SELECT balance_fen FROM accounts ORDER BY balance_fen").fetchall()
        entries: list[Any] = tx.execute(
            "SELECT kind, amount_fen, source_id, counterparty FROM entries"
            " WHERE kind LIKE 'REFUND%%' ORDER BY kind"
        ).fetchall()
    assert balances == [(5_000,), (8_000,)]
    assert [(kind, fen) for kind, fen, *_ in entries] == [
        ("REFUND_MUTUAL_AID", 8_000),
        ("REFUND_OWN", 5_000),
    ]
    points_to = {(str(source), counterparty) for *_, source, counterparty in entries}
    assert points_to == {(settlement.settlement_id, settlement.institution_code)}


def test_one_of_several_lines_comes_back(driver: Driver, families: Families) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    lines = [("XA01", 2, 30), ("XA01", 5, 10), ("UNKNOWN", 1, 7)]
    settled = settle(driver, code, basket(code, patient, lines)).settlement
    assert (paid(settled), settled.breakdown.cash_pay_fen) == (
        [("SELF", 5_000), ("DONOR", 6_000)],
        700,
    )
    answer = refund(driver, settled, (2, "5"))
    assert given_back(answer.refund) == ([5_000], 0, 0)
    returned = [line.returned_quantity for line in answer.settlement.lines]
    assert returned == ["0", "5", "0"]
    rest = refund(driver, settled)
    assert given_back(rest.refund) == ([5_000, 1_000], 0, 700)
    assert [(line.line_no, line.quantity) for line in rest.refund.lines] == [(1, "2"), (3, "1")]


def test_what_is_answered_is_what_is_read_afterwards(
    driver: Driver, settlement: pb.Settlement
) -> None:
    asked = refunding(settlement, (1, "6"), reason="顾客退货")
    asked.terminal.device_no = "T-1"
    answer = send_refund(driver, "pos", settlement.institution_code, asked)
    step = answer.refund
    assert (step.request_id, step.reason, step.cancellation) == (
        asked.request_id,
        "顾客退货",
        False,
    )
    assert step.HasField("recorded_at")
    assert read(driver, settlement) == answer.settlement
    assert list(answer.settlement.refunds) == [step]


def test_the_patient_sees_all_of_it_and_a_donor_the_own_leg_only(
    driver: Driver, families: Families
) -> None:
    families.item(ULANQAB, "XA01")
    patient, code = families.person(ULANQAB), families.institution(ULANQAB)
    donors = [families.person(ULANQAB, balance_fen=fen) for fen in (3_000, 4_000)]
    for rank, donor in enumerate(donors, 1):
        families.bind(donor, patient, rank=rank)
    settled = settle(driver, code, basket(code, patient, [("XA01", 7, 10)])).settlement
    refund(driver, settled, (1, "2"), reason="退三盒感冒药")
    refund(driver, settled, (1, "4"))
    seen = read(driver, settled, "citizen", patient)
    assert [given_back(step)[0] for step in seen.refunds] == [[2_000], [2_000, 2_000]]
    assert seen.explanation and seen.remaining.total_fen == 1_000
    first, second = (read(driver, settled, "citizen", donor) for donor in donors)
    assert [(leg.amount_fen, leg.refunded_fen) for leg in first.legs] == [(3_000, 2_000)]
    assert [given_back(step)[0] for step in first.refunds] == [[2_000]]
    assert [given_back(step)[0] for step in second.refunds] == [[2_000], [2_000]]
    for seen in (first, second):
        assert not seen.lines and not seen.HasField("remaining")
        assert not any(
            step.lines or step.reason or step.request_id or step.HasField("breakdown")
            for step in seen.refunds
        )


@pytest.mark.requirement("RF-02")
def test_the_same_request_again_gets_the_first_answer_and_moves_nothing(
    driver: Driver, settlement: pb.Settlement, database: Database
) -> None:
    asked = refunding(settlement, (1, "6"))
    code = settlement.institution_code
    first = send_refund(driver, "pos", code, asked)
    refund(driver, settlement, (1, "6"))
    before = counts(database)
    again = send_refund(driver, "pos", code, asked)
    assert again.replayed and not first.replayed
    assert (again.settlement, again.refund) == (first.settlement, first.refund)
    assert counts(database) == before
    asked.lines[0].quantity = "7"
    with pytest.raises(errors.RequestIdReused) as refused:
        send_refund(driver, "pos", code, asked)
    assert refused.value.details["fields"] == "lines"


def test_a_request_id_that_settled_can_not_refund(
    driver: Driver, settlement: pb.Settlement
) -> None:
    with pytest.raises(errors.RequestIdReused):
        refund(driver, settlement, request_id=settlement.request_id)


@pytest.mark.parametrize(
    ("lines", "refusal"),
    [
        ([(2, "1")], errors.LineNotFound),
        ([(1, "20.0001")], errors.RefundExceedsRest),
        ([(1, "1"), (1, "1")], errors.InvalidField),
        ([(1, "0.0000")], errors.InvalidField),
    ],
)
def test_lines_that_can_not_come_back_are_refused_and_nothing_moves(
    driver: Driver,
    settlement: pb.Settlement,
    database: Database,
    lines: list[tuple[int, str]],
    refusal: type[errors.Refusal],
) -> None:
    before = counts(database)
    with pytest.raises(refusal):
        refund(driver, settlement, *lines)
    assert counts(database) == before
    assert read(driver, settlement) == settlement


def test_no_more_comes_back_than_is_left(driver: Driver, settlement: pb.Settlement) -> None:
    refund(driver, settlement, (1, "12.5"))
    with pytest.raises(errors.RefundExceedsRest) as refused:
        refund(driver, settlement, (1, "8"))
    assert refused.value.details == {"line_no": "1", "rest": "7.5"}


@pytest.mark.requirement("RF-02")
def test_what_was_given_back_whole_or_cancelled_is_not_given_back_again(
    driver: Driver, families: Families, settlement: pb.Settlement
) -> None:
    refund(driver, settlement)
    code, patient = settlement.institution_code, families.person(ULANQAB, balance_fen=1_000)
    other = settle(driver, code, basket(code, patient, [("XA01", 1, 10)])).settlement
    cancel(driver, code, other.request_id)
    for settled, refusal in (
        (settlement, errors.SettlementRefunded),
        (other, errors.SettlementCancelled),
    ):
        for lines in ([], [(1, "1")]):
            with pytest.raises(refusal):
                refund(driver, settled, *lines)


def test_only_its_institution_and_the_platform_of_its_region_refund_a_settlement(
    driver: Driver, families: Families, settlement: pb.Settlement
) -> None:
    missing = pb.Settlement(settlement_id=str(new_id(ULANQAB)))
    foreign = pb.Settlement(settlement_id="01900000-0000-7000-8000-000000000000")
    strangers = [("pos", families.institution(ULANQAB)), ("platform", HOHHOT)]
    strangers.append(("platform", TIELING))
    for role, subject in strangers:
        for asked in (settlement, missing, foreign):
            with pytest.raises(errors.AccessDenied):
                send_refund(driver, role, subject, refunding(asked, (1, "1")))
    with pytest.raises(errors.AccessDenied):
        send_refund(driver, "pos", settlement.institution_code, refunding(missing))
    for platform in (ULANQAB, "150000"):
        send_refund(driver, "platform", platform, refunding(settlement, (1, "1")))
    assert read(driver, settlement).lines[0].returned_quantity == "2"


def test_a_platform_and_its_institution_share_their_request_ids(
    driver: Driver, settlement: pb.Settlement
) -> None:
    asked = refunding(settlement, (1, "1"))
    send_refund(driver, "platform", ULANQAB, asked)
    assert send_refund(driver, "pos", settlement.institution_code, asked).replayed


def test_a_bill_of_cash_alone_comes_back_in_cash(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    bought = basket(code, patient, [("XA01", 2, 10)], account_use=pb.ACCOUNT_USE_NONE)
    settled = settle(driver, code, bought).settlement
    assert given_back(refund(driver, settled, (1, "1")).refund) == ([], 0, 1_000)
    assert counts(database)["entries"] == 0


def test_a_stay_priced_elsewhere_comes_back_whole_or_not_at_all(
    driver: Driver, families: Families
) -> None:
    code = families.institution(ULANQAB, kind="HOSPITAL", level="TERTIARY")
    patient = families.person(ULANQAB, balance_fen=10_000)
    bought = basket(code, patient, [("XA01", 10, 10)], visit_type=pb.VISIT_TYPE_INPATIENT)
    given = {"total_fen": 10_000, "in_scope_fen": 10_000, "fund_pay_fen": 9_000}
    bought.given_breakdown.CopyFrom(pb.GivenBreakdown(**given, personal_fen=1_000))
    settled = settle(driver, code, bought).settlement
    with pytest.raises(errors.VisitTypeNotServed):
        refund(driver, settled, (1, "1"))
    assert given_back(refund(driver, settled, (1, "10")).refund) == ([1_000], 9_000, 0)


def test_a_suspended_institution_still_gives_back(
    driver: Driver, settlement: pb.Settlement, database: Database
) -> None:
    with database.connect() as tx:
        tx.execute("UPDATE institutions SET status = 'SUSPENDED'")
    assert given_back(refund(driver, settlement).refund) == ([5_000, 8_000], 0, 7_000)


def test_what_was_held_for_a_settlement_comes_back_to_the_account(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, donor, code = family_of_three(families, ULANQAB)
    made = hold(driver, "pos", code, holding(donor.account_id, patient, 6_000))
    bought = basket(code, patient, [("XA01", 11, 10)])
    bought.hold_ids.append(made.hold_id)
    settled = settle(driver, code, bought).settlement
    assert paid(settled) == [("SELF", 5_000), ("DONOR", 6_000)]
    answer = refund(driver, settled)
    assert [leg.hold_id for leg in answer.settlement.legs] == ["", made.hold_id]
    assert [leg.hold_id for leg in answer.refund.legs] == ["", ""]
    assert money_of(database, donor.account_id)[:2] == (8_000, 0)
    assert get_hold(driver, "pos", code, made.hold_id).state == account_pb2.HOLD_STATE_CAPTURED
