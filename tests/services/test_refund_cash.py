"""A return after which accounts may pay for less: they get it back, the patient pays cash in."""

import pytest

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.storage.database import Database
from tests.end_to_end.books import Books
from tests.families import Families, Made
from tests.services.driver import Driver
from tests.services.holds import money_of
from tests.services.refunds import basket, books_of, cancel, given_back, read, refund
from tests.services.till import TIELING, paid, settle


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


@pytest.fixture
def patient(families: Families) -> Made:
    return families.person(TIELING, balance_fen=100_000)


@pytest.fixture
def settlement(driver: Driver, families: Families, patient: Made) -> pb.Settlement:
    """Three lines of 1000 yuan in scope, of which accounts may pay for two: the fund pays
    (3000 - 300) x 50 % = 1350, accounts 2000 - 900 = 1100, and 550 are cash.
    """
    families.item(TIELING, "XA01")
    families.item(TIELING, "XN01", account_payable=False)
    families.bind(families.person(TIELING, balance_fen=50_000), patient)
    code = families.institution(TIELING, kind="HOSPITAL", level="TERTIARY")
    lines = [("XA01", 1, 1_000), ("XA01", 1, 1_000), ("XN01", 1, 1_000)]
    request = basket(code, patient, lines, visit_type=pb.VISIT_TYPE_OUTPATIENT)
    settled = settle(driver, code, request).settlement
    assert paid(settled) == [("SELF", 100_000), ("DONOR", 10_000)]
    assert (settled.breakdown.fund_pay_fen, settled.breakdown.cash_pay_fen) == (135_000, 55_000)
    return settled


@pytest.mark.requirement("RF-01")
def test_cash_is_paid_in_and_the_receipt_says_so(
    driver: Driver, settlement: pb.Settlement, database: Database
) -> None:
    # Left are 2000: the fund pays 850, accounts 1000 - 425 = 575, and 575 are cash.
    answer = refund(driver, settlement, (2, "1"))
    assert given_back(answer.refund) == ([42_500, 10_000], 50_000, -2_500)
    (warning,) = answer.refund.warnings
    assert warning.rule == "CASH_TO_PAY_IN"
    assert warning.text.startswith("患者补缴现金25.00元")
    assert "25.00 yuan" in warning.text_en
    assert warning.source == "docs/decisions/readings.md#refund-in-steps"
    assert answer.settlement.remaining.cash_pay_fen == 57_500
    assert read(driver, settlement) == answer.settlement
    assert (
        books_of(database)[TIELING, "INSTITUTION_PAYABLE", settlement.institution_code]
        == 85_000 + 57_500
    )
    Books.read(database).check()


@pytest.mark.requirement("RF-01")
@pytest.mark.parametrize("how", ["refund", "cancel"])
def test_what_was_paid_in_comes_back_with_the_rest(
    driver: Driver, settlement: pb.Settlement, patient: Made, database: Database, how: str
) -> None:
    refund(driver, settlement, (2, "1"))
    if how == "refund":
        rest = refund(driver, settlement).refund
    else:
        rest = cancel(driver, settlement.institution_code, settlement.request_id).refund
    assert given_back(rest) == ([57_500], 85_000, 57_500)
    assert not rest.warnings
    assert money_of(database, patient.account_id)[0] == 100_000
    assert books_of(database) == {}
    Books.read(database).check()


def test_a_donor_reads_of_the_own_leg_and_not_of_the_patients_cash(
    driver: Driver, settlement: pb.Settlement, database: Database
) -> None:
    refund(driver, settlement, (2, "1"))
    with database.connect() as tx:
        (donor,) = tx.execute("SELECT donor_id::text FROM bindings").fetchone() or ("",)
    (step,) = read(driver, settlement, "citizen", donor).refunds
    assert [leg.amount_fen for leg in step.legs] == [10_000]
    assert not step.warnings and not step.HasField("breakdown")
