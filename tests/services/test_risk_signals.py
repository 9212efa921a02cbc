"""ListRiskSignals, ResolveRiskSignal; and the signal of a binding that is made, spent and ended."""

from datetime import timedelta
from typing import Any

import pytest

from gongji.v1 import access_pb2
from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.risk import RiskKind
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.families import Families, Made
from tests.services.account_work import changes_of, trail
from tests.services.changes import end
from tests.services.credentials import SERVICE
from tests.services.driver import Driver
from tests.services.holds import move
from tests.services.risks import (
    CLERK,
    REASON,
    buy,
    child_of,
    listed,
    looked,
    pair,
    purchase,
    resolve,
    rule,
    signals,
)
from tests.services.rules import driver_with
from tests.services.till import HOHHOT, ULANQAB, request_of, settle

CONFIRM = pb.RISK_RESOLUTION_CONFIRM
ADVISE_ON_TWO = {"risk.many_institutions": rule(2)}


@pytest.fixture
def families(database: Database) -> Families:
    families = Families(database)
    families.item("150000", "XA01")
    return families


@pytest.fixture
def driver(database: Database) -> Driver:
    return driver_with(database, HOHHOT, ADVISE_ON_TWO)


def raised(driver: Driver, families: Families, number: int = 1) -> list[Made]:
    """Children who raised a signal each by buying at two pharmacies; in that order."""
    parent = families.person(HOHHOT, balance_fen=900_000)
    codes = [families.institution(HOHHOT) for _ in range(2)]
    children = [child_of(families, parent) for _ in range(number)]
    for child in children:
        for code in codes:
            buy(driver, code, child)
    looked(driver)
    return children


def ids(answer: pb.ListRiskSignalsResponse) -> list[str]:
    return [one.signal_id for one in answer.signals]


# --- the list


def test_a_signal_is_listed_with_its_evidence(driver: Driver, families: Families) -> None:
    [child] = raised(driver, families)
    [signal] = listed(driver).signals
    assert (signal.rule, signal.region) == ("MANY_INSTITUTIONS", HOHHOT)
    assert signal.action == pb.RISK_ACTION_ADVISE
    assert signal.state == pb.RISK_SIGNAL_STATE_OPEN
    assert (signal.person_id, signal.donor_id) == (str(child), "")
    assert (signal.threshold, signal.measured) == (2, 2)
    assert [one.text for one in signal.evidence] == [
        "同日在另一家机构结算。",
        "同日连同本次结算共2家机构。",
    ]
    for fact in signal.evidence:
        request = pb.GetSettlementRequest(settlement_id=fact.settlement_id)
        found = driver.call("agency", HOHHOT, SERVICE, "GetSettlement", request).settlement
        assert (found.institution_code, found.occurred_at) == (
            fact.institution_code,
            fact.occurred_at,
        )
    assert not (signal.HasField("resolved_by") or signal.HasField("released_until"))


def test_what_is_listed_names_nobody(driver: Driver, families: Families) -> None:
    [child] = raised(driver, families)
    shown = str(listed(driver))
    for said in (child.name, child.card_no, child.certificate_number):
        assert said not in shown


@pytest.mark.requirement("HOH-18")
def test_a_misused_credential_is_listed_with_whose_it_was(
    driver: Driver, families: Families
) -> None:
    parent, child = pair(families)
    code = families.institution(HOHHOT)
    with pytest.raises(errors.CredentialMisused):
        settle(driver, code, request_of(code, parent, person_id=str(child)))
    [signal] = listed(driver, rule="CREDENTIAL_MISUSE").signals
    assert signal.action == pb.RISK_ACTION_DENY
    assert (signal.person_id, signal.donor_id) == (str(child), str(parent))
    [fact] = signal.evidence
    assert (fact.institution_code, fact.settlement_id) == (code, "")


def test_another_regions_agency_sees_none(driver: Driver, families: Families) -> None:
    raised(driver, families)
    assert ids(listed(driver, ULANQAB)) == []
    with pytest.raises(errors.AccessDenied):
        listed(driver, ULANQAB, region=HOHHOT)


def test_the_list_is_filtered(driver: Driver, families: Families) -> None:
    [first], [second] = raised(driver, families), raised(driver, families)
    newest, oldest = listed(driver).signals
    assert newest.person_id == str(second)
    resolve(driver, oldest.signal_id)
    chosen: list[tuple[dict[str, Any], list[str]]] = [
        ({"states": [pb.RISK_SIGNAL_STATE_OPEN]}, [newest.signal_id]),
        ({"states": [pb.RISK_SIGNAL_STATE_RELEASED]}, [oldest.signal_id]),
        ({"rule": "MANY_INSTITUTIONS"}, [newest.signal_id, oldest.signal_id]),
        ({"rule": "FAR_CITIES"}, []),
        ({"person_id": str(first)}, [oldest.signal_id]),
        ({"person_id": str(new_id(HOHHOT))}, []),
        ({"institution_code": newest.institution_code}, [newest.signal_id]),
        ({"institution_code": "P0"}, []),
        ({"raised_from": newest.raised_at}, [newest.signal_id]),
        ({"raised_to": newest.raised_at}, [oldest.signal_id]),
    ]
    for fields, expected in chosen:
        assert ids(listed(driver, **fields)) == expected, fields


def test_pages_show_each_signal_once_whatever_is_raised_meanwhile(
    driver: Driver, families: Families
) -> None:
    raised(driver, families, 4)
    whole = ids(listed(driver))
    page = listed(driver, page_size=2)
    seen = ids(page)
    raised(driver, families)
    while page.next_page_token:
        page = listed(driver, page_size=2, page_token=page.next_page_token)
        seen += ids(page)
    assert seen == whole
    assert len(listed(driver).signals) == 5


