"""Whose credential a till is shown: the patient's own, or the call is refused and recorded; and who
buys for the patient.
"""

import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from gongji.v1 import settlement_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.risk import RiskAction, RiskKind, Signal, SignalState
from gongji_svc.domain.terms import Insurance
from gongji_svc.engine import Engine
from gongji_svc.services import routes
from gongji_svc.services.contract import method_of
from gongji_svc.storage import tables
from gongji_svc.storage.database import Database, row_counts
from gongji_svc.storage.risk import signal_from
from tests.families import Families, Made
from tests.services.credentials import SERVICE, buying, code_of, now_at, preview, refused, uses
from tests.services.driver import Driver
from tests.services.holds import move
from tests.services.till import HOHHOT, ULANQAB, asked, paid, request_of, settle

DAY = timedelta(days=1)
NOBODY = "018f2a00-0000-7000-8000-000000000001"
_SETTLE = method_of(SERVICE, "Settle")


@pytest.fixture
def families(database: Database) -> Families:
    families = Families(database)
    families.item("150000", "XA01")
    return families


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def pair_in(families: Families, region: str) -> tuple[Made, Made]:
    """A parent with money, and the child the parent pays for."""
    parent = families.person(region, balance_fen=90_000)
    child = families.person(region, insurance=Insurance.RESIDENT)
    families.bind(parent, child)
    return parent, child


def signals(database: Database) -> list[Signal]:
    """All signals there are, oldest first."""
    query = select(*tables.risk_signals.c).order_by(tables.risk_signals.c.recorded_at)
    with database.reader() as tx:
        return [signal_from(tuple(row)) for row in tx.execute(query)]


def agent(number: str, **fields: Any) -> pb.ProxyBuyer:
    """Who buys for the patient, with both certificates seen."""
    certificate = types_pb2.Certificate(type=types_pb2.CERTIFICATE_TYPE_ID_CARD, number=number)
    return pb.ProxyBuyer(
        **{
            "name": "李代办",
            "certificate": certificate,
            "principal_certificate_seen": True,
            **fields,
        }
    )


# --- somebody else's credential


@pytest.mark.requirement("HOH-18", "ULQ-10")
@pytest.mark.parametrize("region", [HOHHOT, ULANQAB])
def test_a_relatives_card_is_refused_and_recorded_as_suspected_misuse(
    driver: Driver, families: Families, database: Database, region: str
) -> None:
    code = families.institution(region)
    parent, child = pair_in(families, region)
    request = request_of(code, parent, person_id=str(child))
    request.terminal.CopyFrom(pb.Terminal(device_no="till 1", operator="c-1"))
    with database.reader() as tx:
        before = row_counts(tx)
    assert refused(settle, driver, code, request) is errors.CredentialMisused
    with database.reader() as tx:
        assert row_counts(tx) == {**before, "risk_signals": 1}
    (signal,) = signals(database)
    assert (signal.kind, signal.action, signal.state) == (
        RiskKind.CREDENTIAL_MISUSE,
        RiskAction.DENY,
        SignalState.OPEN,
    )
    assert (signal.person_id, signal.other_id) == (child.person_id, parent.person_id)
    assert (signal.institution_code, signal.measured) == (code, 1)
    (fact,) = signal.evidence
    assert fact["text"] == "出示的社会保障卡不是患者本人的，未予办理。"
    assert fact["called_by"] == {"role": "pos", "subject": code, "actor": "", "origin": ""}
    assert (fact["called"], fact["device_no"], fact["operator"]) == ("Settle", "till 1", "c-1")
    assert (fact["credential_of"], fact["patient"]) == (str(parent), str(child))


def test_what_is_recorded_of_a_misuse_names_nobody(
    driver: Driver, families: Families, database: Database
) -> None:
    code = families.institution(HOHHOT)
    parent, child = pair_in(families, HOHHOT)
    request = request_of(code, parent, person_id=str(child))
    refused(settle, driver, code, request)
    with database.connect() as tx:
        kept = str(tx.execute("SELECT risk_signals::text FROM risk_signals").fetchone())
    for said in (parent.name, child.name, parent.card_no, parent.certificate_number):
        assert said not in kept


@pytest.mark.requirement("HOH-18", "ULQ-10")
def test_a_relatives_one_time_code_is_refused_and_stays_its_owners(
    driver: Driver, families: Families, database: Database
) -> None:
    code = families.institution(ULANQAB)
    parent, child = pair_in(families, ULANQAB)
    request = buying(code, child, code_of(driver, parent), person_id=str(child))
    assert refused(preview, driver, code, request) is errors.CredentialMisused
    assert refused(settle, driver, code, now_at(driver, request)) is errors.CredentialMisused
    assert uses(database) == []
    request.person_id = str(parent)
    assert paid(settle(driver, code, request).settlement) == [("SELF", 10_000)]
    assert [signal.measured for signal in signals(database)] == [2]


