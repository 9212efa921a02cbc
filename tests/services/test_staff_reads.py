"""What staff and platforms read is in the audit trail before they see it; and what the registry and
the accounts are told by agencies.
"""

from typing import Any

import psycopg
import pytest

from gongji.v1 import access_pb2, account_pb2, registry_pb2, settlement_pb2, types_pb2
from gongji.v1 import registry_pb2 as pb
from gongji_svc.domain.errors import AccessDenied, PersonNotMatched, ServiceUnavailable
from gongji_svc.domain.terms import Insurance
from gongji_svc.services.days import date_of
from gongji_svc.storage.database import Database
from gongji_svc.storage.tables import audit_records
from tests.families import LONG_AGO, Families, Made
from tests.services.accounts import (
    HOHHOT,
    TIELING,
    credit,
    crediting,
    get_account,
    list_accounts,
    open_account,
    opening,
)
from tests.services.driver import Driver
from tests.services.holds import hold, holding
from tests.services.till import paid, request_of, settle

AUDITOR = "auditor-1"


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def trail(driver: Driver, region: str = HOHHOT, **fields: Any) -> list[pb.AuditRecord]:
    """The records of a region, newest first, without the auditor's own."""
    request = pb.ListAuditRecordsRequest(**fields)
    answer = driver.call(
        "audit", region, "RegistryService", "ListAuditRecords", request, actor=AUDITOR
    )
    return [one for one in answer.audit_records if one.actor.actor != AUDITOR]


def told(record: pb.AuditRecord) -> dict[str, tuple[str, str]]:
    """What changed, by field: before and after."""
    return {one.field: (one.before, one.after) for one in record.changes}


def read_person(driver: Driver, one: Made, role: str = "counter", region: str = HOHHOT) -> Any:
    """A person read by certificate and name."""
    kind = types_pb2.CERTIFICATE_TYPE_ID_CARD
    known = types_pb2.Certificate(type=kind, number=one.certificate_number)
    request = pb.GetPersonRequest(certificate=known, name=one.name)
    return driver.call(role, region, "RegistryService", "GetPerson", request, actor="c-1")


def test_a_read_is_told_with_who_what_and_of_whom(driver: Driver, families: Families) -> None:
    owner = families.person(HOHHOT, balance_fen=7)
    get_account(driver, "agency", HOHHOT, account_id=owner.account_id)
    [record] = trail(driver)
    assert record.action == "gongji.v1.AccountService/GetAccount"
    assert (record.actor.role, record.actor.subject) == (access_pb2.ROLE_AGENCY, HOHHOT)
    assert (record.subject_kind, record.subject_id) == ("account", str(owner.account_id))
    assert list(record.person_ids) == [str(owner)]
    assert not record.changes


def test_a_person_found_by_certificate_is_named_by_id_only(
    driver: Driver, families: Families
) -> None:
    one = families.person(HOHHOT)
    read_person(driver, one)
    [record] = trail(driver)
    assert (record.subject_kind, record.subject_id) == ("person", str(one))
    assert record.actor.actor == "c-1"
    for secret in (one.name, one.certificate_number, one.card_no):
        assert secret not in str(record)


def test_all_who_looked_at_a_person_are_found_by_the_person(
    driver: Driver, families: Families
) -> None:
    owner, other = (families.person(HOHHOT, balance_fen=7) for _ in range(2))
    relative = families.person(HOHHOT)
    families.bind(owner, relative)
    get_account(driver, "agency", HOHHOT, account_id=owner.account_id)
    list_accounts(driver, "counter", HOHHOT, owner)
    entries = account_pb2.ListEntriesRequest(account_id=str(owner.account_id))
    driver.call("agency", HOHHOT, "AccountService", "ListEntries", entries, actor="a-1")
    get_account(driver, "agency", HOHHOT, account_id=other.account_id)
    seen = [one.action.rpartition("/")[2] for one in trail(driver, subject_id=str(owner))]
    assert seen == ["ListEntries", "ListAccounts", "GetAccount"]
    assert trail(driver, subject_id=str(relative)) == []


