"""What an agency's statement makes of somebody's record.

Rule: the agency of the home region states the whole record. The agency of another region where the
person is insured states what insurance there brings: its own enrolments, and the premium years,
identities, diseases and filings; who the person is, and the enrolments of others, stay as they are.
A region that the record does not know yet is let in only once no other has the person insured.
No statement takes away or changes a premium year that was paid here: its payment alone does.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date

from gongji_svc.domain.errors import AccessDenied, Violation
from gongji_svc.domain.person import Enrolment, Period, Person, PremiumYear
from gongji_svc.domain.terms import InsuredStatus

_END_BEFORE_START = "结束日期早于开始日期"


def ordered(person: Person) -> Person:
    """The same record with its lists in one order, so that equal records compare equal."""
    return replace(
        person,
        enrolments=tuple(sorted(person.enrolments, key=lambda one: (one.insurance, one.region))),
        premium_years=ordered_years(person.premium_years),
        referral_filings=tuple(
            sorted(person.referral_filings, key=lambda one: (one.from_, one.region))
        ),
    )


def ordered_years(years: Iterable[PremiumYear]) -> tuple[PremiumYear, ...]:
    """By year; what a payment brought before what an agency stated."""
    return tuple(sorted(years, key=lambda one: (one.year, one.payment_id is None)))


def has_part(region: str, person: Person) -> bool:
    """Whether the record knows insurance in the region."""
    return any(one.region == region for one in person.enrolments)


def is_insured_elsewhere(region: str, person: Person, day: date) -> bool:
    """Whether another region has the person insured on a day."""
    return any(
        period.covers(day) and period.status is InsuredStatus.NORMAL
        for one in person.enrolments
        if one.region != region
        for period in one.periods
    )


def restated(stored: Person, stated: Person, agency: str) -> Person:
    """The record after the agency of another region than the home region stated it.

    AccessDenied when it states an enrolment of others otherwise than it is.
    """
    others = tuple(one for one in stored.enrolments if one.region != agency)
    for enrolment in stated.enrolments:
        if enrolment.region != agency and enrolment not in others:
            raise AccessDenied
    own = tuple(one for one in stated.enrolments if one.region == agency)
    return replace(
        stored,
        enrolments=(*others, *own),
        premium_years=stated.premium_years,
        identities=stated.identities,
        chronic_diseases=stated.chronic_diseases,
        referral_filings=stated.referral_filings,
    )


def with_years_paid_here(stored: Person, stated: Person) -> Person:
    """The stated record with the years that payments brought into the stored one.

    Such a year is shown as any other: stated as it is shown it is no statement of the agency's.
    """
    here = [one for one in stored.premium_years if one.payment_id is not None]
    shown = {(one.year, one.paid_on, one.kind) for one in here}
    own = [one for one in stated.premium_years if (one.year, one.paid_on, one.kind) not in shown]
    repeated = {one.year for one in stated.premium_years} - {one.year for one in own}
    hidden = [
        one for one in stored.premium_years if one.payment_id is None and one.year in repeated
    ]
    return replace(stated, premium_years=ordered_years((*here, *own, *hidden)))


def faults(person: Person) -> Iterator[Violation]:
    """What is wrong with a stated record, each with the place of the field in it."""
    if person.birth_date and person.died_on and person.died_on < person.birth_date:
        yield Violation("died_on", "死亡日期早于出生日期")
    seen: set[tuple[str, str]] = set()
    for index, enrolment in enumerate(person.enrolments):
        place = f"enrolments[{index}]"
        if (enrolment.insurance, enrolment.region) in seen:
            yield Violation(f"{place}.region", "同一险种在同一参保地只能填写一项")
        seen.add((enrolment.insurance, enrolment.region))
        yield from _period_faults(place, enrolment)
    years: set[int] = set()
    for index, premium in enumerate(person.premium_years):
        if premium.year in years:
            yield Violation(f"premium_years[{index}].year", "同一年度只能填写一项")
        years.add(premium.year)
    for index, filing in enumerate(person.referral_filings):
        yield from _order_faults(f"referral_filings[{index}]", filing.from_, filing.to)
    for index, guardian in enumerate(person.guardians):
        yield from _order_faults(f"guardians[{index}]", guardian.from_, guardian.to)


def _period_faults(place: str, enrolment: Enrolment) -> Iterator[Violation]:
    before: Period | None = None
    for index, period in enumerate(enrolment.periods):
        at = f"{place}.periods[{index}]"
        yield from _order_faults(at, period.from_, period.to)
        if before is not None and (before.to is None or period.from_ <= before.to):
            yield Violation(f"{at}.from", "各时段须按开始日期先后排列且互不重叠")
        before = period


def _order_faults(place: str, first: date | None, last: date | None) -> Iterator[Violation]:
    if first is not None and last is not None and last < first:
        yield Violation(f"{place}.to", _END_BEFORE_START)
