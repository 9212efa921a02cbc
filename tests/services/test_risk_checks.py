"""Risk rules that hold or refuse at the till."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.risk import RiskAction, RiskKind, SignalState
from gongji_svc.engine import Answered, Engine
from gongji_svc.services import routes
from gongji_svc.services.contract import method_of
from gongji_svc.storage.database import Database, row_counts
from tests.families import Families
from tests.services.credentials import SERVICE, preview
from tests.services.driver import Driver
from tests.services.holds import move
from tests.services.risks import buy, child_of, looked, pair, purchase, resolve, rule, signals
from tests.services.rules import driver_with
from tests.services.till import HOHHOT, ULANQAB, paid, settle

_SETTLE = method_of(SERVICE, "Settle")
HOLD_THE_THIRD = {"risk.many_institutions": rule(3, "HOLD")}
OWN = pb.ACCOUNT_USE_OWN


@pytest.fixture
def families(database: Database) -> Families:
    families = Families(database)
    families.item("150000", "XA01")
    return families


def driver_of(database: Database, rules: Mapping[str, object], region: str = HOHHOT) -> Driver:
    return driver_with(database, region, rules)


def places(families: Families, number: int) -> list[str]:
    return [families.institution(HOHHOT) for _ in range(number)]


def test_the_third_institution_of_a_day_is_held_and_only_the_signal_is_written(
    database: Database, families: Families
) -> None:
    driver = driver_of(database, HOLD_THE_THIRD)
    _, child = pair(families)
    first, second, third = places(families, 3)
    settlements = [buy(driver, code, child).settlement_id for code in (first, second)]
    with database.reader() as tx:
        before = row_counts(tx)
    with pytest.raises(errors.HeldForReview):
        buy(driver, third, child)
    with database.reader() as tx:
        assert row_counts(tx) == {**before, "risk_signals": 1}
    (signal,) = signals(database)
    assert (signal.kind, signal.action, signal.state) == (
        RiskKind.MANY_INSTITUTIONS,
        RiskAction.HOLD,
        SignalState.OPEN,
    )
    assert (signal.person_id, signal.institution_code) == (child.person_id, third)
    assert (signal.threshold, signal.measured, signal.settlement_id) == (3, 3, None)
    assert [fact["settlement_id"] for fact in signal.evidence] == [*settlements, ""]


def test_a_rule_that_holds_lets_a_bill_go_on_that_no_relative_pays(
    database: Database, families: Families
) -> None:
    driver = driver_of(database, HOLD_THE_THIRD)
    _, child = pair(families)
    first, second, third = places(families, 3)
    buy(driver, first, child)
    buy(driver, second, child)
    assert paid(buy(driver, third, child, account_use=OWN)) == []
    assert signals(database) == []
    looked(driver)
    (signal,) = signals(database)
    assert (signal.action, signal.institution_code) == (RiskAction.ADVISE, third)


def test_a_place_that_was_visited_before_is_not_held(
    database: Database, families: Families
) -> None:
    driver = driver_of(database, HOLD_THE_THIRD)
    _, child = pair(families)
    first, second = places(families, 2)
    for code in (first, second, first, second):
        buy(driver, code, child)
    assert signals(database) == []


def test_a_settlement_that_was_cancelled_is_no_visit(
    database: Database, families: Families
) -> None:
    driver = driver_of(database, HOLD_THE_THIRD)
    _, child = pair(families)
    first, second, third = places(families, 3)
    buy(driver, first, child)
    undone = purchase(driver, second, child)
    settle(driver, second, undone)
    cancel = pb.CancelSettlementRequest(
        request_id="c-1", institution_code=second, original_request_id=undone.request_id
    )
    driver.call("pos", second, SERVICE, "CancelSettlement", cancel)
    buy(driver, third, child)
    assert signals(database) == []


def test_the_next_day_begins_anew(database: Database, families: Families) -> None:
    driver = driver_of(database, HOLD_THE_THIRD)
    _, child = pair(families)
    first, second, third = places(families, 3)
    buy(driver, first, child)
    buy(driver, second, child)
    move(driver, timedelta(days=1))
    buy(driver, third, child)
    assert signals(database) == []


def test_a_preview_tells_the_same_and_raises_the_same_signal(
    database: Database, families: Families
) -> None:
    driver = driver_of(database, HOLD_THE_THIRD)
    _, child = pair(families)
    first, second, third = places(families, 3)
    buy(driver, first, child)
    buy(driver, second, child)
    with pytest.raises(errors.HeldForReview):
        preview(driver, third, purchase(driver, third, child))
    (signal,) = signals(database)
    for ask in (preview, settle):
        with pytest.raises(errors.HeldForReview):
            ask(driver, third, purchase(driver, third, child))
    assert signals(database) == [signal]
    resolve(driver, signal.signal_id)
    preview(driver, third, purchase(driver, third, child))
    buy(driver, third, child)


def test_trying_again_is_the_same_signal(database: Database, families: Families) -> None:
    driver = driver_of(database, HOLD_THE_THIRD)
    _, child = pair(families)
    first, second, third = places(families, 3)
    buy(driver, first, child)
    buy(driver, second, child)
    for _ in range(3):
        with pytest.raises(errors.HeldForReview):
            buy(driver, third, child)
    assert len(signals(database)) == 1


def test_what_was_released_passes_for_a_day_and_not_longer(
    database: Database, families: Families
) -> None:
    driver = driver_of(database, {"risk.many_institutions": rule(2, "HOLD")})
    _, child = pair(families)
    first, second, other = places(families, 3)
    buy(driver, first, child)
    with pytest.raises(errors.HeldForReview):
        buy(driver, second, child)
    move(driver, timedelta(days=3))  # the agency takes its time
    (signal,) = signals(database)
    resolve(driver, signal.signal_id)
    buy(driver, first, child)
    with pytest.raises(errors.HeldForReview):
        buy(driver, other, child)
    buy(driver, second, child)
    move(driver, timedelta(hours=25))
    buy(driver, first, child)
    with pytest.raises(errors.HeldForReview):
        buy(driver, second, child)
    assert len(signals(database)) == 3


def test_what_was_confirmed_stays_held(database: Database, families: Families) -> None:
    driver = driver_of(database, {"risk.many_institutions": rule(2, "HOLD")})
    _, child = pair(families)
    first, second = places(families, 2)
    buy(driver, first, child)
    with pytest.raises(errors.HeldForReview):
        buy(driver, second, child)
    (signal,) = signals(database)
    resolve(driver, signal.signal_id, resolution=pb.RISK_RESOLUTION_CONFIRM)
    with pytest.raises(errors.HeldForReview):
        buy(driver, second, child)
    (signal,) = signals(database)
    assert signal.state is SignalState.CONFIRMED


def test_a_rule_that_denies_refuses_own_money_too(database: Database, families: Families) -> None:
    driver = driver_of(database, {"risk.many_institutions": rule(2, "DENY")})
    patient = families.person(HOHHOT, balance_fen=90_000)
    first, second = places(families, 2)
    buy(driver, first, patient, account_use=OWN)
    with pytest.raises(errors.RefusedByRiskRule):
        buy(driver, second, patient, account_use=OWN)
    (signal,) = signals(database)
    assert signal.action is RiskAction.DENY


def test_two_cities_within_minutes_are_held_and_an_hour_apart_are_not(
    database: Database, families: Families
) -> None:
    driver = driver_of(database, {"risk.far_cities": rule(30, "HOLD")})
    _, child = pair(families)
    here, there = families.institution(HOHHOT), families.institution(ULANQAB)
    buy(driver, there, child)
    move(driver, timedelta(minutes=20))
    with pytest.raises(errors.HeldForReview):
        buy(driver, here, child)
    (signal,) = signals(database)
    assert (signal.kind, signal.threshold, signal.measured) == (RiskKind.FAR_CITIES, 30, 20)
    assert [fact["institution_code"] for fact in signal.evidence] == [there, here]
    move(driver, timedelta(minutes=40))
    buy(driver, here, child)


def test_the_region_of_care_decides(database: Database, families: Families) -> None:
    driver = driver_of(database, {"risk.many_institutions": rule(2, "DENY")}, ULANQAB)
    _, child = pair(families)
    first, second = places(families, 2)
    buy(driver, first, child)
    buy(driver, second, child)
    with pytest.raises(errors.RefusedByRiskRule):
        buy(driver, families.institution(ULANQAB), child)
    (signal,) = signals(database)
    assert str(signal.signal_id)  # listed where the rule is
    assert signal.measured == 3


def test_one_more_beneficiary_of_a_donor_is_held_until_the_money_has_come_back(
    database: Database, families: Families
) -> None:
    rules = {"risk.drained_donor": rule(3, "HOLD", within_days=7)}
    driver = driver_of(database, rules)
    donor = families.person(HOHHOT, balance_fen=900_000)
    people = [child_of(families, donor) for _ in range(3)]
    code = families.institution(HOHHOT)
    first, second, third = people
    undone = purchase(driver, code, first)
    settle(driver, code, undone)
    buy(driver, code, second)
    buy(driver, code, second)
    with pytest.raises(errors.HeldForReview):
        buy(driver, code, third)
    (signal,) = signals(database)
    assert (signal.kind, signal.measured) == (RiskKind.DRAINED_DONOR, 3)
    assert (signal.person_id, signal.other_id) == (third.person_id, donor.person_id)
    assert len(signal.evidence) == 3
    cancel = pb.CancelSettlementRequest(
        request_id="c-1", institution_code=code, original_request_id=undone.request_id
    )
    driver.call("pos", code, SERVICE, "CancelSettlement", cancel)
    buy(driver, code, third)


def test_what_was_spent_before_the_days_of_the_rule_does_not_count(
    database: Database, families: Families
) -> None:
    driver = driver_of(database, {"risk.drained_donor": rule(2, "HOLD", within_days=7)})
    donor = families.person(HOHHOT, balance_fen=900_000)
    first, second = (child_of(families, donor) for _ in range(2))
    code = families.institution(HOHHOT)
    buy(driver, code, first)
    move(driver, timedelta(days=8))
    buy(driver, code, second)
    assert signals(database) == []


@pytest.mark.parametrize("by_region", [False, True])
def test_purchases_of_one_batch_see_each_other(
    database: Database, families: Families, by_region: bool
) -> None:
    rules = {
        "risk.many_institutions": rule(3, "HOLD"),
        "risk.drained_donor": rule(2, "DENY", within_days=7),
    }
    driver = driver_of(database, rules)
    donor, child = pair(families)
    sibling = child_of(families, donor)
    codes = places(families, 3)
    requests = [purchase(driver, code, child) for code in codes]
    requests.append(purchase(driver, codes[0], sibling))
    commands = [
        routes.read_command(
            driver.office,
            _SETTLE,
            Caller(Role.POS, request.institution_code),
            request.SerializeToString(),
            float("inf"),
        )
        for request in requests
    ]
    engine = Engine(database, by_region=by_region)
    outcomes = engine.run(commands)
    engine.close()
    expected = [Answered, Answered, errors.HeldForReview, errors.RefusedByRiskRule]
    assert [type(outcome) for outcome in outcomes] == expected
    kinds = {signal.kind for signal in signals(database)}
    assert kinds == {RiskKind.MANY_INSTITUTIONS, RiskKind.DRAINED_DONOR}


def test_a_repeat_is_answered_whatever_the_rules_say_now(
    database: Database, families: Families
) -> None:
    driver = driver_of(database, HOLD_THE_THIRD)
    _, child = pair(families)
    first, second, third = places(families, 3)
    request = purchase(driver, third, child)
    settle(driver, third, request)
    buy(driver, first, child)
    buy(driver, second, child, account_use=OWN)
    assert settle(driver, third, request).replayed
