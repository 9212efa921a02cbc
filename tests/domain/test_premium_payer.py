"""What stands in the way of a premium, in the order in which it is asked."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from gongji_svc.domain.binding import BindingState
from gongji_svc.domain.errors import (
    OwnBalanceNotZero,
    PremiumAlreadyPaid,
    PremiumBindingMissing,
    PremiumEnrolmentMissing,
    PremiumFundsInsufficient,
    PremiumWindowClosed,
    RelationNotAllowed,
)
from gongji_svc.domain.payment import quote
from gongji_svc.domain.policy_values import Caps
from gongji_svc.domain.premium_payer import (
    Due,
    Payer,
    due_hindrances,
    is_of_binding,
    payer_hindrances,
)
from gongji_svc.domain.terms import AccountState, Insurance, Relation, Use
from gongji_svc.domain.usability import Obstacle
from tests.domain.builders import HOHHOT, account, binding, enrolment, person, policy

DAY, YEAR = date(2025, 10, 15), 2026
RULES: dict[str, object] = {
    "premium.insurances": ["RESIDENT"],
    "premium.standards_fen": {"RESIDENT": {"2026": 40000}},
    "premium.windows": {"2026": {"from": date(2025, 9, 1), "to": date(2025, 12, 31)}},
    "premium.relations": ["CHILD"],
}


def due(rules: Mapping[str, object] | None = None, **fields: Any) -> Due:
    """A resident's premium that anybody may pay."""
    made = policy({**RULES, **(rules or {})})
    resident = enrolment(Insurance.RESIDENT)
    somebody = person(1, resident)
    plain = Due(
        person=somebody,
        region=HOHHOT,
        enrolment=resident,
        accounts=(),
        policy=made,
        quoted=quote(made, Insurance.RESIDENT, YEAR, (), DAY),
        paid=False,
        day=DAY,
    )
    return replace(plain, **fields)


def payer(**fields: Any) -> Payer:
    """A donor with just enough."""
    plain = Payer(person(2), binding(2), enrolment(), policy(), (account(2, 40_000),))
    return replace(plain, **fields)


def reasons(owed: Due, by: Payer) -> list[str]:
    """What stands in the way of a donor, by name."""
    found = payer_hindrances(owed, by)
    return [one.why.value if isinstance(one, Obstacle) else type(one).__name__ for one in found]


def test_nothing_stands_in_the_way_of_who_has_just_enough() -> None:
    assert list(due_hindrances(due())) == []
    assert reasons(due(), payer()) == []


def test_what_stands_in_everybodys_way_is_told_in_its_order() -> None:
    found = list(due_hindrances(due(enrolment=None, paid=True, day=date(2026, 1, 1))))
    kinds = [PremiumWindowClosed, PremiumEnrolmentMissing, PremiumAlreadyPaid]
    assert [type(one) for one in found] == kinds


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"state": BindingState.PENDING_REVIEW}, "PENDING_REVIEW"),
        ({"state": BindingState.SUSPENDED}, "SUSPENDED"),
        ({"state": BindingState.ENDED}, "ENDED"),
        ({"effective_to": date(2025, 10, 14)}, "EXPIRED"),
        ({"effective_from": date(2025, 10, 16)}, "NOT_STARTED"),
        ({"uses": frozenset({Use.MEDICAL})}, "USE_NOT_GRANTED"),
    ],
)
def test_a_binding_that_does_not_act_is_told_as_such(fields: Any, reason: str) -> None:
    by = payer(binding=binding(2, **fields))
    assert reasons(due(), by) == [reason]
    assert all(is_of_binding(one) for one in payer_hindrances(due(), by))


def test_a_suspension_that_the_premium_mends_is_none() -> None:
    suspended = payer(binding=binding(2, state=BindingState.SUSPENDED), mends=True)
    assert reasons(due(), suspended) == []
    unused = binding(2, state=BindingState.SUSPENDED, uses=frozenset({Use.MEDICAL}))
    assert reasons(due(), replace(suspended, binding=unused)) == ["USE_NOT_GRANTED"]


