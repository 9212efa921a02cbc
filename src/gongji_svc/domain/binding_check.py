"""What becomes of a living binding when a day has passed, or when one of its people has changed.

Rule: an end that was ordered, a death, a last day and a move outside the area end it (NAT-02). What
else stops a side suspends it, and when nothing does any more it is active again. The till asks the
same questions, so no binding comes back while the till would refuse one of its people. An
application that waits for review ends with its people, and is otherwise the reviewer's.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from gongji_svc.domain.binding import LIVING, Binding, BindingEvent, BindingState, EndCause, after
from gongji_svc.domain.calendar import first_of_next_month
from gongji_svc.domain.eligibility import leading_enrolment, within
from gongji_svc.domain.person import Enrolment, Person
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.standing import status_on
from gongji_svc.domain.terms import Insurance, InsuredStatus
from gongji_svc.domain.usability import Why, beneficiary_obstacles, donor_obstacles

_A_DAY = timedelta(days=1)
_AT_LATEST = timedelta(days=30)

PolicyOf = Callable[[str], Policy | None]
"""The rules of a region today, None where none hold."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A binding as it is from now on, and the region whose rules decide about it.

    `cause` tells of an end that nobody had ordered.
    """

    binding: Binding
    donor_region: str
    suspended_for: tuple[Why, ...] = ()
    cause: EndCause | None = None


def judged(
    binding: Binding,
    donor_region: str,
    donor: Person,
    beneficiary: Person,
    policy_of: PolicyOf,
    today: date,
) -> Judged:
    """What becomes of a living binding; `donor_region` is where its donor was last seen insured."""
    if binding.ended_on is not None and binding.ended_on < today:
        return Judged(after(binding, BindingEvent.END), donor_region)
    if donor.died_on is not None or beneficiary.died_on is not None:
        return _ended(binding, donor_region, EndCause.DIED, today)
    in_review = binding.state is BindingState.PENDING_REVIEW
    last_day = binding.effective_to
    if not in_review and last_day is not None and last_day < today:
        return Judged(after(binding, BindingEvent.EXPIRE), donor_region)
    enrolment = leading_enrolment(donor, today)
    policy = policy_of(donor_region if enrolment is None else enrolment.region)
    if _apart(donor, beneficiary, policy or policy_of(donor_region), today):
        return _ended(binding, donor_region, EndCause.INSURANCE_CHANGED, today)
    if in_review:
        return Judged(binding, donor_region)
    if enrolment and policy and _is_insured(enrolment, policy.donor_insurances, today):
        donor_region = enrolment.region
    why = _stopped_for(donor, enrolment, beneficiary, policy, policy_of, today)
    wanted = BindingState.SUSPENDED if why else BindingState.ACTIVE
    if binding.state is not wanted:
        binding = after(binding, BindingEvent.SUSPEND if why else BindingEvent.RESUME)
    return Judged(binding, donor_region, why)


def _ended(binding: Binding, donor_region: str, cause: EndCause, today: date) -> Judged:
    ended = replace(after(binding, BindingEvent.END), ended_on=today)
    return Judged(ended, donor_region, cause=cause)


def _apart(donor: Person, beneficiary: Person, policy: Policy | None, today: date) -> bool:
    """Whether one of the two is insured as the rules demand, but nowhere near the other."""
    if policy is None:
        return False

    def left(one: Sequence[str], other: Sequence[str]) -> bool:
        """Who is insured nowhere is not elsewhere."""
        area = policy.beneficiary_area
        near = any(within(area, region, theirs) for region in one for theirs in other)
        return bool(one and other) and not near

    def insured_in(person: Person, admitted: frozenset[Insurance]) -> list[str]:
        return [one.region for one in person.enrolments if _is_insured(one, admitted, today)]

    gives = insured_in(donor, policy.donor_insurances)
    takes = insured_in(beneficiary, policy.beneficiary_insurances)
    return left(gives, _places(beneficiary, today)) or left(takes, _places(donor, today))


def _is_insured(enrolment: Enrolment, admitted: frozenset[Insurance], today: date) -> bool:
    is_normal = status_on(enrolment, today) is InsuredStatus.NORMAL
    return is_normal and enrolment.insurance in admitted


def _places(person: Person, today: date) -> list[str]:
    """Where somebody is insured, or else where the insurance is paused."""
    statuses = [(one.region, status_on(one, today)) for one in person.enrolments]
    insured = [region for region, status in statuses if status is InsuredStatus.NORMAL]
    return insured or [region for region, status in statuses if status is InsuredStatus.PAUSED]


def _stopped_for(
    donor: Person,
    enrolment: Enrolment | None,
    beneficiary: Person,
    policy: Policy | None,
    policy_of: PolicyOf,
    today: date,
) -> tuple[Why, ...]:
    """Each reason of either side once; of the beneficiary's enrolments the best one counts."""
    if policy is None:
        return (Why.DONOR_NOT_INSURED,)  # where no rules hold, no money is shared

    def why_not(theirs: Enrolment | None) -> list[Why]:
        found = beneficiary_obstacles(beneficiary, theirs, enrolment, policy, today)
        reasons = [obstacle.why for obstacle in found]
        if theirs is not None and policy_of(theirs.region) is None:
            reasons.append(Why.BENEFICIARY_OUT_OF_AREA)  # nor is anything settled there
        return reasons

    of_donor = [obstacle.why for obstacle in donor_obstacles(donor, enrolment, policy, today)]
    of_beneficiary = min((why_not(one) for one in beneficiary.enrolments or (None,)), key=len)
    return tuple(dict.fromkeys((*of_donor, *of_beneficiary)))


def next_check_on(binding: Binding, people: Iterable[Person], today: date) -> date | None:
    """The day on which to look again: the first to come on which anything changes by itself.

    30 days ahead at the latest, for new rules; None for a binding that is over.
    """
    if binding.state not in LIVING:
        return None
    horizon = today + _AT_LATEST
    turns = {horizon}
    for last_day in (binding.effective_to, binding.ended_on):
        turns |= set(_day_after(last_day, horizon))
    for person in people:
        turns |= set(_turns_of(person, horizon))
    return min(day for day in turns if day > today)


def _turns_of(person: Person, horizon: date) -> Iterator[date]:
    """The days before the horizon on which a status begins to act."""
    for period in (one for enrolment in person.enrolments for one in enrolment.periods):
        yield from _day_after(period.to, horizon)
        if period.from_ < horizon:
            yield period.from_
            if period.status is InsuredStatus.PAUSED:
                yield first_of_next_month(period.from_)


def _day_after(last_day: date | None, horizon: date) -> Iterator[date]:
    if last_day is not None and last_day < horizon:
        yield last_day + _A_DAY
