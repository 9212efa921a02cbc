"""Regions that have no rules, nor their province: refused where something would begin there, and no
obstacle where somebody moved there (docs/decisions/readings.md#region-served)."""

from datetime import date
from typing import Any

import pytest

from gongji.v1 import binding_pb2
from gongji.v1 import registry_pb2 as registry
from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.storage.database import Database
from tests.families import Families
from tests.services.accounts import account_of, get_account, list_accounts, open_account, opening
from tests.services.applications import application, create, donor_in, relative_in
from tests.services.driver import Driver
from tests.services.test_registry_persons import batch, enrolment, person, put
from tests.services.test_registry_places import institution, item, put_items
from tests.services.test_registry_places import put as put_institution
from tests.services.till import HOHHOT, ULANQAB, counts, paid, request_of, settle

NOWHERE, GUANGZHOU, BAOTOU = "999999", "440100", "150200"
UNSERVED = pytest.mark.parametrize("region", [NOWHERE, GUANGZHOU, "440000", "000001"])


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def identify(driver: Driver, code: str, card_no: str) -> Any:
    credential = pb.Credential(type=pb.CREDENTIAL_TYPE_SOCIAL_CARD, value=card_no)
    request = pb.IdentifyPatientRequest(institution_code=code, credential=credential)
    return driver.call("pos", code, "SettlementService", "IdentifyPatient", request).patient


def moved(driver: Driver, *insured_in: str, card_no: str = "K1") -> str:
    """Somebody whose home is Hohhot and who is insured in these regions; the id."""
    insurances = ("EMPLOYEE", "RESIDENT")
    stated = [enrolment(one, insurance=insurances[at]) for at, one in enumerate(insured_in)]
    made = put(driver, HOHHOT, person(*stated, number="150199198001010013", card_no=card_no))
    return str(made.person.person_id)


@UNSERVED
def test_its_rules_cannot_be_read(driver: Driver, region: str) -> None:
    request = registry.GetPolicyRequest(region=region)
    with pytest.raises(errors.RegionNotServed) as refused:
        driver.call("agency", HOHHOT, "RegistryService", "GetPolicy", request)
    assert refused.value.details == {"region": region}


@UNSERVED
def test_nothing_can_be_registered_or_opened_there(
    driver: Driver, families: Families, region: str
) -> None:
    with pytest.raises(errors.RegionNotServed):
        put(driver, region, person(enrolment(region)))
    with pytest.raises(errors.RegionNotServed):
        put_institution(driver, institution(region))
    with pytest.raises(errors.RegionNotServed):
        put_items(driver, region, item("XA01"))
    owner = families.person(region, home=HOHHOT)
    with pytest.raises(errors.RegionNotServed):
        open_account(driver, opening(owner, region))


def test_each_person_of_a_batch_is_told_so(driver: Driver) -> None:
    people = [person(), person()]
    results = batch(driver, NOWHERE, *people).results
    assert len({one.error.message for one in results}) == 1
    assert "999999" in results[0].error.message


@pytest.mark.parametrize("region", [BAOTOU, "150000", "000000"])
def test_a_region_is_served_by_its_own_or_its_provinces_rules(driver: Driver, region: str) -> None:
    request = registry.GetPolicyRequest(region=region)
    assert driver.call("agency", HOHHOT, "RegistryService", "GetPolicy", request).policy.values
    assert put_institution(driver, institution(region)).created
    assert put_items(driver, region, item("XA01")).items
    assert put(driver, region, person(enrolment(region))).created


def test_an_enrolment_there_is_stated_and_shown_as_not_usable(
    driver: Driver, families: Families
) -> None:
    code = families.institution(HOHHOT)
    moved(driver, GUANGZHOU, HOHHOT)
    there, here = sorted(identify(driver, code, "K1").enrolments, key=lambda one: -int(one.region))
    assert (there.region, there.region_name, there.usable) == (GUANGZHOU, GUANGZHOU, False)
    assert not there.benefits_run
    assert there.reason == errors.RegionNotServed(region=GUANGZHOU).message_zh
    assert (here.usable, here.region_name, here.reason) == (True, "呼和浩特市", "")


