"""ExplainUsability for the PREMIUM use: who lapsed is helped by a premium, not barred from it."""

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from gongji.v1 import types_pb2
from gongji_svc.domain.person import Period
from gongji_svc.domain.terms import Insurance
from gongji_svc.storage.database import Database
from tests.families import LAPSED, LONG_AGO, Families
from tests.services.applications import ENDED_INSURANCE, HOHHOT
from tests.services.driver import Driver
from tests.services.premiums import change, driver_on, family, pay
from tests.services.test_usability import reasons, told

MEDICAL, PREMIUM = types_pb2.USE_MEDICAL, types_pb2.USE_PREMIUM


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Driver:
    return driver_on(shared_database)


@pytest.mark.requirement("NAT-07")
def test_who_lapsed_can_be_paid_for_although_no_purchase_can(
    driver: Driver, families: Families
) -> None:
    of = family(families, periods=LAPSED)
    why = Jsonb(["BENEFICIARY_NOT_INSURED"])
    change(families, "bindings", of.binding_id, state="SUSPENDED", suspended_for=why)
    for_purchases = reasons(told(driver, of.donor, of.child, MEDICAL))
    assert for_purchases == ["SUSPENDED", "BENEFICIARY_NOT_INSURED"]
    assert told(driver, of.donor, of.child, PREMIUM).usable
    assert pay(driver, of.donor, of.child).payment.legs


@pytest.mark.requirement("NAT-07")
def test_a_binding_suspended_for_the_donors_sake_is_told_for_premiums_too(
    driver: Driver, families: Families
) -> None:
    of = family(families)
    why = Jsonb(["DONOR_LAPSED"])
    change(families, "bindings", of.binding_id, state="SUSPENDED", suspended_for=why)
    assert reasons(told(driver, of.donor, of.child, PREMIUM)) == ["SUSPENDED"]


@pytest.mark.requirement("NAT-07")
@pytest.mark.parametrize(
    ("insurance", "periods"),
    [(Insurance.EMPLOYEE, (Period(LONG_AGO),)), (Insurance.RESIDENT, ENDED_INSURANCE)],
)
def test_who_is_not_registered_in_an_insurance_with_premiums_is_told_so(
    driver: Driver, families: Families, insurance: Insurance, periods: Any
) -> None:
    of = family(families, HOHHOT, insurance=insurance, periods=periods)
    found = reasons(told(driver, of.donor, of.child, PREMIUM))
    assert found == ["BENEFICIARY_NOT_INSURED"]
