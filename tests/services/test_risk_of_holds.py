"""Holds under the risk rules that hold or refuse: money set aside is as good as spent."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest
from google.protobuf.message import Message

from gongji.v1 import account_pb2
from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.risk import RiskAction, RiskKind
from gongji_svc.engine import Answered, Engine
from gongji_svc.services import routes
from gongji_svc.services.contract import method_of
from gongji_svc.storage.database import Database, row_counts
from tests.families import Families, Made
from tests.services import credentials, holds
from tests.services.driver import Driver
from tests.services.holds import capture, hold, holding, money_of, move
from tests.services.risks import (
    buy,
    child_of,
    listed,
    looked,
    purchase,
    resolve,
    rule,
    signals,
)
from tests.services.rules import driver_with
from tests.services.till import HOHHOT, ULANQAB, settle

HOLD_THE_THIRD = {"risk.many_institutions": rule(3, "HOLD")}
DRAINED = {"risk.drained_donor": rule(3, "HOLD", within_days=7)}
DAY = timedelta(days=1)


@pytest.fixture
def families(database: Database) -> Families:
    families = Families(database)
    families.item("150000", "XA01")
    return families


def driver_of(database: Database, rules: Mapping[str, object]) -> Driver:
    return driver_with(database, HOHHOT, rules)


def places(families: Families, number: int) -> list[str]:
    return [families.institution(HOHHOT) for _ in range(number)]


def donor_of(families: Families, number: int) -> tuple[Made, list[Made]]:
    """A donor with money, and the children the donor pays for."""
    donor = families.person(HOHHOT, balance_fen=900_000)
    return donor, [child_of(families, donor) for _ in range(number)]


def held_at(driver: Driver, code: str, donor: Made, child: Made, amount_fen: int = 500) -> str:
    """The id of a hold that a till makes on the donor's account."""
    return hold(driver, "pos", code, holding(donor.account_id, child, amount_fen)).hold_id


def told_holds(driver: Driver) -> list[str]:
    """The holds that the evidence of the one signal names."""
    (signal,) = listed(driver).signals
    return [fact.hold_id for fact in signal.evidence]


def test_a_hold_is_judged_as_a_purchase_and_only_the_signal_is_written(
    database: Database, families: Families
) -> None:
    driver = driver_of(database, DRAINED)
    donor, (first, second, third) = donor_of(families, 3)
    code = families.institution(HOHHOT)
    buy(driver, code, first)
    buy(driver, code, second)
    with database.reader() as tx:
        before = row_counts(tx)
    for _ in range(2):
        with pytest.raises(errors.HeldForReview):
            held_at(driver, code, donor, third)
    with database.reader() as tx:
        assert row_counts(tx) == {**before, "risk_signals": 1}
    assert money_of(database, donor.account_id)[1] == 0
    (signal,) = signals(database)
    assert (signal.kind, signal.action) == (RiskKind.DRAINED_DONOR, RiskAction.HOLD)
    assert (signal.person_id, signal.other_id) == (third.person_id, donor.person_id)
    assert "本次为预留" in signal.evidence[-1]["text"]


def test_what_was_released_may_be_held_captured_and_then_spent(
    database: Database, families: Families
) -> None:
    driver = driver_of(database, DRAINED)
    donor, (first, second, third) = donor_of(families, 3)
    code = families.institution(HOHHOT)
    buy(driver, code, first)
    buy(driver, code, second)
    with pytest.raises(errors.HeldForReview):
        held_at(driver, code, donor, third)
    (signal,) = signals(database)
    resolve(driver, signal.signal_id)
    hold_id = held_at(driver, code, donor, third)
    move(driver, timedelta(minutes=1))
    capture(driver, "pos", code, hold_id)
    move(driver, DAY)
    buy(driver, code, third)