# --- the decision


def test_a_release_is_recorded_with_who_why_and_until_when(
    driver: Driver, families: Families, database: Database
) -> None:
    raised(driver, families)
    [before] = listed(driver).signals
    after = resolve(driver, before.signal_id).signal
    assert after.state == pb.RISK_SIGNAL_STATE_RELEASED
    by = after.resolved_by
    assert (by.role, by.subject, by.actor) == (access_pb2.ROLE_AGENCY, HOHHOT, CLERK)
    assert after.reason == REASON
    passes = after.released_until.ToDatetime() - after.resolved_at.ToDatetime()
    assert passes == timedelta(hours=24)
    assert list(listed(driver).signals) == [after]
    [record] = trail(database, "risk_signal", before.signal_id)
    assert changes_of(record)["state"] == ('"OPEN"', '"RELEASED"')
    assert (record.actor, record.reason) == (CLERK, REASON)


def test_a_confirmation_lets_nothing_pass(driver: Driver, families: Families) -> None:
    raised(driver, families)
    [before] = listed(driver).signals
    after = resolve(driver, before.signal_id, resolution=CONFIRM).signal
    assert after.state == pb.RISK_SIGNAL_STATE_CONFIRMED
    assert not after.HasField("released_until")
    assert list(after.evidence) == list(before.evidence)


def test_a_signal_is_decided_once(driver: Driver, families: Families) -> None:
    raised(driver, families)
    [signal] = listed(driver).signals
    first = resolve(driver, signal.signal_id, request_id="q-1")
    again = resolve(driver, signal.signal_id, request_id="q-1")
    assert (first.replayed, again.replayed, again.signal) == (False, True, first.signal)
    with pytest.raises(errors.RiskSignalResolved):
        resolve(driver, signal.signal_id, resolution=CONFIRM)


def test_another_regions_signal_is_denied_and_a_missing_one_of_the_own_is_not_found(
    driver: Driver, families: Families
) -> None:
    raised(driver, families)
    [signal] = listed(driver).signals
    for signal_id in (signal.signal_id, str(new_id(HOHHOT))):
        with pytest.raises(errors.AccessDenied):
            resolve(driver, signal_id, ULANQAB)
    with pytest.raises(errors.RiskSignalNotFound):
        resolve(driver, new_id(HOHHOT))


def test_what_the_agency_decided_stays_when_the_worker_looks_again(
    driver: Driver, families: Families, database: Database
) -> None:
    [child] = raised(driver, families)
    [signal] = listed(driver).signals
    resolve(driver, signal.signal_id, resolution=CONFIRM)
    with database.connect() as tx:
        tx.execute("UPDATE risk_progress SET recorded_at = recorded_at - interval '1 hour'")
    assert looked(driver)
    assert [one.person_id for one in signals(database)] == [child.person_id]
    [after] = listed(driver).signals
    assert after.state == pb.RISK_SIGNAL_STATE_CONFIRMED


# --- bound, spent, ended


def bound(families: Families, database: Database) -> tuple[Made, Made, str]:
    """A donor and a child, and the binding between them, begun yesterday."""
    parent, child = pair(families)
    with database.connect() as tx:
        query = "SELECT id FROM bindings WHERE beneficiary_id = %s"
        [(binding_id,)] = tx.execute(query, [child.person_id]).fetchall()
    return parent, child, str(binding_id)


def test_a_binding_that_its_donor_ends_days_after_it_began_and_paid_is_told(
    driver: Driver, families: Families, database: Database
) -> None:
    parent, child, binding_id = bound(families, database)
    buy(driver, families.institution(HOHHOT), child, 1234)
    end(driver, "citizen", parent, binding_id)
    [signal] = signals(database, RiskKind.BIND_SPEND_UNBIND)
    assert (signal.person_id, signal.other_id) == (child.person_id, parent.person_id)
    assert (signal.threshold, signal.settlement_id) == (7, None)
    assert "12.34" in signal.evidence[0]["text"]
    [shown] = listed(driver, rule="BIND_SPEND_UNBIND").signals
    assert (shown.donor_id, shown.institution_code) == (str(parent), "")


def test_a_binding_that_paid_nothing_ends_without_a_signal(
    driver: Driver, families: Families, database: Database
) -> None:
    parent, _, binding_id = bound(families, database)
    end(driver, "citizen", parent, binding_id)
    assert signals(database) == []


def test_one_whose_money_came_back_ends_without_a_signal(
    driver: Driver, families: Families, database: Database
) -> None:
    parent, child, binding_id = bound(families, database)
    code = families.institution(HOHHOT)
    request = purchase(driver, code, child)
    settle(driver, code, request)
    cancel = pb.CancelSettlementRequest(
        request_id="c-1", institution_code=code, original_request_id=request.request_id
    )
    driver.call("pos", code, SERVICE, "CancelSettlement", cancel)
    end(driver, "citizen", parent, binding_id)
    assert signals(database) == []


def test_a_binding_that_lasted_ends_without_a_signal(
    driver: Driver, families: Families, database: Database
) -> None:
    parent, child, binding_id = bound(families, database)
    buy(driver, families.institution(HOHHOT), child)
    move(driver, timedelta(days=8))
    end(driver, "citizen", parent, binding_id)
    assert signals(database) == []


def test_a_revocation_by_the_agency_is_no_signal(
    driver: Driver, families: Families, database: Database
) -> None:
    _, child, binding_id = bound(families, database)
    buy(driver, families.institution(HOHHOT), child)
    end(driver, "reviewer", HOHHOT, binding_id, reason="虚构亲属关系")
    assert signals(database) == []
