"""Who reads a settlement, and what each reader sees of it."""

from typing import Any

import pytest

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.guardian import Guardian, GuardianKind
from gongji_svc.storage.database import Database
from tests.families import Families
from tests.services.driver import Driver
from tests.services.till import TIELING, ULANQAB, request_of, settle


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def test_a_settlement_is_found_by_its_request_and_by_its_id(
    driver: Driver, families: Families
) -> None:
    code = families.institution(ULANQAB)
    patient = families.person(ULANQAB, balance_fen=10_000)
    settlement = settle(driver, code, request_of(code, patient)).settlement
    for request in (
        pb.GetSettlementRequest(settlement_id=settlement.settlement_id),
        pb.GetSettlementRequest(request_id="r-1"),
    ):
        found = driver.call("pos", code, "SettlementService", "GetSettlement", request)
        assert found.settlement == settlement


def test_a_stranger_learns_nothing_of_a_settlement(driver: Driver, families: Families) -> None:
    code, other = families.institution(ULANQAB), families.institution(ULANQAB)
    patient, stranger = families.person(ULANQAB, balance_fen=10_000), families.person(ULANQAB)
    settlement = settle(driver, code, request_of(code, patient)).settlement
    existing = pb.GetSettlementRequest(settlement_id=settlement.settlement_id)
    missing = pb.GetSettlementRequest(settlement_id="01900000-0000-8000-8000-000000000000")
    for role, subject in (("pos", other), ("citizen", stranger), ("agency", TIELING)):
        refusals = [get_refusal(driver, role, subject, request) for request in (existing, missing)]
        assert refusals[0] == refusals[1]


def test_a_donor_sees_the_leg_that_was_theirs_and_not_what_was_bought(
    driver: Driver, families: Families
) -> None:
    code = families.institution(ULANQAB)
    patient = families.person(ULANQAB)
    first, second = (families.person(ULANQAB, balance_fen=1_000) for _ in range(2))
    families.item("150000", "XA01")
    families.bind(first, patient, rank=1)
    families.bind(second, patient, rank=2)
    settlement = settle(driver, code, request_of(code, patient)).settlement
    request = pb.GetSettlementRequest(settlement_id=settlement.settlement_id)
    seen = driver.call("citizen", second, "SettlementService", "GetSettlement", request).settlement
    assert [leg.amount_fen for leg in seen.legs] == [1_000]
    assert not seen.lines and not seen.explanation and not seen.HasField("breakdown")


def test_the_patient_reads_why_a_relative_paid_nothing_and_the_till_does_not(
    driver: Driver, families: Families
) -> None:
    code = families.institution(ULANQAB)
    families.item("150000", "XA01")
    patient = families.person(ULANQAB)
    families.bind(families.person(ULANQAB, balance_fen=0), patient)
    settlement = settle(driver, code, request_of(code, patient)).settlement
    request = pb.GetSettlementRequest(settlement_id=settlement.settlement_id)
    seen = driver.call("citizen", patient, "SettlementService", "GetSettlement", request).settlement
    assert "DONOR_SKIPPED" not in {step.rule for step in settlement.explanation}
    assert "DONOR_SKIPPED" in {step.rule for step in seen.explanation}


def test_a_guardian_reads_what_the_ward_reads(driver: Driver, families: Families) -> None:
    code = families.institution(ULANQAB)
    mother = families.person(ULANQAB)
    registered = Guardian(mother.person_id, GuardianKind.REGISTERED)
    ward = families.person(ULANQAB, balance_fen=10_000, guardians=[registered])
    settlement = settle(driver, code, request_of(code, ward)).settlement
    request = pb.GetSettlementRequest(settlement_id=settlement.settlement_id)
    seen = [
        driver.call("citizen", reader, "SettlementService", "GetSettlement", request).settlement
        for reader in (ward, mother)
    ]
    assert seen[0] == seen[1]
    assert seen[0].lines


def get_refusal(driver: Driver, role: str, subject: object, request: Any) -> tuple[str, str]:
    with pytest.raises(errors.Refusal) as refused:
        driver.call(role, subject, "SettlementService", "GetSettlement", request)
    return refused.value.reason, refused.value.message
