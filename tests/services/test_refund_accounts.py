"""Where the money of a refund goes, whatever has become of bindings and accounts, and what is
counted less.
"""

from datetime import UTC, date, datetime, timedelta

import pytest

from gongji.v1 import account_pb2
from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain.policy_values import Caps
from gongji_svc.domain.terms import Insurance
from gongji_svc.storage.database import Database
from tests.end_to_end.books import Books
from tests.families import Families, Made
from tests.services.account_work import close, freeze, listed, resolve
from tests.services.applications import relative_in
from tests.services.changes import end
from tests.services.driver import Driver
from tests.services.holds import money_of, move
from tests.services.refunds import (
    basket,
    books_of,
    cancel,
    counted,
    family_of_three,
    given_back,
    read,
    refund,
)
from tests.services.rules import driver_with
from tests.services.test_hold_resolution import change
from tests.services.till import HOHHOT, TIELING, ULANQAB, paid, settle

SHENYANG = "210100"


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def visit(driver: Driver, code: str, patient: Made, yuan: int) -> pb.Settlement:
    """An outpatient visit that is in scope, paid by the fund and in cash."""
    lines = [("XA01", yuan // 10, 10)]
    visit_type = pb.VISIT_TYPE_OUTPATIENT
    return settle(driver, code, basket(code, patient, lines, visit_type=visit_type)).settlement


# --- bindings and accounts


@pytest.mark.requirement("RF-01", "RF-06")
def test_a_donor_gets_back_after_the_binding_has_ended(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, donor, code = family_of_three(families, ULANQAB)
    settled = settle(driver, code, basket(code, patient, [("XA01", 12, 10)])).settlement
    end(driver, "citizen", donor, settled.legs[1].binding_id)
    assert given_back(refund(driver, settled, (1, "3")).refund) == ([3_000], 0, 0)
    assert money_of(database, donor.account_id)[0] == 4_000


@pytest.mark.requirement("RF-01")
def test_a_refund_is_reckoned_by_the_rules_of_the_original_whatever_they_are_now(
    families: Families, database: Database
) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    before = Driver(database)
    settled = settle(before, code, basket(code, patient, [("XA01", 20, 10)])).settlement
    stricter = {"use.uses": ["PREMIUM"], "accounts.base": "IN_POLICY"}
    now = driver_with(database, ULANQAB, stricter)
    change(database, "bindings", settled.legs[1].binding_id, "SUSPENDED")
    with database.connect() as tx:
        tx.execute("UPDATE catalog_items SET account_payable = false, catalog_class = 'C'")
    assert given_back(refund(now, settled, (1, "10")).refund) == ([3_000], 0, 7_000)


@pytest.mark.requirement("RF-06")
def test_a_frozen_account_takes_what_comes_back(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, donor, code = family_of_three(families, ULANQAB)
    settled = settle(driver, code, basket(code, patient, [("XA01", 12, 10)])).settlement
    freeze(driver, donor.account_id, agency=ULANQAB)
    answer = refund(driver, settled)
    assert [leg.to_suspense for leg in answer.refund.legs] == [False, False]
    assert money_of(database, donor.account_id)[0] == 8_000


@pytest.mark.requirement("RF-06")
def test_what_a_closed_account_had_paid_waits_in_suspense(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, donor, code = family_of_three(families, ULANQAB)
    settled = settle(driver, code, basket(code, patient, [("XA01", 20, 10)])).settlement
    close(driver, donor.account_id, agency=ULANQAB)
    answer = refund(driver, settled)
    assert [(leg.amount_fen, leg.to_suspense) for leg in answer.refund.legs] == [
        (5_000, False),
        (8_000, True),
    ]
    assert read(driver, settled) == answer.settlement
    request = account_pb2.ListSuspenseRequest(region=ULANQAB)
    (item,) = listed(driver, "ListSuspense", request, ULANQAB).items
    assert (item.account_id, item.amount_fen) == (str(donor.account_id), 8_000)
    assert item.source_id == answer.refund.refund_id
    assert money_of(database, donor.account_id)[0] == 0
    Books.read(database).check()
    resolve(driver, item.suspense_id, ULANQAB, payout_reference="B-1")
    assert books_of(database) == {(ULANQAB, "PAYOUT", "B-1"): 8_000}


@pytest.mark.requirement("RF-06")
def test_a_closed_account_of_the_patient_is_no_other_case(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, donor, code = family_of_three(families, ULANQAB)
    settled = settle(driver, code, basket(code, patient, [("XA01", 9, 10)])).settlement
    close(driver, patient.account_id, agency=ULANQAB)
    answer = cancel(driver, code, settled.request_id)
    assert [(leg.amount_fen, leg.to_suspense) for leg in answer.refund.legs] == [
        (5_000, True),
        (4_000, False),
    ]
    assert money_of(database, donor.account_id)[0] == 8_000
    Books.read(database).check()


# --- the books


@pytest.mark.requirement("RF-01")
def test_the_lines_of_a_refund_mirror_those_of_the_settlement(
    driver: Driver, families: Families, database: Database
) -> None:
    families.item("150000", "XA01")
    code = families.institution(HOHHOT)
    patient = families.person(HOHHOT, insurance=Insurance.RESIDENT)
    families.bind(families.person(ULANQAB, balance_fen=90_000), patient)
    settled = settle(driver, code, basket(code, patient, [("XA01", 10, 10)])).settlement
    refund(driver, settled, (1, "4"))
    assert books_of(database) == {
        (HOHHOT, "CLEARING", ULANQAB): -6_000,
        (HOHHOT, "INSTITUTION_PAYABLE", code): 6_000,
        (ULANQAB, "CLEARING", HOHHOT): 6_000,
    }
    refund(driver, settled)
    assert books_of(database) == {}
    Books.read(database).check()


@pytest.mark.requirement("RF-03")
def test_what_was_cleared_comes_back_as_negative_lines_of_the_day_of_the_refund(
    driver: Driver, families: Families, database: Database
) -> None:
    families.item("150000", "XA01")
    code = families.institution(HOHHOT)
    patient = families.person(HOHHOT, insurance=Insurance.RESIDENT)
    families.bind(families.person(ULANQAB, balance_fen=90_000), patient)
    settled = settle(driver, code, basket(code, patient, [("XA01", 10, 10)])).settlement
    move(driver, timedelta(days=40))  # a clearing period later
    refund(driver, settled)
    with database.connect() as tx:
        lines = tx.execute(
            "SELECT region, side, amount_fen, recorded_at > now() + interval '39 days'"
            " FROM ledger_lines WHERE side = 'CLEARING' AND region = %s ORDER BY recorded_at",
            [HOHHOT],
        ).fetchall()
    assert lines == [
        (HOHHOT, "CLEARING", -10_000, False),
        (HOHHOT, "CLEARING", 10_000, True),
    ]


@pytest.mark.requirement("RF-01")
def test_the_fund_of_the_insured_region_gets_its_part_back(
    driver: Driver, families: Families, database: Database
) -> None:
    families.item("210000", "XA01")
    code = families.institution(SHENYANG, kind="HOSPITAL", level="TERTIARY")
    settled = visit(driver, code, families.person(TIELING, balance_fen=20_000), 1_000)
    assert (settled.breakdown.fund_pay_fen, paid(settled)) == (35_000, [("SELF", 20_000)])
    answer = refund(driver, settled, (1, "40"))
    assert given_back(answer.refund) == ([], 20_000, 20_000)
    assert books_of(database) == {
        (SHENYANG, "CLEARING", TIELING): -35_000,
        (SHENYANG, "INSTITUTION_PAYABLE", code): 35_000,
        (TIELING, "CLEARING", SHENYANG): 35_000,
        (TIELING, "FUND", "EMPLOYEE"): -15_000,
    }
    cancel(driver, code, settled.request_id)
    assert books_of(database) == {}
    Books.read(database).check()


def test_a_refund_happens_when_it_is_made_and_not_when_the_purchase_was(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, _, code = family_of_three(families, ULANQAB)
    bought = basket(code, patient, [("XA01", 3, 10)])
    bought.occurred_at.FromDatetime(datetime.now(UTC) - timedelta(days=20))
    answer = refund(driver, settle(driver, code, bought).settlement)
    with database.connect() as tx:
        entries = tx.execute("SELECT occurred_at FROM entries WHERE kind = 'REFUND_OWN'").fetchall()
    assert entries == [(answer.refund.recorded_at.ToDatetime(tzinfo=UTC),)]


# --- what is counted


@pytest.mark.requirement("RF-04")
def test_the_next_visit_bears_the_deductible_that_was_given_back(
    driver: Driver, families: Families
) -> None:
    families.item("210000", "XA01")
    code = families.institution(TIELING, kind="HOSPITAL", level="TERTIARY")
    patient = families.person(TIELING, balance_fen=0)
    first = visit(driver, code, patient, 1_000)
    second = visit(driver, code, patient, 200)
    assert [one.breakdown.deductible_fen for one in (first, second)] == [30_000, 0]
    partly = refund(driver, first, (1, "80")).refund.breakdown  # 200 of 1000 yuan are left
    assert (partly.deductible_fen, partly.fund_pay_fen) == (10_000, 35_000)
    assert visit(driver, code, patient, 300).breakdown.deductible_fen == 10_000
    cancel(driver, code, first.request_id)
    assert visit(driver, code, patient, 300).breakdown.deductible_fen == 20_000
    assert read(driver, second) == second


@pytest.mark.requirement("RF-04")
def test_the_years_cap_has_room_again_for_what_the_fund_got_back(
    driver: Driver, families: Families
) -> None:
    families.item("210000", "XA01")
    code = families.institution(TIELING, kind="HOSPITAL", level="TERTIARY")
    patient = families.person(TIELING, balance_fen=0)
    visits = [visit(driver, code, patient, 4_000) for _ in range(3)]
    assert [one.breakdown.fund_pay_fen for one in visits] == [185_000, 115_000, 0]
    refund(driver, visits[1])
    assert visit(driver, code, patient, 4_000).breakdown.fund_pay_fen == 115_000
    refund(driver, visits[0], (1, "200"))
    assert visit(driver, code, patient, 4_000).breakdown.fund_pay_fen == 100_000


@pytest.mark.requirement("RF-04")
def test_a_donors_limit_has_room_again(
    driver: Driver, families: Families, database: Database
) -> None:
    families.item(ULANQAB, "XA01")
    patient, code = families.person(ULANQAB), families.institution(ULANQAB)
    donor = families.person(ULANQAB, balance_fen=90_000)
    binding_id = families.bind(donor, patient, limits=Caps(per_day_fen=7_000))

    def buy() -> pb.Settlement:
        return settle(driver, code, basket(code, patient, [("XA01", 5, 10)])).settlement

    first = buy()
    assert [paid(first), paid(buy())] == [[("DONOR", 5_000)], [("DONOR", 2_000)]]
    refund(driver, first, (1, "3"))
    assert paid(buy()) == [("DONOR", 3_000)]
    assert list(counted(database, binding_id).values()) == [7_000]


@pytest.mark.requirement("RF-04")
def test_a_households_cap_has_room_again(families: Families, database: Database) -> None:
    capped = driver_with(database, HOHHOT, {"caps.household": {"per_month_fen": 6_000}})
    families.item(HOHHOT, "XA01")
    code, donor = families.institution(HOHHOT), families.person(HOHHOT, balance_fen=90_000)
    relatives = [relative_in(families, HOHHOT) for _ in range(2)]
    for relative in relatives:
        families.bind(donor, relative)

    def buy(relative: Made) -> pb.Settlement:
        return settle(capped, code, basket(code, relative, [("XA01", 5, 10)])).settlement

    first, second = (buy(relative) for relative in relatives)
    assert [paid(first), paid(second)] == [[("DONOR", 5_000)], [("DONOR", 1_000)]]
    # The rules of today have no cap: what was counted by those of then is counted less.
    refund(Driver(database), first, (1, "4"))
    assert sum(counted(database, donor).values()) == 2_000
    assert paid(buy(relatives[1])) == [("DONOR", 4_000)]


def test_where_no_household_was_counted_none_is_counted_less(
    driver: Driver, families: Families, database: Database
) -> None:
    patient, donor, code = family_of_three(families, ULANQAB)
    settled = settle(driver, code, basket(code, patient, [("XA01", 9, 10)])).settlement
    capped = driver_with(database, ULANQAB, {"caps.household": {"per_month_fen": 6_000}})
    refund(capped, settled)
    assert counted(database, donor) == {}


@pytest.mark.requirement("RF-04")
def test_counters_fall_on_the_day_and_in_the_year_of_the_original(
    families: Families, database: Database
) -> None:
    driver = Driver(database, on=date(2027, 1, 4))
    families.item("210000", "XA01")
    code = families.institution(TIELING, kind="HOSPITAL", level="TERTIARY")
    patient = families.person(TIELING)
    binding_id = families.bind(families.person(TIELING, balance_fen=90_000), patient)
    visits = []
    for ahead in (timedelta(days=-5), timedelta()):
        visit_type = pb.VISIT_TYPE_OUTPATIENT
        bought = basket(code, patient, [("XA01", 40, 10)], visit_type=visit_type)
        bought.occurred_at.FromDatetime(driver.office.now() + ahead)
        visits.append(settle(driver, code, bought).settlement)
    of_patient = {
        (kind, f"{year}-01-01"): fen
        for kind, fen in (("DEDUCTIBLE:EMPLOYEE", 30_000), ("FUND:EMPLOYEE", 5_000))
        for year in (2026, 2027)
    }
    of_binding = {("MUTUAL_AID", day): 35_000 for day in ("2026-12-30", "2027-01-04")}
    assert counted(database, patient) == of_patient
    assert counted(database, binding_id) == of_binding
    refund(driver, visits[0])
    this_year = {key: fen for key, fen in of_patient.items() if key[1] == "2027-01-01"}
    assert counted(database, patient) == this_year
    assert counted(database, binding_id) == {("MUTUAL_AID", "2027-01-04"): 35_000}