def test_a_preview_with_a_relatives_card_is_recorded_once(
    driver: Driver, families: Families, database: Database
) -> None:
    code = families.institution(HOHHOT)
    parent, child = pair_in(families, HOHHOT)
    request = asked(request_of(code, parent, person_id=str(child)))
    with pytest.raises(errors.CredentialMisused):
        driver.call("pos", code, SERVICE, "PreviewSettlement", request)
    (signal,) = signals(database)
    assert (signal.measured, signal.evidence[0]["called"]) == (1, "PreviewSettlement")


def test_the_same_people_at_the_same_till_are_one_record_a_day_that_counts(
    driver: Driver, families: Families, database: Database
) -> None:
    code, other = families.institution(HOHHOT), families.institution(HOHHOT)
    parent, child = pair_in(families, HOHHOT)
    for number in range(3):
        request = request_of(code, parent, 100, f"r-{number}", person_id=str(child))
        request.terminal.operator = f"c-{number}"
        assert refused(settle, driver, code, request) is errors.CredentialMisused
    (signal,) = signals(database)
    assert signal.measured == 3
    assert [fact["operator"] for fact in signal.evidence] == ["c-0", "c-2"]
    refused(settle, driver, other, request_of(other, parent, person_id=str(child)))
    refused(settle, driver, code, request_of(code, parent, person_id=NOBODY))
    move(driver, DAY)
    request = now_at(driver, request_of(code, parent, person_id=str(child)))
    refused(settle, driver, code, request)
    counted = {(one.institution_code, one.person_id, one.measured) for one in signals(database)}
    assert len(signals(database)) == 4
    assert counted == {
        (code, child.person_id, 3),
        (code, child.person_id, 1),
        (other, child.person_id, 1),
        (code, None, 1),
    }


def test_what_the_agency_decided_stays_when_the_same_is_seen_again(
    driver: Driver, families: Families, database: Database
) -> None:
    code = families.institution(HOHHOT)
    parent, child = pair_in(families, HOHHOT)
    request = request_of(code, parent, person_id=str(child))
    refused(settle, driver, code, request)
    with database.connect() as tx:
        tx.execute("UPDATE risk_signals SET state = 'CONFIRMED', reason = 'seen on camera'")
    refused(settle, driver, code, request)
    (signal,) = signals(database)
    assert (signal.state, signal.reason, signal.measured) == ("CONFIRMED", "seen on camera", 2)


@pytest.mark.parametrize("by_region", [False, True])
def test_misuses_of_one_batch_are_recorded_and_its_purchases_settled(
    driver: Driver, families: Families, database: Database, by_region: bool
) -> None:
    places = [families.institution(region) for region in (HOHHOT, ULANQAB)]
    pairs = [pair_in(families, region) for region in (HOHHOT, ULANQAB)]
    requests = [
        request_of(place, parent, 100, f"r-{number}-{misused}", person_id=stated)
        for number in range(2)
        for place, (parent, child) in zip(places, pairs, strict=True)
        for misused, stated in enumerate((str(parent), str(child)))
    ]
    commands = [
        routes.read_command(
            driver.office,
            _SETTLE,
            Caller(Role.POS, request.institution_code),
            request.SerializeToString(),
            time.time() + 30,
        )
        for request in requests
    ]
    engine = Engine(database, by_region=by_region)
    outcomes = engine.run(commands)
    engine.close()
    assert [isinstance(one, errors.CredentialMisused) for one in outcomes] == [False, True] * 4
    assert {(one.institution_code, one.measured) for one in signals(database)} == {
        (place, 2) for place in places
    }
    with database.reader() as tx:
        assert row_counts(tx)["settlements"] == 4
        assert row_counts(tx)["requests"] == 4


def test_a_refused_request_may_be_sent_again_with_the_patients_own_card(
    driver: Driver, families: Families
) -> None:
    code = families.institution(HOHHOT)
    parent, child = pair_in(families, HOHHOT)
    refused(settle, driver, code, request_of(code, parent, person_id=str(child)))
    answer = settle(driver, code, request_of(code, child, person_id=str(child)))
    assert not answer.replayed and paid(answer.settlement) == [("DONOR", 10_000)]


def test_a_patient_may_be_named_in_capital_letters(
    driver: Driver, families: Families, database: Database
) -> None:
    code = families.institution(HOHHOT)
    patient = families.person(HOHHOT, balance_fen=90_000)
    settle(driver, code, request_of(code, patient, person_id=str(patient).upper()))
    assert signals(database) == []


# --- buying for somebody (代买药)