def test_a_settlement_that_is_read_names_the_patient_and_the_donors(
    driver: Driver, families: Families
) -> None:
    families.item("150000", "XA01")
    code = families.institution(HOHHOT)
    patient = families.person(HOHHOT, insurance=Insurance.RESIDENT)
    donor = families.person(HOHHOT, balance_fen=100_000)
    families.bind(donor, patient)
    settlement = settle(driver, code, request_of(code, patient)).settlement
    assert paid(settlement) == [("DONOR", 10_000)]
    assert len(settlement_list(driver, region=HOHHOT).settlements) == 1
    [record] = trail(driver)
    assert (record.subject_kind, record.subject_id) == ("region", HOHHOT)
    assert set(record.person_ids) == {str(patient), str(donor)}


def settlement_list(driver: Driver, **fields: Any) -> Any:
    """The settlements that an agency lists."""
    request = settlement_pb2.ListSettlementsRequest(**fields)
    return driver.call(
        "agency", HOHHOT, "SettlementService", "ListSettlements", request, actor="a-1"
    )


def test_neither_citizens_nor_tills_are_recorded_for_what_is_their_own(
    driver: Driver, families: Families
) -> None:
    owner, code = families.person(HOHHOT, balance_fen=900), families.institution(HOHHOT)
    get_account(driver, "citizen", owner, account_id=owner.account_id)
    made = hold(driver, "pos", code, holding(owner.account_id, owner))
    request = account_pb2.GetHoldRequest(hold_id=made.hold_id)
    driver.call("pos", code, "AccountService", "GetHold", request)
    assert trail(driver) == []


def test_what_every_citizen_may_read_is_not_recorded(driver: Driver) -> None:
    request = pb.GetPolicyRequest(region=HOHHOT)
    driver.call("agency", HOHHOT, "RegistryService", "GetPolicy", request, actor="a-1")
    assert trail(driver) == []


def test_the_auditors_own_reads_are_recorded(driver: Driver) -> None:
    trail(driver)
    answer = driver.call(
        "audit",
        HOHHOT,
        "RegistryService",
        "ListAuditRecords",
        pb.ListAuditRecordsRequest(),
        actor="auditor-2",
    )
    assert [one.actor.actor for one in answer.audit_records] == [AUDITOR]


def test_a_refused_read_showed_nothing_and_is_no_record_of_a_read(
    driver: Driver, families: Families
) -> None:
    owner = families.person(HOHHOT, balance_fen=7)
    with pytest.raises(AccessDenied):
        get_account(driver, "agency", TIELING, account_id=owner.account_id)
    with pytest.raises(PersonNotMatched):
        read_person(driver, owner, region=TIELING)
    assert trail(driver, TIELING) == []


def test_a_read_that_cant_be_recorded_is_refused(
    driver: Driver, families: Families, database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=7)
    _forbid(database)
    with pytest.raises(ServiceUnavailable) as refused:
        get_account(driver, "agency", HOHHOT, account_id=owner.account_id)
    assert refused.value.retry_after_seconds
    assert get_account(driver, "citizen", owner, account_id=owner.account_id).balance_fen == 7


def _forbid(database: Database) -> None:
    """From now on no record can be written: the server says that it is stopping."""
    with psycopg.connect(database.owner_url) as owner:
        owner.execute(
            "CREATE FUNCTION stopping() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'stopping' USING ERRCODE = '57P01'; END $$"
        )
        owner.execute(
            f"CREATE TRIGGER stopping BEFORE INSERT ON {audit_records.name} "
            "EXECUTE FUNCTION stopping()"
        )


# --- what agencies state


