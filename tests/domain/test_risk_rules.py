"""What breaks a risk rule, and by how much."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from gongji_svc.domain.policy_document import PolicyError
from gongji_svc.domain.policy_risk import RiskRule
from gongji_svc.domain.risk import RiskAction, RiskKind
from gongji_svc.domain.risk_rules import Giving, Hit, Visit, hits, repeated_sale
from tests.domain.builders import policy

NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)  # in Shanghai
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
PATIENT, DONOR = UUID(int=1), UUID(int=2)
HERE, NEAR, FAR = "150100", "150102", "150900"


def visit(code: str = "P1", region: str = HERE, at: datetime = NOON, number: int = 0) -> Visit:
    settlement_id = UUID(int=number) if number else None
    return Visit(PATIENT, settlement_id, code, region, at, at)


def giving(beneficiary: int, amount_fen: int = -100, at: datetime = NOON) -> Giving:
    return Giving(DONOR, UUID(int=beneficiary), UUID(int=9), "P1", amount_fen, at, at)


def rule(threshold: int, within_days: int | None = None) -> RiskRule:
    return RiskRule(threshold, RiskAction.ADVISE, within_days)


def found(
    kind: RiskKind,
    stated: RiskRule,
    now: Visit,
    before: Sequence[Visit] = (),
    givings: Sequence[Giving] = (),
) -> list[Hit]:
    return list(hits(now, before, {DONOR: givings}, {kind: stated}))


# --- many institutions


@pytest.mark.parametrize(
    ("codes", "now", "measured"),
    [
        (["P1", "P2"], "P3", [3]),
        (["P1", "P2", "P3"], "P4", [4]),
        (["P1"], "P2", []),
        (["P1", "P1", "P1"], "P2", []),
        (["P1", "P2", "P3"], "P3", []),
    ],
)
def test_each_further_institution_from_the_third_on_breaks_the_rule(
    codes: list[str], now: str, measured: list[int]
) -> None:
    hit = found(RiskKind.MANY_INSTITUTIONS, rule(3), visit(now), [visit(code) for code in codes])
    assert [one.measured for one in hit] == measured


def test_a_day_is_one_in_shanghai() -> None:
    midnight = datetime(2026, 3, 1, 16, tzinfo=UTC)
    before = [visit("P1", at=midnight - MINUTE)]
    many = RiskKind.MANY_INSTITUTIONS
    assert found(many, rule(2), visit("P2", at=midnight), before) == []
    assert len(found(many, rule(2), visit("P2", at=midnight - 2 * MINUTE), before)) == 1


def test_of_many_facts_the_first_and_the_last_are_kept() -> None:
    before = [visit(f"P{number}", number=number) for number in range(1, 30)]
    [hit] = found(RiskKind.MANY_INSTITUTIONS, rule(2), visit("P30"), before)
    assert (hit.measured, len(hit.evidence)) == (30, 10)
    assert hit.evidence[-1]["institution_code"] == "P30"


# --- two cities


@pytest.mark.parametrize("apart", [30 * MINUTE, -30 * MINUTE, 0 * MINUTE])
def test_two_cities_within_the_minutes_break_the_rule(apart: timedelta) -> None:
    [hit] = found(RiskKind.FAR_CITIES, rule(30), visit(), [visit("P2", FAR, NOON + apart)])
    assert hit.measured == abs(apart) // MINUTE


@pytest.mark.parametrize(
    "before", [visit("P2", FAR, NOON - 31 * MINUTE), visit("P2", NEAR, NOON - MINUTE)]
)
def test_later_or_in_the_same_city_is_nothing(before: Visit) -> None:
    assert found(RiskKind.FAR_CITIES, rule(30), visit(), [before]) == []


# --- many who spend one donor's money


def test_the_third_beneficiary_breaks_the_rule_and_names_the_donor() -> None:
    [hit] = found(
        RiskKind.DRAINED_DONOR, rule(3, 7), visit(), givings=[giving(5), giving(6), giving(6)]
    )
    assert (hit.measured, hit.donor_id, len(hit.evidence)) == (3, DONOR, 3)


@pytest.mark.parametrize(
    "givings",
    [
        [giving(5)],
        [giving(5), giving(5)],
        [giving(5), giving(6), giving(1)],
        [giving(5), giving(6), giving(6, 100)],
        [giving(5), giving(6, at=NOON - 7 * DAY)],
    ],
    ids=["two", "one twice", "this one spent before", "it came back", "long ago"],
)
def test_what_does_not_add_a_third_beneficiary_is_nothing(givings: list[Giving]) -> None:
    assert found(RiskKind.DRAINED_DONOR, rule(3, 7), visit(), givings=givings) == []


# --- trace codes


def test_only_codes_sold_before_are_told() -> None:
    sale = (UUID(int=3), "P2", NOON - DAY)
    [hit] = repeated_sale(visit(number=4), {"81": [sale], "82": []}, rule(2))
    assert (hit.kind, hit.measured, len(hit.evidence)) == (RiskKind.REPEATED_TRACE_CODE, 2, 2)
    assert list(repeated_sale(visit(number=4), {"82": []}, rule(2))) == []


# --- the group `risk` of a region's rules


def test_a_rule_that_is_not_stated_is_off() -> None:
    stated = policy()
    assert stated.settlement_risks == {}
    assert stated.risk_repeated_trace_code is None


def test_the_rules_that_hold_or_refuse_are_told_apart() -> None:
    stated = policy(
        {
            "risk.many_institutions": {"threshold": 4, "action": "ADVISE"},
            "risk.far_cities": {"threshold": 30, "action": "DENY"},
            "risk.drained_donor": {"threshold": 5, "within_days": 7, "action": "HOLD"},
        }
    )
    assert len(stated.settlement_risks) == 3
    assert stated.refusing_risks == {
        RiskKind.FAR_CITIES: RiskRule(30, RiskAction.DENY),
        RiskKind.DRAINED_DONOR: RiskRule(5, RiskAction.HOLD, 7),
    }


@pytest.mark.parametrize(
    ("place", "stated", "why"),
    [
        ("repeated_trace_code", {"threshold": 2, "action": "DENY"}, "this rule stops nothing"),
        ("bind_spend_unbind", {"threshold": 7, "action": "HOLD"}, "this rule stops nothing"),
        ("many_institutions", {"threshold": 1, "action": "HOLD"}, "expected at least 2"),
        ("far_cities", {"threshold": 0, "action": "HOLD"}, "expected at least 1"),
        ("drained_donor", {"threshold": 5, "within_days": 0, "action": "HOLD"}, "at least 1"),
        ("far_cities", {"threshold": 30, "action": "STOP"}, "expected one of"),
        ("far_cities", {"action": "HOLD"}, "expected also threshold"),
        ("drained_donor", {"threshold": 5, "action": "HOLD"}, "expected also within_days"),
    ],
)
def test_a_rule_that_cannot_be_meant_so_is_refused(
    place: str, stated: dict[str, object], why: str
) -> None:
    with pytest.raises(PolicyError, match=why):
        policy({f"risk.{place}": stated})
