"""Whose money pays: every order, reserve and cap shape, by data alone."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongji_svc.domain.errors import ChosenBindingNotUsable, OrderFixedByPolicy
from gongji_svc.domain.person import Account
from gongji_svc.domain.policy_values import Caps
from gongji_svc.domain.terms import AccountKind, AccountState, Order
from gongji_svc.domain.usability import Obstacle, Why
from gongji_svc.domain.waterfall import Donor, Flow, Used, pour, smallest_limit
from tests.domain.builders import (
    BAOTOU,
    HOHHOT,
    PROPERTY,
    ULANQAB,
    account,
    donor,
    policy,
)

Values = Mapping[str, object]


def flow(
    need: int,
    own: int | Sequence[Account] = 0,
    donors: Sequence[Donor] = (),
    rules: Values | None = None,
    obstacles: Mapping[UUID, Obstacle] | None = None,
    chosen: int | None = None,
) -> Flow:
    accounts = (account(1, own),) if isinstance(own, int) else own
    chosen_id = None if chosen is None else UUID(int=100 * chosen)
    return pour(need, accounts, donors, policy(rules), HOHHOT, obstacles or {}, chosen_id)


def paid(result: Flow) -> dict[int, int]:
    """Fen by the number of the person who paid."""
    by_person: dict[int, int] = {}
    for leg in result.legs:
        number = leg.person_id.int
        by_person[number] = by_person.get(number, 0) + leg.amount_fen
    return by_person


def why(result: Flow) -> dict[int, Why | None]:
    """The outcome by the number of the donor, in the order asked."""
    return {o.binding_id.int // 100: o.why for o in result.outcomes}


@pytest.mark.requirement("ULQ-12", "TIL-24", "HOH-D4")
def test_own_money_is_used_up_first_then_each_donor_then_cash() -> None:
    result = flow(20_000, 5_000, [donor(2, 3_000), donor(3, 10_000)])
    assert paid(result) == {1: 5_000, 2: 3_000, 3: 10_000}
    assert (result.own_fen, result.donors_fen) == (5_000, 13_000)


@pytest.mark.requirement("ULQ-11")
def test_donors_pay_in_the_order_the_beneficiary_set() -> None:
    first, second = donor(2, 500, bound={"rank": 9}), donor(3, 500, bound={"rank": 1})
    assert paid(flow(600, 0, [first, second])) == {3: 500, 2: 100}


def test_a_donor_who_is_not_needed_is_told_apart() -> None:
    assert why(flow(100, 0, [donor(2, 500), donor(3, 500)])) == {2: None, 3: Why.NOT_NEEDED}


ORDERS: list[tuple[Order, list[int]]] = [
    (Order.USER_PRIORITY, [2, 3, 4]),
    (Order.BINDING_TIME_ASC, [4, 3, 2]),
    (Order.BINDING_TIME_DESC, [2, 3, 4]),
    (Order.BALANCE_DESC_THEN_NAME, [4, 3, 2]),  # 丙 U+4E19 stands before 乙 U+4E59
]


@pytest.mark.parametrize(("order", "expected"), ORDERS)
def test_each_order_asks_the_donors_in_its_way(order: Order, expected: list[int]) -> None:
    donors = [
        donor(n, balance, name=name, bound={"bound_at": datetime(2025, 1, 10 - n, tzinfo=UTC)})
        for n, balance, name in ((2, 100, "甲"), (3, 300, "乙"), (4, 300, "丙"))
    ]
    assert list(why(flow(10_000, 0, donors, {"order.kind": order.value}))) == expected


def test_equal_donors_pay_by_binding_id() -> None:
    same = {"bound_at": datetime(2025, 1, 1, tzinfo=UTC), "rank": 1}
    donors = [donor(n, 100, bound=same, name="同") for n in (4, 2, 3)]
    for order in (o for o in Order if o is not Order.EXPLICIT_DONOR):
        assert list(why(flow(1_000, 0, donors, {"order.kind": order.value}))) == [2, 3, 4]


def test_the_richest_donor_is_known_by_what_is_shareable() -> None:
    reserve = policy({"accounts.reserve_fen": 1_000})
    donors = [donor(2, 1_200, reserve), donor(3, 500)]
    assert list(why(flow(100, 0, donors, {"order.kind": "BALANCE_DESC_THEN_NAME"}))) == [3, 2]


def test_donors_of_the_same_pool_come_first_where_the_policy_says_so() -> None:
    away, near = donor(2, 100, region=ULANQAB), donor(3, 100)
    wenzhou = {"order.kind": "BINDING_TIME_DESC", "order.same_pool_first": True}
    also_away = donor(4, 100, region=BAOTOU)
    assert list(why(flow(1_000, 0, [away, near, also_away], wenzhou))) == [3, 4, 2]


def test_only_the_first_eligible_donor_pays_where_the_policy_wants_a_single_one() -> None:
    single = {"order.single_donor": True}
    result = flow(20_000, 0, [donor(2, 0), donor(3, 3_000), donor(4, 9_000)], single)
    assert paid(result) == {3: 3_000}
    assert why(result) == {2: Why.BALANCE_ZERO, 3: None, 4: Why.NOT_THE_SINGLE_DONOR}


def test_an_explicit_donor_is_the_one_chosen() -> None:
    explicit = {"order.kind": "EXPLICIT_DONOR"}
    donors = [donor(2, 500), donor(3, 500)]
    result = flow(600, 0, donors, explicit, chosen=3)
    assert paid(result) == {3: 500}
    assert why(result) == {2: Why.NOT_CHOSEN, 3: None}
    assert paid(flow(600, 0, donors, explicit)) == {}


def test_a_chosen_donor_who_may_not_pay_is_refused() -> None:
    explicit = {"order.kind": "EXPLICIT_DONOR"}
    for donors in ([donor(2, 0)], [donor(3, 500)], []):
        with pytest.raises(ChosenBindingNotUsable):
            flow(600, 0, donors, explicit, chosen=2)
    stopped = {UUID(int=200): Obstacle(Why.SUSPENDED)}
    with pytest.raises(ChosenBindingNotUsable):
        flow(600, 0, [donor(2, 500)], explicit, stopped, chosen=2)


def test_where_the_policy_fixes_the_order_a_choice_is_refused() -> None:
    with pytest.raises(OrderFixedByPolicy):
        flow(600, 0, [donor(2, 500)], chosen=2)


@pytest.mark.requirement("HOH-06")
def test_a_strict_region_bars_donors_while_own_money_is_left() -> None:
    strict = {"order.own_zero_rule": "STRICT"}
    result = flow(1_000, 1, [donor(2, 5_000)], strict)
    assert (paid(result), why(result)) == ({1: 1}, {2: Why.OWN_NOT_ZERO})
    assert paid(flow(1_000, 0, [donor(2, 5_000)], strict)) == {2: 1_000}


@pytest.mark.requirement("HOH-D3")
def test_no_own_account_counts_as_used_up() -> None:
    assert paid(flow(100, (), [donor(2, 500)], {"order.own_zero_rule": "STRICT"})) == {2: 100}


def test_a_frozen_or_fully_held_own_account_counts_as_used_up() -> None:
    for own in (
        account(1, 900, state=AccountState.FROZEN),
        account(1, 900, held_fen=900),
    ):
        assert paid(flow(100, [own], [donor(2, 500)])) == {2: 100}


def test_a_frozen_donor_is_skipped_with_the_reason() -> None:
    frozen = donor(2, 0, accounts=[account(2, 900, state=AccountState.FROZEN)])
    result = flow(100, 0, [frozen, donor(3, 500)])
    assert (paid(result), why(result)) == ({3: 100}, {2: Why.ACCOUNT_FROZEN, 3: None})


def test_an_obstacle_skips_the_donor_and_keeps_its_reason() -> None:
    stopped = {UUID(int=200): Obstacle(Why.DONOR_LAPSED, rule="donor_lapse")}
    result = flow(100, 0, [donor(2, 500), donor(3, 500)], None, stopped)
    assert why(result) == {2: Why.DONOR_LAPSED, 3: None}
    assert result.outcomes[0].rule == "donor_lapse"


def test_kinds_of_accounts_pay_in_the_policys_order() -> None:
    own = [account(1, 100, AccountKind.CURRENT_YEAR), account(1, 100, AccountKind.PAST_YEARS)]
    shanghai = {"accounts.own_kinds": ["PAST_YEARS", "CURRENT_YEAR"]}
    kinds = [leg.account_kind for leg in flow(150, own, (), shanghai).legs]
    assert kinds == [AccountKind.PAST_YEARS, AccountKind.CURRENT_YEAR]


def test_where_only_past_years_pay_the_current_year_stays() -> None:
    past_only = policy({"accounts.donor_kinds": ["PAST_YEARS"]})
    accounts = [account(2, 900, AccountKind.CURRENT_YEAR), account(2, 50, AccountKind.PAST_YEARS)]
    result = flow(200, 0, [donor(2, 0, past_only, accounts=accounts)])
    assert [(leg.account_kind, leg.amount_fen) for leg in result.legs] == [
        (AccountKind.PAST_YEARS, 50)
    ]


CAPS: list[tuple[str, Values, Caps, Used, Used, int, str]] = [
    ("a donor's limit", {}, Caps(per_settlement_fen=300), Used(), Used(), 300, "limits"),
    ("a limit of nothing", {}, Caps(per_settlement_fen=0), Used(), Used(), 0, "limits"),
    ("a day", {"caps.member": {"per_day_fen": 500}}, Caps(), Used(400), Used(), 100, "member"),
    ("a month", {"caps.member": {"per_month_fen": 500}}, Caps(), Used(0, 450), Used(), 50,
     "member"),
    ("a year", {"caps.member": {"per_year_fen": 500}}, Caps(), Used(0, 0, 480), Used(), 20,
     "member"),
    ("a household", {"caps.household": {"per_year_fen": 500}}, Caps(), Used(), Used(0, 0, 490), 10,
     "household"),
    ("the smallest", {"caps.member": {"per_day_fen": 500}}, Caps(per_month_fen=90), Used(450, 60),
     Used(), 30, "limits"),
    ("one that is overdrawn", {"caps.member": {"per_day_fen": 5}}, Caps(), Used(9), Used(), 0,
     "member"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "limits", "used", "household", "expected", "name"),
    [case[1:] for case in CAPS],
    ids=[case[0] for case in CAPS],
)
def test_the_smallest_remaining_cap_wins(
    values: Values, limits: Caps, used: Used, household: Used, expected: int, name: str
) -> None:
    limited = donor(
        2,
        9_000,
        policy(values),
        bound={"limits": limits},
        used=used,
        household_used=household,
    )
    left, tightest = smallest_limit(limited)
    assert left == expected
    assert tightest.startswith(name)
    result = flow(1_000, 0, [limited])
    assert result.donors_fen == expected
    assert why(result) == {2: Why.LIMIT_REACHED}


def test_a_donor_whose_cap_is_used_up_leaves_the_single_place_to_the_next() -> None:
    nothing = donor(2, 900, bound={"limits": Caps(per_day_fen=0)})
    assert paid(flow(100, 0, [nothing, donor(3, 900)], {"order.single_donor": True})) == {3: 100}


def test_a_donors_part_is_taken_from_the_named_hold_first() -> None:
    held = account(2, 500, held_fen=300, named_hold_fen=300)
    (leg,) = flow(400, 0, [donor(2, 0, accounts=[held])]).legs
    assert (leg.amount_fen, leg.from_hold_fen) == (400, 300)


def test_a_hold_of_somebody_else_is_not_touched() -> None:
    held = account(2, 500, held_fen=300)
    assert paid(flow(400, 0, [donor(2, 0, accounts=[held])])) == {2: 200}


SHANXI: Values = {
    "accounts.reserve_fen": 100_000,
    "order.single_donor": True,
    "relations.allowed": ["SPOUSE", "PARENT", "CHILD"],
}


def test_shanxi_keeps_a_reserve_and_takes_one_donor_within_the_limit_set_by_the_donor() -> None:
    rules = policy(SHANXI, "140100")
    first = donor(2, 500_000, rules, bound={"limits": Caps(per_settlement_fen=20_000)})
    result = flow(100_000, 0, [first, donor(3, 900_000, rules)], SHANXI)
    assert paid(result) == {2: 20_000}


DONOR_LISTS = st.lists(
    st.tuples(
        st.integers(0, 5_000),  # balance
        st.integers(0, 5_000),  # held
        st.none() | st.integers(0, 3_000),  # a limit for each settlement
        st.integers(1, 3),  # rank
    ),
    max_size=5,
)


@PROPERTY
@given(
    st.integers(0, 20_000),
    st.integers(0, 5_000),
    DONOR_LISTS,
    st.sampled_from([o.value for o in Order if o is not Order.EXPLICIT_DONOR]),
    st.booleans(),
    st.integers(0, 2_000),
    st.sampled_from(["SEQUENTIAL", "STRICT"]),
)
def test_every_fen_is_accounted_for_and_nobody_pays_more_than_is_shareable(
    need: int,
    own: int,
    made: list[tuple[int, int, int | None, int]],
    order: str,
    single: bool,
    reserve: int,
    own_zero_rule: str,
) -> None:
    rules = {
        "order.kind": order,
        "order.single_donor": single,
        "order.own_zero_rule": own_zero_rule,
        "accounts.reserve_fen": reserve,
    }
    donors = [
        donor(
            number,
            0,
            policy(rules),
            accounts=[account(number, balance, held_fen=min(held, balance))],
            bound={"limits": Caps(per_settlement_fen=limit), "rank": rank},
        )
        for number, (balance, held, limit, rank) in enumerate(made, 2)
    ]
    result = flow(need, own, donors, rules)
    assert sum(leg.amount_fen for leg in result.legs) == result.own_fen + result.donors_fen <= need
    assert result.own_fen == min(need, own)
    assert len(result.outcomes) == len(donors)
    assert not single or sum(o.taken_fen > 0 for o in result.outcomes) <= 1
    for outcome in result.outcomes:
        _, held, limit, _ = made[outcome.binding_id.int // 100 - 2]
        balance = made[outcome.binding_id.int // 100 - 2][0]
        free = max(0, balance - min(held, balance) - reserve)
        assert outcome.taken_fen <= free
        assert limit is None or outcome.taken_fen <= limit
    left_after = need - result.own_fen
    for outcome in result.outcomes:  # nobody is asked while one before could have paid more
        left_after -= outcome.taken_fen
        if outcome.why is None and left_after > 0:
            assert outcome.taken_fen == outcome.shareable_fen


@PROPERTY
@given(st.permutations([2, 3, 4, 5]), st.sampled_from([o.value for o in Order][:4]))
def test_the_order_in_which_donors_are_gathered_changes_nothing(
    gathered: list[int], order: str
) -> None:
    donors = {n: donor(n, 100 * (n % 3), name="同") for n in gathered}
    rules = {"order.kind": order}
    one = flow(350, 0, [donors[n] for n in gathered], rules)
    other = flow(350, 0, [donors[n] for n in sorted(gathered)], rules)
    assert one == other