def stated(one: Made, **fields: Any) -> registry_pb2.Person:
    """Somebody insured in Hohhot, as the agency states it."""
    kind = types_pb2.CERTIFICATE_TYPE_ID_CARD
    enrolment = registry_pb2.Enrolment(
        insurance=types_pb2.INSURANCE_EMPLOYEE,
        region=HOHHOT,
        person_type=types_pb2.PERSON_TYPE_ACTIVE,
    )
    enrolment.periods.add(status=registry_pb2.INSURED_STATUS_NORMAL, **{"from": date_of(LONG_AGO)})
    usual = {
        "person_id": str(one),
        "name": one.name,
        "certificate": types_pb2.Certificate(type=kind, number=one.certificate_number),
        "card_no": one.card_no,
        "birth_date": date_of(LONG_AGO.replace(year=1980)),
        "enrolments": [enrolment],
    }
    return registry_pb2.Person(**{**usual, **fields})


def put(driver: Driver, person: registry_pb2.Person) -> None:
    request = pb.PutPersonRequest(person=person)
    driver.call("agency", HOHHOT, "RegistryService", "PutPerson", request, actor="a-1")


def test_a_person_put_anew_is_told_and_what_identifies_is_not(
    driver: Driver, families: Families
) -> None:
    one = families.person(HOHHOT)
    put(driver, stated(one))
    put(
        driver,
        stated(one, name="王改名", chronic_diseases=["HYPERTENSION"], identities=["DISABLED"]),
    )
    changed, same = trail(driver)
    assert same.subject_id == changed.subject_id == str(one)
    assert not same.changes
    assert told(changed) == {
        "name": ('"***"', '"***"'),
        "chronic_diseases": ("", '"***"'),
        "identities": ("", '["DISABLED"]'),
    }


def test_an_institution_and_a_price_are_told_with_before_and_after(
    driver: Driver, families: Families
) -> None:
    code = families.institution(HOHHOT)
    place = registry_pb2.Institution(
        institution_code=code,
        name=f"机构{code}",
        kind=types_pb2.INSTITUTION_KIND_PHARMACY,
        level=types_pb2.INSTITUTION_LEVEL_NONE,
        region=HOHHOT,
        status=registry_pb2.INSTITUTION_STATUS_SUSPENDED,
    )
    request = pb.PutInstitutionRequest(institution=place)
    for _ in range(2):  # the same again changes nothing
        driver.call("agency", HOHHOT, "RegistryService", "PutInstitution", request, actor="a-1")
    [record] = trail(driver, subject_kind="institution")
    assert record.subject_id == code
    assert told(record) == {
        "status": ('"INSTITUTION_STATUS_ACTIVE"', '"INSTITUTION_STATUS_SUSPENDED"')
    }
    item = registry_pb2.CatalogItem(
        catalog_code="XA77",
        name="药品",
        catalog_class=types_pb2.CATALOG_CLASS_B,
        self_pay_bp=500,
        effective_from=date_of(LONG_AGO),
    )
    for share_bp in (500, 500, 1000):
        item.self_pay_bp = share_bp
        items = pb.PutCatalogItemsRequest(items=[item])
        driver.call("agency", HOHHOT, "RegistryService", "PutCatalogItems", items, actor="a-1")
    dearer, new = trail(driver, subject_kind="catalog_item")
    assert new.subject_id == dearer.subject_id == "XA77"
    assert told(dearer) == {"self_pay_bp": ("500", "1000")}
    assert told(new)["name"] == ("", '"药品"')


def test_an_account_that_is_opened_and_credited_is_told(driver: Driver, families: Families) -> None:
    owner = families.person(HOHHOT)
    account_id = open_account(driver, opening(owner)).account.account_id
    credit(driver, crediting(account_id, 500))
    credit(driver, crediting(account_id, 500))  # the same request again
    credited, opened = trail(driver, subject_id=account_id)
    assert told(opened) == {
        "person_id": ("", f'"{owner}"'),
        "kind": ("", '"GENERAL"'),
        "state": ("", '"OPEN"'),
    }
    assert told(credited) == {"balance_fen": ("0", "500"), "seq": ("0", "1")}
    assert credited.request_id == "c-1"
