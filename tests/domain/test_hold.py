"""The life of a hold, and how much of it a settlement takes."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongji_svc.domain import errors
from gongji_svc.domain.hold import (
    STATES,
    Hold,
    HoldEvent,
    HoldState,
    captured,
    check_applicable,
    expired,
    next_state,
    released,
    seen_at,
    settled,
    used_without,
)
from gongji_svc.domain.terms import AccountKind, AccountOwner, AccountUse
from gongji_svc.domain.waterfall import Leg, Used
from tests.domain.builders import HOHHOT, PROPERTY

NOON = datetime(2025, 5, 6, 4, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
PATIENT, DONOR, BINDING, ACCOUNT = (UUID(int=number) for number in range(1, 5))
PHARMACY = "P15010000001"
REFUSED = {
    HoldState.CAPTURED: errors.HoldCaptured,
    HoldState.RELEASED: errors.HoldReleased,
    HoldState.EXPIRED: errors.HoldExpired,
}


def hold_of(amount_fen: int = 500, **fields: Any) -> Hold:
    """An open hold on a donor's account, for the patient at the pharmacy."""
    usual = Hold(
        hold_id=UUID(int=9),
        account_id=ACCOUNT,
        owner_id=DONOR,
        beneficiary_id=PATIENT,
        binding_id=BINDING,
        institution_code=PHARMACY,
        amount_fen=amount_fen,
        captured_fen=0,
        state=HoldState.OPEN,
        counted_on=date(2025, 5, 6),
        household=False,
        created_at=NOON,
        expires_at=LATER,
    )
    return replace(usual, **fields)


def leg_of(amount_fen: int, from_hold_fen: int) -> Leg:
    return Leg(
        AccountOwner.DONOR, ACCOUNT, AccountKind.GENERAL, DONOR, HOHHOT, amount_fen, BINDING,
        from_hold_fen,
    )  # fmt: skip


@pytest.mark.parametrize(("state", "event"), list(product(HoldState, HoldEvent)))
def test_each_state_takes_just_the_events_of_the_table(state: HoldState, event: HoldEvent) -> None:
    if (state, event) in STATES:
        assert next_state(state, event) is STATES[state, event]
    else:
        with pytest.raises(REFUSED[state]):
            next_state(state, event)


def test_a_hold_is_resolved_once() -> None:
    assert {state for state, _ in STATES} == {HoldState.OPEN}
    assert HoldState.OPEN not in STATES.values()


@pytest.mark.parametrize(("wanted", "taken"), [(None, 500), (500, 500), (1, 1)])
def test_a_capture_takes_the_amount_asked_for_or_all(wanted: int | None, taken: int) -> None:
    after = captured(hold_of(500), wanted, NOON)
    assert (after.state, after.captured_fen) == (HoldState.CAPTURED, taken)
    assert (after.amount_fen, after.resolved_at) == (500, NOON)


def test_no_more_than_is_held_is_captured() -> None:
    with pytest.raises(errors.HoldAmountExceeded):
        captured(hold_of(500), 501, NOON)


def test_how_a_hold_was_resolved_is_told_before_the_amount_is_looked_at() -> None:
    with pytest.raises(errors.HoldReleased):
        captured(released(hold_of(500), "不再需要", NOON), 501, NOON)


def test_a_release_takes_nothing_and_keeps_its_reason() -> None:
    after = released(hold_of(), "不再需要", NOON)
    assert (after.state, after.captured_fen) == (HoldState.RELEASED, 0)
    assert (after.reason, after.resolved_at) == ("不再需要", NOON)


def test_an_expired_hold_ended_when_its_time_had_passed() -> None:
    after = expired(hold_of())
    assert (after.state, after.resolved_at) == (HoldState.EXPIRED, LATER)


@pytest.mark.parametrize(
    ("at", "state"),
    [
        (LATER - timedelta(microseconds=1), HoldState.OPEN),
        (LATER, HoldState.EXPIRED),
        (LATER + timedelta(days=9), HoldState.EXPIRED),
    ],
)
def test_an_open_hold_is_seen_to_end_at_its_instant(at: datetime, state: HoldState) -> None:
    assert seen_at(hold_of(), at).state is state