@pytest.mark.parametrize("captured", [False, True])
def test_what_is_set_aside_counts_as_spent_and_the_signal_names_the_holds(
    database: Database, families: Families, captured: bool
) -> None:
    driver = driver_of(database, DRAINED)
    donor, (first, second, third) = donor_of(families, 3)
    code, other = places(families, 2)
    made = [held_at(driver, code, donor, child) for child in (first, second)]
    for hold_id in made if captured else ():
        capture(driver, "pos", code, hold_id)
    with pytest.raises(errors.HeldForReview):
        held_at(driver, other, donor, third)
    assert told_holds(driver) == [*made, ""]
    with pytest.raises(errors.HeldForReview):
        buy(driver, other, third)
    buy(driver, code, first)


@pytest.mark.parametrize("ended", ["released", "expired"])
def test_a_hold_that_came_to_nothing_does_not_count(
    database: Database, families: Families, ended: str
) -> None:
    driver = driver_of(
        database, {**HOLD_THE_THIRD, "risk.drained_donor": rule(2, "HOLD", within_days=7)}
    )
    donor, (first, second) = donor_of(families, 2)
    codes = places(families, 3)
    for code in codes[:2]:
        hold_id = held_at(driver, code, donor, first)
        if ended == "released":
            holds.release(driver, "pos", code, hold_id, reason="未取药")
    if ended == "expired":
        move(driver, timedelta(hours=2))
    buy(driver, codes[2], second)
    with pytest.raises(errors.HeldForReview):
        held_at(driver, codes[2], donor, first)
    (signal,) = signals(database)
    assert signal.kind == RiskKind.DRAINED_DONOR


@pytest.mark.parametrize("captured", [False, True])
def test_a_place_where_money_was_set_aside_is_counted_and_known(
    database: Database, families: Families, captured: bool
) -> None:
    driver = driver_of(database, HOLD_THE_THIRD)
    donor, (child,) = donor_of(families, 1)
    first, second, third = places(families, 3)
    made = [held_at(driver, code, donor, child) for code in (first, second)]
    for code, hold_id in zip((first, second), made, strict=True) if captured else ():
        capture(driver, "pos", code, hold_id)
    with pytest.raises(errors.HeldForReview):
        held_at(driver, third, donor, child)
    assert told_holds(driver) == [*made, ""]
    with pytest.raises(errors.HeldForReview):
        buy(driver, third, child)
    buy(driver, first, child)


def test_a_place_where_money_is_taken_later_than_it_was_set_aside_counts_and_is_not_known(
    database: Database, families: Families
) -> None:
    driver = driver_of(database, HOLD_THE_THIRD)
    donor, (child,) = donor_of(families, 1)
    first, second, third = places(families, 3)
    request = holding(donor.account_id, child, 1, timedelta(days=3))
    hold_id = hold(driver, "pos", third, request).hold_id
    move(driver, DAY)
    buy(driver, first, child)
    capture(driver, "pos", third, hold_id)
    with pytest.raises(errors.HeldForReview):
        buy(driver, second, child)
    buy(driver, second, child, account_use=pb.ACCOUNT_USE_NONE)
    with pytest.raises(errors.HeldForReview):
        buy(driver, third, child)


def test_two_cities_are_seen_where_one_captured_a_hold(
    database: Database, families: Families
) -> None:
    driver = driver_of(database, {"risk.far_cities": rule(30, "HOLD")})
    donor, (child,) = donor_of(families, 1)
    here, there = families.institution(HOHHOT), families.institution(ULANQAB)
    capture(driver, "pos", there, held_at(driver, there, donor, child))
    with pytest.raises(errors.HeldForReview):
        held_at(driver, here, donor, child)
    (signal,) = signals(database)
    assert [fact["institution_code"] for fact in signal.evidence] == [there, here]


def test_a_hold_for_any_place_is_judged_by_its_agencys_rule_on_donors(
    database: Database, families: Families
) -> None:
    driver = driver_of(database, {**DRAINED, "risk.many_institutions": rule(2, "HOLD")})
    donor, (first, second, third) = donor_of(families, 3)
    for child in (first, second):
        hold(driver, "agency", HOHHOT, holding(donor.account_id, child))
    with pytest.raises(errors.HeldForReview):
        hold(driver, "agency", HOHHOT, holding(donor.account_id, third))
    (signal,) = signals(database)
    assert (signal.kind, signal.institution_code) == (RiskKind.DRAINED_DONOR, "")
    resolve(driver, signal.signal_id)
    hold(driver, "agency", HOHHOT, holding(donor.account_id, third))