def test_the_relation_must_be_one_that_the_beneficiarys_region_admits() -> None:
    by = payer(binding=binding(2, relation=Relation.SPOUSE))
    [refusal] = payer_hindrances(due(), by)
    assert isinstance(refusal, RelationNotAllowed)
    assert not is_of_binding(refusal)


def test_without_a_binding_nobody_pays_unless_the_region_asks_for_none() -> None:
    alone = payer(binding=None)
    assert reasons(due(), alone) == [PremiumBindingMissing.__name__]
    free = due({"premium.binding_required": False})
    assert reasons(free, alone) == []
    own = replace(alone, person=free.person)
    assert reasons(free, own) == [PremiumBindingMissing.__name__]


def test_a_use_that_the_donors_region_does_not_offer_is_not_the_bindings_fault() -> None:
    by = payer(policy=policy({"use.uses": ["MEDICAL"]}))
    [obstacle] = payer_hindrances(due(), by)
    assert isinstance(obstacle, Obstacle)
    assert (obstacle.why.value, obstacle.rule) == ("USE_NOT_GRANTED", "uses")
    assert not is_of_binding(obstacle)


def test_people_are_asked_as_at_a_till_but_for_the_premiums_own_insurance() -> None:
    assert reasons(due(), payer(policy=None)) == ["DONOR_NOT_INSURED"]
    assert reasons(due(), payer(person=person(2, died_on=DAY))) == ["DONOR_DECEASED"]
    assert reasons(due(person=person(1, died_on=DAY)), payer()) == ["BENEFICIARY_DECEASED"]
    far = enrolment(Insurance.RESIDENT, "211200")
    assert reasons(due(enrolment=far), payer()) == ["BENEFICIARY_OUT_OF_AREA"]
    care = enrolment(Insurance.LONG_TERM_CARE)
    assert reasons(due(enrolment=care), payer()) == []


@pytest.mark.requirement("HOH-22", "HOH-D4")
def test_strict_regions_ask_for_an_empty_own_balance_whatever_its_state() -> None:
    own = (account(1, 1, state=AccountState.FROZEN),)
    strict = {"premium.own_zero_rule": "STRICT"}
    assert reasons(due(strict, accounts=own), payer()) == [OwnBalanceNotZero.__name__]
    assert reasons(due(accounts=own), payer()) == []
    assert reasons(due(strict, accounts=(account(1, 0),)), payer()) == []


@pytest.mark.requirement("PRE-03")
@pytest.mark.parametrize(
    ("accounts", "rules", "reason"),
    [
        ((account(2, 39_999),), {}, PremiumFundsInsufficient.__name__),
        ((account(2, 40_000, held_fen=1),), {}, PremiumFundsInsufficient.__name__),
        ((account(2, 40_000, frozen_quota_fen=1),), {}, PremiumFundsInsufficient.__name__),
        ((account(2, 40_000),), {"accounts.reserve_fen": 1}, PremiumFundsInsufficient.__name__),
        (
            (account(2, 40_000),),
            {"accounts.threshold_fen": 40_001},
            PremiumFundsInsufficient.__name__,
        ),
        ((account(2, 90_000, state=AccountState.FROZEN),), {}, "ACCOUNT_FROZEN"),
        ((), {}, "NO_ACCOUNT"),
    ],
)
def test_the_whole_premium_must_be_free_for_relatives(
    accounts: Any, rules: dict[str, object], reason: str
) -> None:
    assert reasons(due(), payer(accounts=accounts, policy=policy(rules))) == [reason]


def test_limits_for_the_relative_are_not_asked() -> None:
    nothing = Caps(per_settlement_fen=0, per_year_fen=0)
    capped = policy({"caps.household": {"per_year_fen": 0}})
    assert reasons(due(), payer(binding=binding(2, limits=nothing), policy=capped)) == []


def test_who_has_too_little_is_not_told_to_pay_less() -> None:
    [refusal] = payer_hindrances(due(), payer(accounts=(account(2, 39_999),)))
    assert isinstance(refusal, PremiumFundsInsufficient)
    assert refusal.reason == "INSUFFICIENT_FUNDS"
    assert "减少金额" not in refusal.message_zh
    assert "由其他授权人代缴" in refusal.message_zh
