"""How somebody stands with the premium of a year: registered, paid before, and what a break costs.

Rule (docs/decisions/readings.md#premium-standing): registered is who is insured, paused, or insured
from a day to come. A year is missed that lies behind the last one paid and is neither paid nor
spent as an employee; one that was repaired is still missed, and takes off waiting (PRE-05).
"""

from dataclasses import dataclass
from datetime import date

from gongji_svc.domain.payment import Quote, benefit_from, wait_months
from gongji_svc.domain.person import Enrolment, Person, PremiumYearKind
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.standing import status_on
from gongji_svc.domain.terms import Insurance, InsuredStatus

_NORMAL, _PAUSED = InsuredStatus.NORMAL, InsuredStatus.PAUSED


@dataclass(frozen=True, slots=True)
class Waiting:
    """The months without benefit, and the day benefits begin, if paid on a day; and why."""

    months: int
    benefit_from: date
    missed_years: int
    repaired_years: int


def is_registered(enrolment: Enrolment, day: date) -> bool:
    """Whether a premium can be paid for this insurance: it runs, is paused, or will begin."""
    if status_on(enrolment, day) in (_NORMAL, _PAUSED):
        return True
    return any(one.status is _NORMAL and one.from_ > day for one in enrolment.periods)


def registration(person: Person, insurance: Insurance, day: date) -> Enrolment | None:
    """The enrolment for which a premium is paid: one that runs, else one that is paused."""

    def rank(enrolment: Enrolment) -> tuple[bool, bool, str]:
        status = status_on(enrolment, day)
        return status is not _NORMAL, status is not _PAUSED, enrolment.region

    registered = (
        one for one in person.enrolments if one.insurance is insurance and is_registered(one, day)
    )
    return min(registered, key=rank, default=None)


def deciding_region(person: Person, insurance: Insurance, day: date, home: str) -> str:
    """Whose rules decide: where somebody is registered, else was insured so, else lives."""
    enrolment = registration(person, insurance, day)
    if enrolment is not None:
        return enrolment.region
    insured = (one.region for one in person.enrolments if one.insurance is insurance)
    return min(insured, default=home)


def is_paid(person: Person, insurance: Insurance, year: int) -> bool:
    """Whether the registry knows the year as paid; it knows of residents' years only."""
    known = insurance is Insurance.RESIDENT
    return known and any(one.year == year for one in person.premium_years)


def waiting(policy: Policy, quoted: Quote, person: Person, day: date) -> Waiting:
    """What a payment on a day costs in waiting; the rule is the residents' alone
    (docs/decisions/readings.md#two-waiting-rules).
    """
    in_time = day <= quoted.window.to  # before the window nothing can be paid: as if in it
    missed = repaired = months = 0
    if quoted.insurance is Insurance.RESIDENT:
        missed, repaired = _break_before(quoted.year, person)
        months = wait_months(
            policy,
            quoted.year,
            in_window=in_time,
            missed_years=missed,
            repaired_years=repaired,
            groups=person.identities,
        )
    begins = benefit_from(quoted.year, months, None if in_time else day)
    return Waiting(months, begins, missed, repaired)


def _break_before(year: int, person: Person) -> tuple[int, int]:
    """How many years in a row were missed before this one, and how many of them repaired."""
    repaired = {y.year for y in person.premium_years if y.kind is PremiumYearKind.REPAIRED}
    paid = {y.year for y in person.premium_years if y.kind is PremiumYearKind.PAID}
    covered = paid | _years_as_employee(person, year)
    known = {one for one in covered | repaired if one < year}
    if not known:
        return 0, 0  # nothing was begun, so nothing was broken off
    last = max((one for one in covered if one < year), default=min(known) - 1)
    missed = range(last + 1, year)
    return len(missed), len(repaired.intersection(missed))


def _years_as_employee(person: Person, before: int) -> set[int]:
    """The years before one in which somebody was insured as an employee."""
    periods = (
        period
        for enrolment in person.enrolments
        if enrolment.insurance is Insurance.EMPLOYEE
        for period in enrolment.periods
        if period.status is _NORMAL
    )
    return {
        year
        for one in periods
        for year in range(one.from_.year, min(before, (one.to.year if one.to else before) + 1))
    }
