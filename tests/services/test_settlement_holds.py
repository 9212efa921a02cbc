"""Settle and its preview with hold_ids: what was set aside is taken first, the rest is freed."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from gongji.v1 import settlement_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.policy_values import Caps
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.families import Families, Made
from tests.services.applications import donor_in, relative_in
from tests.services.driver import Driver
from tests.services.holds import (
    HOHHOT,
    HOUR,
    capture,
    counted,
    family,
    get_hold,
    hold,
    holding,
    money_of,
    move,
    release,
    state_of,
)
from tests.services.rules import driver_with
from tests.services.test_credit import sums
from tests.services.test_hold_resolution import change
from tests.services.till import asked, counts, paid, request_of, settle


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    families = Families(shared_database)
    families.item("150000", "XA01")
    return families


@pytest.fixture
def driver(shared_database: Database) -> Driver:
    return Driver(shared_database)


@pytest.fixture(scope="module")
def pharmacy(families: Families) -> str:
    return families.institution(HOHHOT)


def request(
    driver: Driver, code: str, patient: Made, total_fen: int, *holds: Any, **fields: Any
) -> settlement_pb2.SettleRequest:
    """A purchase of just now that names holds."""
    wanted = request_of(code, patient, total_fen, str(new_id(HOHHOT)), **fields)
    wanted.hold_ids.extend(getattr(one, "hold_id", str(one)) for one in holds)
    wanted.occurred_at.FromDatetime(driver.office.now())
    return wanted


def bought(
    driver: Driver, code: str, patient: Made, total_fen: int, *holds: Any, **fields: Any
) -> settlement_pb2.Settlement:
    """What came of it."""
    return settle(
        driver, code, request(driver, code, patient, total_fen, *holds, **fields)
    ).settlement


@pytest.mark.parametrize(
    ("total_fen", "state", "captured_fen"),
    [(300, "CAPTURED", 300), (700, "CAPTURED", 700), (5_000, "CAPTURED", 700)],
)
def test_a_donors_part_is_taken_from_the_hold_first_and_the_rest_is_freed(
    driver: Driver,
    families: Families,
    pharmacy: str,
    shared_database: Database,
    total_fen: int,
    state: str,
    captured_fen: int,
) -> None:
    donor, relative, binding_id = family(families)
    made = hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 700))
    settlement = bought(driver, pharmacy, relative, total_fen, made)
    assert paid(settlement) == [("DONOR", total_fen)]
    assert settlement.legs[0].hold_id == made.hold_id
    after = get_hold(driver, "pos", pharmacy, made.hold_id)
    assert (state_of(after), after.captured_fen) == (state, captured_fen)
    assert after.resolved_at == settlement.recorded_at
    assert money_of(shared_database, donor.account_id) == (100_000 - total_fen, 0, 1)
    assert list(counted(shared_database, binding_id).values()) == [total_fen]
    assert sums(shared_database) == []


def test_an_account_that_is_wholly_held_pays_the_purchase_it_was_held_for(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    donor, relative, _ = family(families)
    made = hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 100_000))
    assert paid(bought(driver, pharmacy, relative, 900)) == []
    assert paid(bought(driver, pharmacy, relative, 900, made)) == [("DONOR", 900)]


def test_the_own_account_pays_from_its_hold(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=900)
    made = hold(driver, "pos", pharmacy, holding(owner.account_id, owner, 900))
    use = settlement_pb2.ACCOUNT_USE_OWN
    settlement = bought(driver, pharmacy, owner, 600, made, account_use=use)
    assert (paid(settlement), settlement.own_balance_after_fen) == ([("SELF", 600)], 300)
    assert settlement.legs[0].hold_id == made.hold_id
    assert money_of(shared_database, owner.account_id) == (300, 0, 1)


def test_a_preview_answers_what_settling_would_and_leaves_the_hold(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    donor, relative, _ = family(families)
    made = hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 100_000))
    wanted = request(driver, pharmacy, relative, 900)
    question = asked(wanted)
    for named in (wanted, question):
        named.hold_ids.append(made.hold_id)
    before = counts(shared_database)
    preview = driver.call("pos", pharmacy, "SettlementService", "PreviewSettlement", question)
    assert preview.breakdown.mutual_aid_pay_fen == 900
    assert counts(shared_database) == before
    assert get_hold(driver, "pos", pharmacy, made.hold_id) == made
    assert settle(driver, pharmacy, wanted).settlement.breakdown == preview.breakdown


def test_a_hold_whose_account_pays_nothing_is_released(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    donor = donor_in(families, HOHHOT)
    patient = families.person(HOHHOT, balance_fen=900)
    families.bind(donor, patient)
    driver = driver_with(
        shared_database, HOHHOT, {"beneficiary.insurances": ["EMPLOYEE", "RESIDENT"]}
    )
    made = hold(driver, "pos", pharmacy, holding(donor.account_id, patient, 700))
    assert paid(bought(driver, pharmacy, patient, 900, made)) == [("SELF", 900)]
    after = get_hold(driver, "pos", pharmacy, made.hold_id)
    assert (state_of(after), after.captured_fen) == ("RELEASED", 0)
    assert after.reason
    assert money_of(shared_database, donor.account_id) == (100_000, 0, 0)


def test_a_hold_under_a_binding_that_ended_since_is_released(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    donor, relative, binding_id = family(families)
    made = hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 700))
    change(shared_database, "bindings", binding_id, "ENDED")
    assert paid(bought(driver, pharmacy, relative, 900, made)) == []
    assert state_of(get_hold(driver, "pos", pharmacy, made.hold_id)) == "RELEASED"
    assert money_of(shared_database, donor.account_id) == (100_000, 0, 0)
    assert counted(shared_database, binding_id) == {}


def test_a_hold_on_a_frozen_account_stays_and_the_receipt_says_so(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    donor, relative, binding_id = family(families)
    made = hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 700))
    change(shared_database, "accounts", donor.account_id, "FROZEN")
    settlement = bought(driver, pharmacy, relative, 900, made)
    assert paid(settlement) == []
    [told] = [step for step in settlement.explanation if step.rule == "HOLD_FROZEN"]
    assert (told.amount_fen, "已冻结" in told.text) == (700, True)
    assert get_hold(driver, "pos", pharmacy, made.hold_id) == made
    assert money_of(shared_database, donor.account_id) == (100_000, 700, 0)
    assert list(counted(shared_database, binding_id).values()) == [700]
    change(shared_database, "accounts", donor.account_id, "OPEN")
    later = bought(driver, pharmacy, relative, 900, made)
    assert (paid(later), later.legs[0].hold_id) == ([("DONOR", 900)], made.hold_id)
    assert not [step for step in later.explanation if step.rule == "HOLD_FROZEN"]


def test_a_hold_on_a_frozen_account_ends_with_its_time(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    owner = families.person(HOHHOT, balance_fen=900)
    made = hold(driver, "pos", pharmacy, holding(owner.account_id, owner, 500, HOUR))
    change(shared_database, "accounts", owner.account_id, "FROZEN")
    use = settlement_pb2.ACCOUNT_USE_OWN
    assert paid(bought(driver, pharmacy, owner, 900, made, account_use=use)) == []
    move(driver, HOUR)
    with pytest.raises(errors.HoldExpired):
        capture(driver, "pos", pharmacy, made.hold_id)
    assert money_of(shared_database, owner.account_id) == (900, 0, 0)


def test_several_holds_are_used_in_the_order_they_are_named(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    donor, relative, _ = family(families)
    made = [
        hold(driver, "pos", pharmacy, holding(donor.account_id, relative, amount))
        for amount in (100, 200, 400)
    ]
    named = [made[1], made[0], made[2]]
    settlement = bought(driver, pharmacy, relative, 250, *named)
    assert settlement.legs[0].hold_id == made[1].hold_id
    after = [get_hold(driver, "pos", pharmacy, one.hold_id) for one in named]
    assert [(state_of(one), one.captured_fen) for one in after] == [
        ("CAPTURED", 200),
        ("CAPTURED", 50),
        ("RELEASED", 0),
    ]
    assert money_of(shared_database, donor.account_id) == (99_750, 0, 1)


def test_each_donors_hold_pays_that_donors_part(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    relative = relative_in(families, HOHHOT)
    donors = [families.person(HOHHOT, balance_fen=500) for _ in range(2)]
    for rank, donor in enumerate(donors, 1):
        families.bind(donor, relative, rank=rank)
    made = [
        hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 500)) for donor in donors
    ]
    settlement = bought(driver, pharmacy, relative, 700, *made)
    assert paid(settlement) == [("DONOR", 500), ("DONOR", 200)]
    assert [leg.hold_id for leg in settlement.legs] == [one.hold_id for one in made]
    assert [money_of(shared_database, one.account_id)[:2] for one in donors] == [(0, 0), (300, 0)]


def test_what_is_held_and_not_named_stays_held(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    donor, relative, _ = family(families)
    kept, used = (
        hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 49_000)) for _ in range(2)
    )
    assert paid(bought(driver, pharmacy, relative, 99_000, used)) == [("DONOR", 51_000)]
    assert money_of(shared_database, donor.account_id) == (49_000, 49_000, 1)
    assert get_hold(driver, "pos", pharmacy, kept.hold_id) == kept


@pytest.mark.parametrize(
    "limits",
    [Caps(per_day_fen=1_000), Caps(per_month_fen=1_000), Caps(per_year_fen=1_000)],
)
def test_a_named_hold_does_not_count_twice_against_the_limits(
    driver: Driver, families: Families, pharmacy: str, limits: Caps
) -> None:
    donor, relative, _ = family(families, limits=limits)
    made = hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 900))
    assert paid(bought(driver, pharmacy, relative, 5_000)) == [("DONOR", 100)]
    assert paid(bought(driver, pharmacy, relative, 5_000, made)) == [("DONOR", 900)]
    assert paid(bought(driver, pharmacy, relative, 5_000)) == []


def test_a_named_hold_does_not_count_twice_against_the_households_caps(
    shared_database: Database, families: Families, pharmacy: str
) -> None:
    driver = driver_with(shared_database, HOHHOT, {"caps.household": {"per_month_fen": 1_000}})
    donor, first, _ = family(families)
    second = relative_in(families, HOHHOT)
    families.bind(donor, second)
    made = hold(driver, "pos", pharmacy, holding(donor.account_id, first, 900))
    assert paid(bought(driver, pharmacy, second, 5_000)) == [("DONOR", 100)]
    assert paid(bought(driver, pharmacy, first, 400, made)) == [("DONOR", 400)]
    assert paid(bought(driver, pharmacy, second, 5_000)) == [("DONOR", 500)]
    assert sum(counted(shared_database, donor).values()) == 1_000


def test_a_hold_counts_on_the_day_it_was_made_and_the_purchase_on_its_own(
    shared_database: Database, families: Families, pharmacy: str
) -> None:
    driver = Driver(shared_database, on=date(2026, 12, 31))
    donor, relative, binding_id = family(families)
    made = hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 700, 48 * HOUR))
    move(driver, timedelta(days=1))
    bought(driver, pharmacy, relative, 300, made)
    assert counted(shared_database, binding_id) == {"2027-01-01": 300}


def _capture(driver: Driver, pharmacy: str, hold_id: str) -> None:
    capture(driver, "pos", pharmacy, hold_id)


def _release(driver: Driver, pharmacy: str, hold_id: str) -> None:
    release(driver, "pos", pharmacy, hold_id)


def _expire(driver: Driver, pharmacy: str, hold_id: str) -> None:
    move(driver, HOUR)


@pytest.mark.parametrize(
    ("end", "refusal"),
    [
        (_capture, errors.HoldCaptured),
        (_release, errors.HoldReleased),
        (_expire, errors.HoldExpired),
    ],
)
def test_a_purchase_that_names_a_resolved_hold_is_told_how_it_was(
    driver: Driver,
    families: Families,
    pharmacy: str,
    shared_database: Database,
    end: Callable[[Driver, str, str], None],
    refusal: type[errors.Refusal],
) -> None:
    donor, relative, _ = family(families)
    made = hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 700, HOUR))
    end(driver, pharmacy, made.hold_id)
    before = counts(shared_database)
    with pytest.raises(refusal):
        bought(driver, pharmacy, relative, 900, made)
    assert counts(shared_database) == before


def test_a_hold_that_another_settlement_used_is_captured(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    donor, relative, _ = family(families)
    made = hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 700))
    bought(driver, pharmacy, relative, 900, made)
    for end in (capture, release):
        with pytest.raises(errors.HoldCaptured):
            end(driver, "pos", pharmacy, made.hold_id)


def test_a_hold_is_for_one_patient_one_place_and_one_way_of_paying(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    donor, relative, _ = family(families)
    other, elsewhere = relative_in(families, HOHHOT), families.institution(HOHHOT)
    families.bind(donor, other)
    made = hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 700))
    for code, patient in ((pharmacy, other), (elsewhere, relative)):
        with pytest.raises(errors.HoldNotApplicable):
            bought(driver, code, patient, 900, made)
    for use in (settlement_pb2.ACCOUNT_USE_NONE, settlement_pb2.ACCOUNT_USE_OWN):
        with pytest.raises(errors.HoldNotApplicable):
            bought(driver, pharmacy, relative, 900, made, account_use=use)
    for hold_id in (new_id(HOHHOT), "018f2a00-0000-7000-8000-000000000001"):
        with pytest.raises(errors.HoldNotFound):
            bought(driver, pharmacy, relative, 900, made, hold_id)
    with pytest.raises(errors.HoldNotFound):
        bought(driver, elsewhere, other, 900, made)
    assert get_hold(driver, "pos", pharmacy, made.hold_id) == made


def test_a_hold_for_any_institution_is_used_at_each(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    donor, relative, _ = family(families)
    made = hold(driver, "agency", HOHHOT, holding(donor.account_id, relative, 700))
    assert bought(driver, pharmacy, relative, 900, made).legs[0].hold_id == made.hold_id


def test_a_repeat_of_a_settlement_with_holds_gets_the_first_answer(
    driver: Driver, families: Families, pharmacy: str
) -> None:
    donor, relative, _ = family(families)
    made = hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 700))
    wanted = request(driver, pharmacy, relative, 900, made)
    first, again = settle(driver, pharmacy, wanted), settle(driver, pharmacy, wanted)
    assert again.replayed and again.settlement == first.settlement
    wanted.ClearField("hold_ids")
    with pytest.raises(errors.RequestIdReused) as refused:
        settle(driver, pharmacy, wanted)
    assert [violation.field for violation in refused.value.violations] == ["hold_ids"]


def test_a_refused_settlement_leaves_its_holds(
    driver: Driver, families: Families, pharmacy: str, shared_database: Database
) -> None:
    donor, relative, binding_id = family(families)
    made = hold(driver, "pos", pharmacy, holding(donor.account_id, relative, 700))
    with pytest.raises(errors.PreviewOutdated):
        bought(driver, pharmacy, relative, 900, made, expected_cash_pay_fen=1)
    assert get_hold(driver, "pos", pharmacy, made.hold_id) == made
    assert money_of(shared_database, donor.account_id) == (100_000, 700, 0)
    assert list(counted(shared_database, binding_id).values()) == [700]