def test_a_purchase_that_names_the_hold_it_was_promised_goes_on(
    database: Database, families: Families
) -> None:
    driver = driver_of(database, {**DRAINED, **HOLD_THE_THIRD})
    donor, children = donor_of(families, 3)
    code = families.institution(HOHHOT)
    hold_id = held_at(driver, code, donor, children[0])
    buy(driver, code, children[1])
    with pytest.raises(errors.HeldForReview):
        buy(driver, code, children[2])
    request = purchase(driver, code, children[0])
    request.hold_ids.append(hold_id)
    (leg,) = settle(driver, code, request).settlement.legs
    assert leg.hold_id == hold_id


@pytest.mark.parametrize(("action", "refused"), [("DENY", True), ("HOLD", False)])
def test_a_hold_of_ones_own_is_stopped_by_a_rule_that_denies_alone(
    database: Database, families: Families, action: str, refused: bool
) -> None:
    driver = driver_of(database, {"risk.many_institutions": rule(2, action)})
    owner = families.person(HOHHOT, balance_fen=90_000)
    first, second = places(families, 2)
    capture(driver, "pos", first, held_at(driver, first, owner, owner))
    if refused:
        with pytest.raises(errors.RefusedByRiskRule):
            held_at(driver, second, owner, owner)
    else:
        held_at(driver, second, owner, owner)
    assert len(signals(database)) == refused


@pytest.mark.parametrize("by_region", [False, True])
def test_holds_and_purchases_of_one_batch_see_each_other(
    database: Database, families: Families, by_region: bool
) -> None:
    driver = driver_of(database, {**DRAINED, **HOLD_THE_THIRD})
    donor, (first, second, third) = donor_of(families, 3)
    codes = places(families, 4)
    waiting = held_at(driver, codes[0], donor, first)
    calls = [
        ("CaptureHold", codes[0], account_pb2.CaptureHoldRequest(request_id="c", hold_id=waiting)),
        ("CreateHold", codes[1], holding(donor.account_id, first)),
        ("Settle", codes[2], purchase(driver, codes[2], first)),
        ("Settle", codes[3], purchase(driver, codes[3], second)),
        ("CreateHold", codes[3], holding(donor.account_id, third)),
    ]
    outcomes = run(driver, calls, by_region=by_region)
    assert outcomes == [
        Answered,
        Answered,
        errors.HeldForReview,
        Answered,
        errors.HeldForReview,
    ]
    kinds = [signal.kind for signal in signals(database)]
    assert sorted(kinds) == [RiskKind.DRAINED_DONOR, RiskKind.MANY_INSTITUTIONS]


def run(
    driver: Driver, calls: Sequence[tuple[str, str, Message]], *, by_region: bool
) -> list[type]:
    """What becomes of tills' calls that are decided in one batch."""
    commands = []
    for rpc, code, request in calls:
        method = method_of(credentials.SERVICE if rpc == "Settle" else holds.SERVICE, rpc)
        body, caller = request.SerializeToString(), Caller(Role.POS, code)
        commands.append(routes.read_command(driver.office, method, caller, body, float("inf")))
    engine = Engine(driver.office.database, driver.office.clock_offset, by_region=by_region)
    outcomes = engine.run(commands)
    engine.close()
    return [type(outcome) for outcome in outcomes]


def test_the_worker_counts_what_holds_captured(database: Database, families: Families) -> None:
    driver = driver_of(database, {"risk.many_institutions": rule(3)})
    donor, (child,) = donor_of(families, 1)
    first, second, third = places(families, 3)
    capture(driver, "pos", first, held_at(driver, first, donor, child))
    buy(driver, second, child)
    buy(driver, third, child)
    looked(driver)
    (signal,) = signals(database)
    assert (signal.action, signal.institution_code) == (RiskAction.ADVISE, third)