@pytest.mark.requirement("ULQ-13")
def test_who_buys_for_the_patient_shows_the_patients_card_and_not_the_own(
    driver: Driver, families: Families, database: Database
) -> None:
    code = families.institution(ULANQAB)
    parent, child = pair_in(families, ULANQAB)
    buyer = agent(parent.certificate_number)
    own = request_of(code, parent)
    own.agent.CopyFrom(buyer)
    assert refused(settle, driver, code, own) is errors.CredentialMisused
    own.person_id = str(child)
    assert refused(settle, driver, code, own) is errors.CredentialMisused
    assert {(one.person_id, one.other_id) for one in signals(database)} == {
        (None, parent.person_id),
        (child.person_id, parent.person_id),
    }
    patients = request_of(code, child)
    patients.agent.CopyFrom(buyer)
    settlement = settle(driver, code, patients).settlement
    assert (settlement.person_id, paid(settlement)) == (str(child), [("DONOR", 10_000)])


def test_an_agent_who_is_named_as_the_patient_buys_for_oneself(
    driver: Driver, families: Families, database: Database
) -> None:
    code = families.institution(ULANQAB)
    patient = families.person(ULANQAB, balance_fen=90_000)
    request = request_of(code, patient, person_id=str(patient))
    request.agent.CopyFrom(agent(patient.certificate_number))
    assert paid(settle(driver, code, request).settlement) == [("SELF", 10_000)]
    assert signals(database) == []


@pytest.mark.requirement("ULQ-14")
def test_both_peoples_certificates_are_shown_recorded_and_answered_masked(
    driver: Driver, families: Families, database: Database
) -> None:
    code = families.institution(ULANQAB)
    patient = families.person(ULANQAB, balance_fen=90_000)
    request = request_of(code, patient)
    request.agent.CopyFrom(agent("150902199001011234", principal_certificate_seen=False))
    assert refused(settle, driver, code, request) is errors.PrincipalCertificateNotSeen
    request.agent.CopyFrom(agent("150902199001011234", phone="13800001234"))
    settlement = settle(driver, code, request).settlement
    found = driver.call(
        "pos",
        code,
        SERVICE,
        "GetSettlement",
        pb.GetSettlementRequest(settlement_id=settlement.settlement_id),
    ).settlement
    assert settlement.agent == found.agent
    assert settlement.agent == agent("*" * 14 + "1234", name="李**", phone="*******1234")
    with database.connect() as tx:
        kept = tx.execute("SELECT detail -> 'agent' FROM settlements").fetchone()
    assert kept is not None
    key_id, _, sealed = str(kept[0]).partition(":")
    of_settlement = settlement.settlement_id.replace("-", "")
    clear = driver.office.sealer.open(
        bytes.fromhex(sealed), int(key_id), bytes.fromhex(of_settlement)
    )
    assert "150902199001011234" in clear and "李代办" in clear


@pytest.mark.requirement("ULQ-15")
@pytest.mark.parametrize(
    ("item", "full_self_pay_fen", "account_pay_fen"),
    [
        ({"catalog_class": "A"}, 0, 10_000),
        ({"catalog_class": "C", "account_payable": False}, 10_000, 0),
        (None, 10_000, 0),
    ],
)
def test_what_is_bought_for_somebody_is_paid_as_the_catalogue_says(
    driver: Driver,
    families: Families,
    item: dict[str, Any] | None,
    full_self_pay_fen: int,
    account_pay_fen: int,
) -> None:
    code = families.institution(ULANQAB)
    if item is not None:
        families.item("150000", "RX01", **item)
    patient = families.person(ULANQAB, balance_fen=90_000)
    request = request_of(code, patient)
    request.items[0].catalog_code = "RX01"
    request.agent.CopyFrom(agent("150902199001011234"))
    breakdown = settle(driver, code, request).settlement.breakdown
    assert breakdown.full_self_pay_fen == full_self_pay_fen
    assert breakdown.account_pay_fen == account_pay_fen


@pytest.mark.requirement("ULQ-16")
def test_who_buys_for_somebody_does_so_at_designated_places_only(
    driver: Driver, families: Families
) -> None:
    patient = families.person(ULANQAB, balance_fen=90_000)
    for status in ("SUSPENDED", "ENDED"):
        code = families.institution(ULANQAB, status=status)
        request = request_of(code, patient)
        request.agent.CopyFrom(agent("150902199001011234"))
        assert refused(settle, driver, code, request) is errors.InstitutionSuspended
    request.institution_code = "NOBODY"
    assert refused(settle, driver, "NOBODY", request) is errors.InstitutionNotFound
    for kind, visit in (
        ("PHARMACY", pb.VISIT_TYPE_PHARMACY),
        ("HOSPITAL", pb.VISIT_TYPE_OUTPATIENT),
        ("CLINIC", pb.VISIT_TYPE_OUTPATIENT),
    ):
        code = families.institution(ULANQAB, kind=kind, level="PRIMARY")
        request.institution_code, request.visit_type = code, visit
        assert paid(settle(driver, code, request).settlement) == [("SELF", 10_000)]
