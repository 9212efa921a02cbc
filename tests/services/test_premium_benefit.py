"""What the till knows of a premium that was paid late: the fund waits, the accounts do not."""

from collections.abc import Iterator
from datetime import date

import pytest

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain.terms import Insurance
from gongji_svc.services.days import date_of
from gongji_svc.storage.database import Database
from tests.families import Families, Made
from tests.services.applications import TIELING
from tests.services.driver import Driver
from tests.services.premium_answers import record
from tests.services.premiums import driver_on, paid_years
from tests.services.refunds import basket
from tests.services.till import settle

LATE, WAITING, BEGUN = date(2026, 3, 10), date(2026, 6, 9), date(2026, 6, 10)


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def patient(families: Families) -> Made:
    """A resident with a chronic disease, whose year was paid after the window of Tieling."""
    sick = families.person(
        TIELING, insurance=Insurance.RESIDENT, chronic_diseases=["HYPERTENSION"], balance_fen=0
    )
    paid_years(families, sick, 2025)
    return sick


@pytest.fixture
def code(families: Families) -> str:
    """A hospital with a medicine that is in scope."""
    families.item("210000", "XA01")
    return families.institution(TIELING, kind="HOSPITAL", level="TERTIARY")


def visit(driver: Driver, code: str, patient: Made) -> pb.Settlement:
    """A chronic visit of 1000 yuan."""
    bought = basket(code, patient, [("XA01", 100, 10)], visit_type=pb.VISIT_TYPE_CHRONIC)
    bought.disease_code = "HYPERTENSION"
    bought.occurred_at.FromDatetime(driver.office.now())
    return settle(driver, code, bought).settlement


def identified(driver: Driver, code: str, patient: Made) -> pb.PatientEnrolment:
    """The patient's insurance as a till is told of it."""
    credential = pb.Credential(type=pb.CREDENTIAL_TYPE_SOCIAL_CARD, value=patient.card_no)
    request = pb.IdentifyPatientRequest(institution_code=code, credential=credential)
    found = driver.call("pos", code, "SettlementService", "IdentifyPatient", request).patient
    (enrolment,) = found.enrolments
    assert isinstance(enrolment, pb.PatientEnrolment)
    return enrolment


@pytest.fixture
def at(database: Database) -> Iterator[dict[date, Driver]]:
    """The service on each of the days."""
    days = {day: driver_on(database, day) for day in (LATE, WAITING, BEGUN)}
    yield days
    for driver in days.values():
        driver.close()


@pytest.mark.requirement("PRE-05")
def test_the_fund_pays_from_the_first_day_of_benefit(
    at: dict[date, Driver], code: str, patient: Made
) -> None:
    payment = record(at[LATE], patient, TIELING, paid_on=date_of(LATE)).payment
    assert (payment.wait_months, payment.benefit_from) == (3, date_of(BEGUN))
    waiting = visit(at[WAITING], code, patient)
    assert waiting.breakdown.fund_pay_fen == 0
    told = "统筹基金不支付：处于待遇等待期，自2026-06-10起享受待遇"
    assert told in [step.text for step in waiting.explanation]
    assert visit(at[BEGUN], code, patient).breakdown.fund_pay_fen > 0


@pytest.mark.requirement("PRE-05")
def test_a_till_is_told_since_when_benefits_run(
    at: dict[date, Driver], code: str, patient: Made
) -> None:
    assert identified(at[WAITING], code, patient).benefits_run
    record(at[LATE], patient, TIELING, paid_on=date_of(LATE))
    waiting = identified(at[WAITING], code, patient)
    assert (waiting.benefits_run, waiting.benefits_from) == (False, date_of(BEGUN))
    assert waiting.reason == "处于待遇等待期，自2026-06-10起享受待遇"
    assert identified(at[BEGUN], code, patient).benefits_run


def test_a_year_paid_in_time_asks_for_no_waiting(
    at: dict[date, Driver], code: str, patient: Made
) -> None:
    record(at[LATE], patient, TIELING, paid_on=date_of(date(2025, 10, 1)))
    assert identified(at[LATE], code, patient).benefits_run
    assert visit(at[LATE], code, patient).breakdown.fund_pay_fen > 0
