"""The explanation of a settlement suffices to recompute it by hand, in each seed region."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain.person import Period
from gongji_svc.domain.policy_values import Caps
from gongji_svc.domain.terms import Insurance, PersonType
from gongji_svc.storage.database import Database
from tests.families import LAPSED, LONG_AGO, Families, Made
from tests.services.by_hand import Sums, check_words, of_receipt, recomputed, resolves
from tests.services.driver import Driver
from tests.services.refunds import SERVICE, basket, read
from tests.services.till import HOHHOT, TIELING, ULANQAB, asked, request_of, settle

REGIONS = [HOHHOT, ULANQAB, TIELING]
PLACES = [("HOSPITAL", "TERTIARY"), ("HOSPITAL", "PRIMARY"), ("PHARMACY", "NONE")]
VISITS = [*[pb.VISIT_TYPE_OUTPATIENT] * 3, pb.VISIT_TYPE_CHRONIC]
WHERE_AND_WHY = [
    *product(PLACES, VISITS),
    *[(("PHARMACY", "NONE"), pb.VISIT_TYPE_PHARMACY)] * 2,
]
SEEDED = settings(
    max_examples=30,
    derandomize=True,
    deadline=None,
    phases=[Phase.generate],  # to shrink what failed would take minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
FEN = st.integers(0, 60_000) | st.integers(0, 900_000)
LINE = st.tuples(st.sampled_from(["A", "B", "C", "CEILING", "NOT_PAYABLE", "UNKNOWN"]),
                 st.integers(1, 9), st.integers(1, 90) | st.integers(500, 2_000))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Giver:
    """A donor: balance, and the limit of a settlement, in fen."""

    balance_fen: int
    limit_fen: int | None


@dataclass(frozen=True, slots=True)
class Case:
    """A patient, relatives, and what is bought, one bill after the other."""

    visit: tuple[tuple[str, str], int]
    insured: tuple[Insurance, PersonType]
    lapsed: bool
    own_fen: int | None
    frozen: bool
    donors: list[Giver]
    bills: list[list[tuple[str, int, int]]]
    use: int


CASES = st.builds(
    Case,
    visit=st.sampled_from(WHERE_AND_WHY),
    insured=st.sampled_from(
        [
            (Insurance.EMPLOYEE, PersonType.ACTIVE),
            (Insurance.EMPLOYEE, PersonType.RETIRED),
            (Insurance.RESIDENT, PersonType.RESIDENT),
        ]
    ),
    lapsed=st.sampled_from([*[False] * 5, True]),
    own_fen=st.none() | FEN,
    frozen=st.sampled_from([*[False] * 5, True]),
    donors=st.lists(st.builds(Giver, FEN, st.none() | FEN), max_size=3),
    bills=st.lists(st.lists(LINE, min_size=1, max_size=4), min_size=2, max_size=3),
    use=st.sampled_from(
        [*[pb.ACCOUNT_USE_MUTUAL_AID] * 8, pb.ACCOUNT_USE_OWN, pb.ACCOUNT_USE_NONE]
    ),
)


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    """Builders on a database where each region has prices of every kind."""
    families = Families(shared_database)
    for region in REGIONS:
        families.item(region, "A")
        families.item(region, "B", catalog_class="B", self_pay_bp=1_250)
        families.item(region, "C", catalog_class="C")
        families.item(
            region, "CEILING", catalog_class="B", self_pay_bp=500, ceiling_micro_yuan=70_333_300
        )
        families.item(region, "NOT_PAYABLE", account_payable=False)
    return families


@pytest.fixture
def driver(shared_database: Database) -> Driver:
    return Driver(shared_database)


def patient_of(families: Families, region: str, case: Case) -> Made:
    insurance, person_type = case.insured
    patient = families.person(
        region,
        balance_fen=case.own_fen,
        insurance=insurance,
        person_type=person_type,
        periods=LAPSED if case.lapsed else (Period(LONG_AGO),),
        chronic_diseases=["HYPERTENSION"],
    )
    if case.frozen and case.own_fen is not None:
        with families.database.connect() as tx:
            tx.execute("UPDATE accounts SET state = 'FROZEN' WHERE id = %s", [patient.account_id])
    for rank, giver in enumerate(case.donors, 1):
        donor = families.person(region, balance_fen=giver.balance_fen)
        limits = Caps(per_settlement_fen=giver.limit_fen)
        families.bind(donor, patient, rank=rank, limits=limits)
    return patient


def merged(sums: Sums) -> Sums:
    """As a preview tells it: the relatives as one."""
    donated = (sum(sums.donors),) if sums.donors else ()
    return Sums(sums.total, sums.fund, sums.own, donated, sums.cash)


@pytest.mark.requirement("TIL-30")
@pytest.mark.parametrize("region", REGIONS)
@given(case=CASES)
@SEEDED
def test_own_each_donor_fund_and_cash_come_out_from_the_steps_alone(
    families: Families, driver: Driver, region: str, case: Case
) -> None:
    (kind, level), visit_type = case.visit
    code = families.institution(region, kind=kind, level=level)
    patient = patient_of(families, region, case)
    for lines in case.bills:
        bought = basket(code, patient, lines, visit_type=visit_type, account_use=case.use)
        preview = driver.call("pos", code, SERVICE, "PreviewSettlement", asked(bought))
        settlement = settle(driver, code, bought).settlement
        receipt = of_receipt(settlement)
        assert preview.breakdown == settlement.breakdown
        assert list(preview.lines) == list(settlement.lines)
        assert list(preview.warnings) == list(settlement.warnings)
        assert recomputed(settlement.explanation) == receipt
        assert merged(recomputed(preview.explanation)) == merged(receipt)
        as_read = read(driver, settlement, "citizen", patient)
        assert recomputed(as_read.explanation) == receipt
        for step in [*preview.explanation, *settlement.explanation, *as_read.explanation]:
            check_words(step)
            assert resolves(step.source), step


@given(parts=st.tuples(FEN, FEN, FEN, FEN), paid_bp=st.integers(0, 10_000), own_fen=FEN)
@settings(SEEDED, max_examples=20)
def test_a_stay_that_a_hospital_has_priced_comes_out_too(
    families: Families, driver: Driver, parts: tuple[int, int, int, int], paid_bp: int, own_fen: int
) -> None:
    code = families.institution(ULANQAB, kind="HOSPITAL", level="TERTIARY")
    patient = families.person(ULANQAB, balance_fen=own_fen)
    families.bind(families.person(ULANQAB, balance_fen=5_000), patient)
    given_parts = pb.GivenBreakdown(
        full_self_pay_fen=parts[0],
        over_limit_fen=parts[1],
        pre_self_pay_fen=parts[2],
        in_scope_fen=parts[3] + 1,
        total_fen=sum(parts) + 1,
        fund_pay_fen=(parts[3] + 1) * paid_bp // 10_000,
    )
    given_parts.personal_fen = given_parts.total_fen - given_parts.fund_pay_fen
    bought = request_of(code, patient, given_parts.total_fen, visit_type=pb.VISIT_TYPE_INPATIENT)
    bought.given_breakdown.CopyFrom(given_parts)
    settlement = settle(driver, code, bought).settlement
    assert recomputed(settlement.explanation) == of_receipt(settlement)
    assert all(resolves(step.source) for step in settlement.explanation)


@pytest.mark.parametrize("region", REGIONS)
def test_a_till_can_not_tell_by_the_source_that_a_donor_has_a_limit(
    families: Families, driver: Driver, region: str
) -> None:
    def steps_of(limit_fen: int | None, balance_fen: int) -> list[Any]:
        patient = families.person(region, insurance=Insurance.RESIDENT)
        code, donor = families.institution(region), families.person(region, balance_fen=balance_fen)
        families.bind(donor, patient, limits=Caps(per_settlement_fen=limit_fen))
        bought = basket(code, patient, [("A", 1, 100)])
        preview = driver.call("pos", code, SERVICE, "PreviewSettlement", asked(bought))
        told = settle(driver, code, bought).settlement.explanation
        return [(step.rule, step.amount_fen, step.source) for step in [*told, *preview.explanation]]

    assert steps_of(3_000, 90_000) == steps_of(None, 3_000)
