"""How somebody stands in an insurance on a day: insured, and with what right to the fund.

Rule: a lapse acts from the first day of the month after it began, for the fund and for mutual aid
(ULQ-26); an end of the insurance acts at once. What a lapse costs afterwards (ULQ-29 to ULQ-32)
are values of the policy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from gongji_svc.domain.calendar import add_months, first_of_next_month
from gongji_svc.domain.money import BP
from gongji_svc.domain.person import Enrolment, Period
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.terms import Insurance, InsuredStatus


class FundObstacle(StrEnum):
    """Why the fund pays nothing for an insured, or no longer insured, person."""

    NOT_INSURED = "NOT_INSURED"
    LAPSED = "LAPSED"
    WAITING = "WAITING"
    ARREARS_UNPAID = "ARREARS_UNPAID"
    ARREARS_NOT_EFFECTIVE = "ARREARS_NOT_EFFECTIVE"


@dataclass(frozen=True, slots=True)
class Standing:
    """Insured or not; what stops the fund, if anything; the ratio it is limited to; and the day on
    which that changes, if it is known."""

    insured: bool
    fund_obstacle: FundObstacle | None = None
    limited_to_bp: int = BP
    until: date | None = None


_FULL = Standing(insured=True)


def standing_of(
    enrolment: Enrolment, policy: Policy, day: date, benefit_from: date | None = None
) -> Standing:
    """How the person stands on a day under the policy of the insured region.

    `benefit_from` is the first day of benefit of a premium that was paid late (PRE-05).
    """
    status = status_on(enrolment, day)
    if status is InsuredStatus.PAUSED:
        return Standing(insured=False, fund_obstacle=FundObstacle.LAPSED)
    if status is not InsuredStatus.NORMAL:
        return Standing(insured=False, fund_obstacle=FundObstacle.NOT_INSURED)
    if benefit_from is not None and day < benefit_from:
        return Standing(True, FundObstacle.WAITING, until=benefit_from)
    if enrolment.insurance is not Insurance.EMPLOYEE or len(enrolment.periods) == 1:
        return _FULL
    return _after_breaks(enrolment, policy, day)


def status_on(enrolment: Enrolment, day: date) -> InsuredStatus | None:
    """The status that acts on a day; None: no period covers it."""
    for period in reversed(enrolment.periods):
        if period.covers(day):
            paused = period.status is InsuredStatus.PAUSED
            if paused and day < first_of_next_month(period.from_):
                return InsuredStatus.NORMAL
            return period.status
    return None


def _after_breaks(enrolment: Enrolment, policy: Policy, day: date) -> Standing:
    """The strictest consequence of the breaks before the day (ULQ-29 to ULQ-32)."""
    limited_until: date | None = None
    obstacles: list[tuple[date, FundObstacle]] = []
    for began, resumed in _breaks(enrolment, day):
        obstacle = _arrears(enrolment, policy, began, resumed.from_, day)
        if obstacle is not None:
            return obstacle
        wait_ends = _wait_ends(policy, began, resumed)
        if day < wait_ends:
            obstacles.append((wait_ends, FundObstacle.WAITING))
        limit_ends = add_months(resumed.from_, policy.lapse_limited_months)
        if resumed.from_ > first_of_next_month(began) and day < limit_ends:
            limited_until = max(limit_ends, limited_until or limit_ends)
    if obstacles:
        until, why = max(obstacles)
        return Standing(True, why, until=until)
    if limited_until is not None:
        return Standing(True, None, policy.lapse_limited_ratio_bp, limited_until)
    return _FULL


def _breaks(enrolment: Enrolment, day: date) -> Iterator[tuple[date, Period]]:
    """Each break that ended by the day: its first day, and the period that ended it."""
    ended: date | None = None
    for period in enrolment.periods:
        if period.status is not InsuredStatus.NORMAL or period.from_ > day:
            continue
        if ended is not None and period.from_ > ended:
            yield ended, period
        ended = None if period.to is None else period.to + timedelta(days=1)


def _wait_ends(policy: Policy, began: date, resumed: Period) -> date:
    """ULQ-29: a long break, or a return as an individual, makes a waiting period."""
    after = policy.lapse_wait_after_months
    long = after is not None and resumed.from_ > add_months(began, after)
    if long or (policy.lapse_individual_waits and resumed.as_individual):
        return add_months(resumed.from_, policy.lapse_wait_months)
    return resumed.from_


def _arrears(
    enrolment: Enrolment, policy: Policy, began: date, resumed: date, day: date
) -> Standing | None:
    """ULQ-31, ULQ-32: after a long break arrears must be paid, and act a month later."""
    after = policy.lapse_arrears_after_months
    if after is None or resumed <= add_months(began, after):
        return None
    paid = enrolment.arrears_paid_on
    if paid is None or paid < began or paid > day:
        return Standing(True, FundObstacle.ARREARS_UNPAID)
    effective = add_months(paid, policy.lapse_arrears_effect_months)
    if day < effective:
        return Standing(True, FundObstacle.ARREARS_NOT_EFFECTIVE, until=effective)
    return None