def test_rules_that_are_not_yet_in_force_are_told_in_the_same_way(
    database: Database, families: Families
) -> None:
    driver = Driver(database, on=date(2024, 10, 1))
    patient = families.person(ULANQAB, balance_fen=500)
    (shown,) = identify(driver, families.institution(HOHHOT), patient.card_no).enrolments
    assert (shown.region_name, shown.usable) == (ULANQAB, False)
    assert "2024-10-01" in shown.reason
    account = get_account(driver, "citizen", patient, person_id=patient)
    assert (account.balance_fen, account.spendable_fen) == (500, 0)


def test_a_settlement_passes_over_an_enrolment_there(driver: Driver, families: Families) -> None:
    code = families.institution(HOHHOT)
    moved(driver, GUANGZHOU, HOHHOT)
    request = request_of(code, families.person(HOHHOT))
    request.credential.CopyFrom(pb.Credential(type=pb.CREDENTIAL_TYPE_SOCIAL_CARD, value="K1"))
    assert settle(driver, code, request).settlement.insured_region == HOHHOT


def test_who_is_insured_only_there_cannot_settle(driver: Driver, families: Families) -> None:
    code = families.institution(HOHHOT)
    patient = families.person(GUANGZHOU, home=HOHHOT, balance_fen=500)
    with pytest.raises(errors.EnrolmentNotUsable):
        settle(driver, code, request_of(code, patient))
    assert identify(driver, code, patient.card_no).HasField("own_spendable_fen")


def test_a_donor_insured_there_pays_nothing_and_stops_nobody(
    driver: Driver, families: Families, database: Database
) -> None:
    code = families.institution(ULANQAB)
    families.item("150000", "XA01")
    patient = families.person(ULANQAB)
    families.bind(families.person(GUANGZHOU, home=ULANQAB, balance_fen=900), patient, rank=1)
    families.bind(families.person(ULANQAB, balance_fen=700), patient, rank=2)
    settlement = settle(driver, code, request_of(code, patient)).settlement
    assert paid(settlement) == [("DONOR", 700)]
    assert counts(database)["settlements"] == 1


def test_an_account_there_is_read_with_nothing_to_spend(driver: Driver, families: Families) -> None:
    owner = families.person(HOHHOT)
    kept = account_of(owner, families, GUANGZHOU, balance_fen=500)
    account = get_account(driver, "citizen", owner, account_id=kept)
    assert (account.region, account.balance_fen) == (GUANGZHOU, 500)
    assert (account.spendable_fen, account.shareable_fen) == (0, 0)
    assert [(step.rule, step.amount_fen) for step in account.why] == [
        ("BALANCE", 500),
        ("NO_RULES", 500),
        ("SPENDABLE", 0),
        ("SHAREABLE", 0),
    ]
    assert not account.HasField("policy")
    assert list_accounts(driver, "agency", HOHHOT, owner).accounts == [account]
    code = families.institution(HOHHOT)
    assert identify(driver, code, owner.card_no).own_spendable_fen == 0


def test_a_donor_insured_there_cannot_bind_and_is_told_why(
    database: Database, families: Families
) -> None:
    driver = Driver(database)
    donor = donor_in(families, GUANGZHOU, home=HOHHOT)
    child = relative_in(families, HOHHOT)
    request = application(driver, donor, child, region=HOHHOT)
    with pytest.raises(errors.RegionNotServed):
        create(driver, donor, request)


def test_a_binding_made_before_is_read_where_no_rules_hold(
    driver: Driver, families: Families
) -> None:
    donor, child = families.person(GUANGZHOU, balance_fen=100), families.person(ULANQAB)
    binding_id = families.bind(donor, child)
    request = binding_pb2.GetBindingRequest(binding_id=str(binding_id))
    found = driver.call("citizen", donor, "BindingService", "GetBinding", request).binding
    assert found.region == GUANGZHOU
    assert not found.HasField("earliest_end_on")
