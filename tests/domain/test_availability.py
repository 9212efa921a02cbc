"""What of an account can be used, and that the reasons add up to it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongji_svc.domain.availability import (
    Available,
    Part,
    Reckoned,
    available,
    without_rules,
    worded,
)
from gongji_svc.domain.person import Account
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.terms import AccountKind, AccountState
from gongji_svc.domain.usability import shareable
from tests.domain.builders import PROPERTY, account, policy

CURRENT, PAST = AccountKind.CURRENT_YEAR, AccountKind.PAST_YEARS
TOTAL = {Part.HELD, Part.FROZEN_QUOTA, Part.FROZEN, Part.CLOSED}
SUMS = {Part.BALANCE, Part.SPENDABLE, Part.SHAREABLE}
FOR_RELATIVES = {Part.KIND_NOT_SHARED, Part.BELOW_THRESHOLD, Part.RESERVE}


def alone(one: Account, values: dict[str, object] | None = None) -> Available:
    return available(one, [one], policy(values))


def reduced(usable: Available, *why: Reckoned) -> tuple[int, int]:
    """What the owner and what relatives can use, of which only this is said to be taken away."""
    assert tuple(step for step in usable.why if step.part not in SUMS) == why
    return usable.spendable_fen, usable.shareable_fen


@pytest.mark.parametrize("balance_fen", [0, 500])
def test_what_nothing_reduces_can_be_used_whole_and_the_reckoning_is_told(balance_fen: int) -> None:
    assert alone(account(2, balance_fen)) == Available(
        balance_fen,
        balance_fen,
        (
            Reckoned(Part.BALANCE, balance_fen),
            Reckoned(Part.SPENDABLE, balance_fen, "test accounts.own_kinds"),
            Reckoned(Part.SHAREABLE, balance_fen, "test accounts.donor_kinds"),
        ),
    )


def test_where_no_rules_hold_nothing_can_be_used() -> None:
    held, rest = Reckoned(Part.HELD, 200), Reckoned(Part.NO_RULES, 300)
    assert reduced(without_rules(account(2, 500, held_fen=200)), held, rest) == (0, 0)
    assert reduced(without_rules(account(2, 0)), Reckoned(Part.NO_RULES, 0)) == (0, 0)
    assert worded(rest)[1] == "no rules of the region are in force: 3.00 yuan cannot be used"


def test_holds_and_quota_are_named_apart_and_taken_from_both() -> None:
    usable = alone(account(2, 500, held_fen=200, frozen_quota_fen=100))
    why = Reckoned(Part.HELD, 200), Reckoned(Part.FROZEN_QUOTA, 100)
    assert reduced(usable, *why) == (200, 200)


def test_a_quota_takes_no_more_than_there_is() -> None:
    usable = alone(account(2, 500, frozen_quota_fen=900))
    assert reduced(usable, Reckoned(Part.FROZEN_QUOTA, 500)) == (0, 0)


@pytest.mark.parametrize("balance_fen", [0, 500])
def test_a_frozen_account_says_so_whatever_is_on_it(balance_fen: int) -> None:
    usable = alone(account(2, balance_fen, state=AccountState.FROZEN))
    assert reduced(usable, Reckoned(Part.FROZEN, balance_fen)) == (0, 0)


def test_a_closed_account_says_so() -> None:
    usable = alone(account(2, 0, state=AccountState.CLOSED))
    assert reduced(usable, Reckoned(Part.CLOSED, 0)) == (0, 0)


@pytest.mark.parametrize(
    ("balance_fen", "shareable_fen", "kept_fen"), [(5_000, 4_000, 1_000), (700, 0, 700)]
)
def test_the_reserve_stays_with_the_owner(
    balance_fen: int, shareable_fen: int, kept_fen: int
) -> None:
    reserve = Reckoned(Part.RESERVE, kept_fen, "test accounts.reserve_fen")
    usable = alone(account(2, balance_fen), {"accounts.reserve_fen": 1_000})
    assert reduced(usable, reserve) == (balance_fen, shareable_fen)


def test_below_the_threshold_relatives_get_nothing() -> None:
    below = Reckoned(Part.BELOW_THRESHOLD, 499, "test accounts.threshold_fen")
    values: dict[str, object] = {"accounts.threshold_fen": 500}
    assert reduced(alone(account(2, 499), values), below) == (499, 0)
    assert reduced(alone(account(2, 500), values)) == (500, 500)


def test_a_kind_that_is_not_shared_is_the_owners_alone() -> None:
    not_shared = Reckoned(Part.KIND_NOT_SHARED, 500, "test accounts.donor_kinds")
    usable = alone(account(2, 500, CURRENT), {"accounts.donor_kinds": ["PAST_YEARS"]})
    assert reduced(usable, not_shared) == (500, 0)


def test_a_kind_that_the_owner_cannot_spend_is_for_relatives_alone() -> None:
    not_own = Reckoned(Part.KIND_NOT_OWN, 500, "test accounts.own_kinds")
    usable = alone(account(2, 500, PAST), {"accounts.own_kinds": ["CURRENT_YEAR"]})
    assert reduced(usable, not_own) == (0, 500)


def test_the_reserve_of_two_accounts_stays_on_the_one_that_pays_last() -> None:
    both = [account(2, 300, CURRENT), account(2, 500, PAST)]
    rules = policy(
        {"accounts.reserve_fen": 200, "accounts.donor_kinds": ["PAST_YEARS", "CURRENT_YEAR"]}
    )
    assert [available(one, both, rules).shareable_fen for one in both] == [100, 500]


@st.composite
def families_of_accounts(draw: st.DrawFn) -> tuple[list[Account], Policy]:
    amounts = st.integers(0, 1_000)

    def some(kind: AccountKind) -> Account:
        balance_fen = draw(amounts)
        return account(
            2,
            balance_fen,
            kind,
            held_fen=draw(st.integers(0, balance_fen)),
            frozen_quota_fen=draw(amounts),
            state=draw(st.sampled_from([AccountState.OPEN, AccountState.FROZEN])),
        )

    kinds = st.lists(st.sampled_from(["CURRENT_YEAR", "PAST_YEARS"]), min_size=1, unique=True)
    values: dict[str, Any] = {
        "accounts.reserve_fen": draw(amounts),
        "accounts.threshold_fen": draw(amounts),
        "accounts.own_kinds": draw(kinds),
        "accounts.donor_kinds": draw(kinds),
    }
    return [some(CURRENT), some(PAST)], policy(values)


@PROPERTY
@given(families_of_accounts())
def test_the_reasons_add_up_to_the_amounts(drawn: tuple[list[Account], Policy]) -> None:
    accounts, rules = drawn
    for one in accounts:
        usable = available(one, accounts, rules)
        taken = {step.part: step.amount_fen for step in usable.why}
        free_fen = one.balance_fen - sum(taken.get(which, 0) for which in TOTAL)
        assert usable.spendable_fen == free_fen - taken.get(Part.KIND_NOT_OWN, 0)
        relatives_fen = sum(taken.get(which, 0) for which in FOR_RELATIVES)
        assert usable.shareable_fen == free_fen - relatives_fen
        told = one.balance_fen, usable.spendable_fen, usable.shareable_fen
        assert tuple(step.amount_fen for step in usable.why if step.part in SUMS) == told


@PROPERTY
@given(families_of_accounts())
def test_the_accounts_add_up_to_what_relatives_can_use(
    drawn: tuple[list[Account], Policy],
) -> None:
    accounts, rules = drawn
    each = [available(one, accounts, rules).shareable_fen for one in accounts]
    assert sum(each) == shareable(accounts, rules).amount_fen


@pytest.mark.parametrize("part", Part)
def test_every_part_has_chinese_and_english_words(part: Part) -> None:
    chinese, english = worded(Reckoned(part, 12_345))
    assert ("123.45元" in chinese) == ("123.45 yuan" in english) == (part is not Part.CLOSED)
