"""Every reason for "bound, yet no money", apart; and what relatives may use of an account."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from gongji_svc.domain.binding import BindingState, EndCause
from gongji_svc.domain.explanation import obstacle_advised, over_advised, why_worded
from gongji_svc.domain.person import PUBLICLY_FUNDED, Account, Enrolment, Period, Person
from gongji_svc.domain.terms import (
    AccountKind,
    AccountState,
    InstitutionKind,
    Insurance,
    InsuredStatus,
    Use,
    VisitType,
)
from gongji_svc.domain.usability import (
    Obstacle,
    Shareable,
    Visit,
    Why,
    obstacles,
    shareable,
    visit_obstacles,
)
from tests.domain.builders import (
    HOHHOT,
    START,
    TIELING,
    account,
    binding,
    enrolment,
    person,
    policy,
)

TODAY = date(2025, 5, 6)
LAPSED = enrolment(
    Insurance.EMPLOYEE,
    HOHHOT,
    Period(START, date(2025, 1, 31)),
    Period(date(2025, 2, 1), None, InsuredStatus.PAUSED),
)


def found(
    values: Mapping[str, object] | None = None,
    *,
    bound: Mapping[str, Any] | None = None,
    donor: Person | None = None,
    donor_enrolment: Enrolment | None = None,
    beneficiary: Person | None = None,
    patient_enrolment: Enrolment | None = None,
    use: Use = Use.MEDICAL,
    moved: bool = False,
    uninsured: bool = False,
) -> list[Obstacle]:
    return list(
        obstacles(
            binding(2, **(bound or {})),
            donor or person(2),
            None if moved else donor_enrolment or enrolment(),
            beneficiary or person(1),
            None if uninsured else patient_enrolment or enrolment(),
            policy(values),
            use,
            TODAY,
        )
    )


def reasons(values: Mapping[str, object] | None = None, **case: Any) -> list[Why]:
    return [obstacle.why for obstacle in found(values, **case)]


def test_a_plain_binding_is_usable() -> None:
    assert reasons() == []


@pytest.mark.requirement("TIL-18")
@pytest.mark.parametrize("state", [s for s in BindingState if s is not BindingState.ACTIVE])
def test_a_binding_that_is_not_active_gives_its_state_as_the_reason(state: BindingState) -> None:
    assert reasons(bound={"state": state}) == [Why(state.value)]


@pytest.mark.requirement("HOH-11")
def test_a_binding_that_has_not_begun_says_when_it_will() -> None:
    start = date(2025, 6, 1)
    assert found(bound={"effective_from": start}) == [Obstacle(Why.NOT_STARTED, until=start)]


def test_a_binding_whose_last_day_has_passed_is_expired() -> None:
    assert reasons(bound={"effective_to": date(2025, 5, 5)}) == [Why.EXPIRED]


def test_a_use_must_be_granted_by_the_donor_and_offered_by_the_region() -> None:
    only_premium = {"uses": frozenset({Use.PREMIUM})}
    assert reasons(bound=only_premium) == [Why.USE_NOT_GRANTED]
    assert reasons(bound=only_premium, use=Use.PREMIUM) == []
    assert reasons({"use.uses": ["PREMIUM"]}) == [Why.USE_NOT_GRANTED]


@pytest.mark.requirement("HOH-01", "ULQ-D3")
def test_a_lapsed_donor_is_barred_or_not_as_the_policy_says() -> None:
    assert reasons(donor_enrolment=LAPSED) == [Why.DONOR_LAPSED]
    assert reasons({"donor.lapse": "KEEP"}, donor_enrolment=LAPSED) == []


def test_a_donor_who_moved_or_died_pays_no_more() -> None:
    assert reasons(moved=True) == [Why.DONOR_NOT_INSURED]
    assert reasons(donor=person(2, died_on=date(2025, 1, 1))) == [Why.DONOR_DECEASED]


@pytest.mark.requirement("NAT-07")
def test_the_patient_must_be_insured_in_an_admitted_insurance_and_region() -> None:
    assert reasons(patient_enrolment=LAPSED) == [Why.BENEFICIARY_NOT_INSURED]
    resident_only = {"beneficiary.insurances": ["RESIDENT"]}
    assert reasons(resident_only) == [Why.BENEFICIARY_INSURANCE_NOT_ADMITTED]
    away = enrolment(region=TIELING)
    assert reasons(patient_enrolment=away) == [Why.BENEFICIARY_OUT_OF_AREA]
    funded = person(1, identities=frozenset({PUBLICLY_FUNDED}))
    barred = {"beneficiary.publicly_funded": False}
    assert reasons(barred, beneficiary=funded) == [Why.BENEFICIARY_PUBLICLY_FUNDED]


@pytest.mark.requirement("NAT-07")
def test_several_reasons_are_told_apart() -> None:
    told = reasons(bound={"state": BindingState.SUSPENDED}, donor_enrolment=LAPSED)
    assert told == [Why.SUSPENDED, Why.DONOR_LAPSED]


def test_of_a_binding_that_is_over_only_that_is_told() -> None:
    over = {
        "state": BindingState.EXPIRED,
        "effective_to": date(2025, 5, 5),
        "uses": frozenset({Use.PREMIUM}),
    }
    assert reasons(bound=over) == [Why.EXPIRED]
    future = {"state": BindingState.ENDED, "effective_from": date(2025, 6, 1)}
    assert found(bound=future) == [Obstacle(Why.ENDED)]


@pytest.mark.parametrize(
    ("state", "ended_on", "why"),
    [
        (BindingState.ACTIVE, None, Why.EXPIRED),
        (BindingState.SUSPENDED, None, Why.EXPIRED),
        (BindingState.ACTIVE, date(2025, 5, 5), Why.ENDED),
    ],
)
def test_after_its_last_day_a_binding_is_over_before_its_state_follows(
    state: BindingState, ended_on: date | None, why: Why
) -> None:
    last_day = {"state": state, "effective_to": date(2025, 5, 5), "ended_on": ended_on}
    assert reasons(bound={**last_day, "uses": frozenset({Use.PREMIUM})}) == [why]


@pytest.mark.requirement("NAT-07")
def test_a_relative_who_was_never_insured_and_one_who_died_are_told_apart() -> None:
    assert reasons(uninsured=True) == [Why.BENEFICIARY_NOT_INSURED]
    died = person(1, died_on=date(2025, 1, 1))
    for nowhere in (False, True):
        assert reasons(beneficiary=died, uninsured=nowhere) == [Why.BENEFICIARY_DECEASED]


@pytest.mark.requirement("NAT-07")
def test_an_insurance_that_will_run_again_says_from_when() -> None:
    again = date(2025, 9, 1)
    for before, why in (
        (Period(date(2025, 2, 1), None, InsuredStatus.PAUSED), Why.DONOR_LAPSED),
        (Period(START, date(2025, 1, 31)), Why.DONOR_NOT_INSURED),
    ):
        interrupted = enrolment(Insurance.EMPLOYEE, HOHHOT, before, Period(again))
        donors = found(donor_enrolment=interrupted)
        assert [(one.why, one.until) for one in donors] == [(why, again)]
        relatives = found(patient_enrolment=interrupted)
        assert relatives == [Obstacle(Why.BENEFICIARY_NOT_INSURED, again)]


@pytest.mark.requirement("NAT-07")
@pytest.mark.parametrize("why", Why)
def test_every_reason_says_in_chinese_what_it_means_and_what_to_do_next(why: Why) -> None:
    meaning, advice, nothing = obstacle_advised(Obstacle(why)).split("。")
    assert meaning == why_worded(why)
    assert advice not in ("", meaning)
    assert nothing == ""
    assert TODAY.isoformat() in obstacle_advised(Obstacle(why, TODAY))


@pytest.mark.requirement("NAT-07")
def test_two_who_are_insured_too_far_apart_are_told_so_without_blaming_either() -> None:
    assert obstacle_advised(Obstacle(Why.BENEFICIARY_OUT_OF_AREA)).startswith(
        "双方参保地不在授权人参保地政策允许的范围内。"
    )


def over(cause: EndCause | None, why: Why = Why.ENDED, **case: Any) -> str:
    return over_advised(why, cause, **{"reason": "", "approved": True, "died": False, **case})


@pytest.mark.requirement("NAT-07")
def test_an_end_says_who_made_it_and_whether_to_apply_again() -> None:
    assert over(EndCause.DONOR).startswith("授权人已解除共济关系。")
    assert over(EndCause.BENEFICIARY).startswith("使用人已解除共济关系。")
    assert over(EndCause.DONOR, approved=False).startswith("授权人已撤回绑定申请。")
    revoked = over(EndCause.REVOKED, reason="材料系伪造")
    assert revoked.startswith("医保经办机构已撤销共济关系（原因：材料系伪造）。")
    assert "双方参保地不在" in over(EndCause.INSURANCE_CHANGED)
    assert "登记死亡" in over(EndCause.DIED, died=True)
    rejected = over(None, Why.REJECTED, reason="材料模糊", approved=False)
    assert rejected.startswith("绑定申请未通过审核（原因：材料模糊）。")
    helps = [cause for cause in EndCause if "重新申请" in over(cause, died=cause is EndCause.DIED)]
    assert helps == [EndCause.DONOR, EndCause.BENEFICIARY, EndCause.INSURANCE_CHANGED]


@pytest.mark.requirement("NAT-07")
@pytest.mark.parametrize(
    ("why", "cause"),
    [(Why.REJECTED, None), (Why.EXPIRED, None), *((Why.ENDED, cause) for cause in EndCause)],
)
def test_nobody_is_told_to_bind_again_who_has_lost_the_other(
    why: Why, cause: EndCause | None
) -> None:
    text = over(cause, why, died=True)
    assert "重新申请" not in text
    assert "不能再绑定" in text


@pytest.mark.requirement("HOH-17", "TIL-D3")
def test_a_visit_must_be_of_a_type_at_a_place_and_in_an_area_the_donors_region_admits() -> None:
    visit = Visit(VisitType.PHARMACY, InstitutionKind.PHARMACY, HOHHOT)

    def barred(values: Mapping[str, object], donor_region: str = HOHHOT) -> list[Why]:
        return [o.why for o in visit_obstacles(visit, donor_region, policy(values))]

    assert barred({}) == []
    assert barred({"use.places": ["HOSPITAL"]}) == [Why.PLACE_NOT_ADMITTED]
    assert barred({"use.visit_types": ["OUTPATIENT"]}) == [Why.VISIT_TYPE_NOT_ADMITTED]
    assert barred({}, TIELING) == [Why.CARE_OUT_OF_AREA]


RESERVE = policy({"accounts.reserve_fen": 100_000})
THRESHOLD = policy({"accounts.threshold_fen": 50_000})
PAST_ONLY = policy({"accounts.donor_kinds": ["PAST_YEARS"]})


@pytest.mark.parametrize(
    ("balance", "expected"),
    [
        (500_000, Shareable(400_000)),
        (100_000, Shareable(0, Why.BELOW_RESERVE)),
        (99_999, Shareable(0, Why.BELOW_RESERVE)),
        (0, Shareable(0, Why.BALANCE_ZERO)),
    ],
)
def test_the_reserve_is_untouchable(balance: int, expected: Shareable) -> None:
    assert shareable([account(2, balance)], RESERVE) == expected


def test_below_the_threshold_nothing_is_shareable_and_from_it_on_everything() -> None:
    assert shareable([account(2, 49_999)], THRESHOLD) == Shareable(0, Why.BELOW_THRESHOLD)
    assert shareable([account(2, 50_000)], THRESHOLD) == Shareable(50_000)


def test_holds_and_frozen_quotas_are_not_shareable() -> None:
    assert (
        shareable([account(2, 500, held_fen=200, frozen_quota_fen=100)], policy()).amount_fen == 200
    )
    assert shareable([account(2, 500, held_fen=500)], policy()) == Shareable(0, Why.ALL_HELD)


def test_a_hold_that_the_settlement_names_is_shareable_even_below_the_reserve() -> None:
    held = account(2, 90_000, held_fen=30_000, named_hold_fen=30_000)
    assert shareable([held], RESERVE) == Shareable(30_000)


def test_only_the_kinds_that_pay_count() -> None:
    both = [account(2, 300, AccountKind.CURRENT_YEAR), account(2, 500, AccountKind.PAST_YEARS)]
    assert shareable(both, PAST_ONLY) == Shareable(500)
    assert shareable(both[:1], PAST_ONLY) == Shareable(0, Why.NO_ACCOUNT)


def test_a_frozen_account_says_so() -> None:
    frozen: list[Account] = [account(2, 500, state=AccountState.FROZEN)]
    assert shareable(frozen, policy()) == Shareable(0, Why.ACCOUNT_FROZEN)