def test_what_was_resolved_is_seen_as_it_was_resolved() -> None:
    taken = captured(hold_of(), None, NOON)
    assert seen_at(taken, LATER) == taken


@pytest.mark.parametrize(
    ("fields", "use", "refusal"),
    [
        ({}, AccountUse.MUTUAL_AID, None),
        ({"institution_code": ""}, AccountUse.MUTUAL_AID, None),
        ({"binding_id": None}, AccountUse.OWN, None),
        ({}, AccountUse.OWN, errors.HoldNotApplicable),
        ({"binding_id": None}, AccountUse.NONE, errors.HoldNotApplicable),
        ({"beneficiary_id": DONOR}, AccountUse.MUTUAL_AID, errors.HoldNotApplicable),
        ({"institution_code": "P2"}, AccountUse.MUTUAL_AID, errors.HoldNotApplicable),
        (
            {"institution_code": "P2", "beneficiary_id": DONOR},
            AccountUse.MUTUAL_AID,
            errors.HoldNotFound,
        ),
        (
            {"institution_code": "", "beneficiary_id": DONOR},
            AccountUse.MUTUAL_AID,
            errors.HoldNotFound,
        ),
        ({"state": HoldState.CAPTURED}, AccountUse.MUTUAL_AID, errors.HoldCaptured),
        ({"state": HoldState.RELEASED}, AccountUse.MUTUAL_AID, errors.HoldReleased),
        ({"state": HoldState.EXPIRED}, AccountUse.MUTUAL_AID, errors.HoldExpired),
    ],
)
def test_a_settlement_uses_what_was_held_for_its_patient_and_place(
    fields: dict[str, Any], use: AccountUse, refusal: type[errors.Refusal] | None
) -> None:
    hold = hold_of(**fields)
    if refusal is None:
        check_applicable(hold, PATIENT, PHARMACY, use)
    else:
        with pytest.raises(refusal):
            check_applicable(hold, PATIENT, PHARMACY, use)


AMOUNTS = st.lists(st.integers(1, 900), min_size=1, max_size=5)


@PROPERTY
@given(amounts=AMOUNTS, data=st.data())
def test_a_settlement_takes_what_its_legs_say_from_the_holds_in_order(
    amounts: list[int], data: st.DataObject
) -> None:
    from_holds = data.draw(st.integers(0, sum(amounts)))
    holds = [hold_of(amount, hold_id=UUID(int=n)) for n, amount in enumerate(amounts)]
    after = list(settled(holds, [leg_of(from_holds + 7, from_holds)], NOON))
    assert [hold.hold_id for hold in after] == [hold.hold_id for hold in holds]
    assert sum(hold.captured_fen for hold in after) == from_holds
    taken = [hold.captured_fen for hold in after]
    full = [hold.captured_fen == hold.amount_fen for hold in after]
    first = full.index(False) if False in full else len(full)
    assert not any(taken[first + 1 :])
    for hold in after:
        assert hold.state is (HoldState.CAPTURED if hold.captured_fen else HoldState.RELEASED)


def test_a_hold_on_an_account_that_pays_nothing_is_released() -> None:
    other = hold_of(account_id=UUID(int=77))
    [after] = settled([other], [leg_of(500, 500)], NOON)
    assert (after.state, after.captured_fen) == (HoldState.RELEASED, 0)
    assert after.reason


@pytest.mark.parametrize(
    ("counted_on", "expected"),
    [
        (date(2025, 5, 6), Used(500, 600, 700)),
        (date(2025, 5, 5), Used(1_000, 600, 700)),
        (date(2025, 4, 30), Used(1_000, 1_100, 700)),
        (date(2024, 5, 6), Used(1_000, 1_100, 1_200)),
    ],
)
def test_what_a_named_hold_counted_is_left_out_of_its_day_month_and_year(
    counted_on: date, expected: Used
) -> None:
    used = Used(1_000, 1_100, 1_200)
    assert used_without(used, [hold_of(500, counted_on=counted_on)], date(2025, 5, 6)) == expected
