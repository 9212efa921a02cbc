"""A binding (共济绑定) and its life.

Rule: the table below is the whole state machine; what is not in it is refused. A future start and
a later end are dates, not states.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.errors import BindingNotActive, BindingNotPending, UnbindingLocked
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.policy_values import NO_CAPS, Caps
from gongji_svc.domain.terms import Relation, UnbindingEffect, Use
from gongji_svc.domain.wording import BINDING_STATE_ZH


class BindingState(StrEnum):
    """Where a binding stands."""

    PENDING_REVIEW = "PENDING_REVIEW"
    ACTIVE = "ACTIVE"
    REJECTED = "REJECTED"
    SUSPENDED = "SUSPENDED"
    ENDED = "ENDED"
    EXPIRED = "EXPIRED"


class BindingEvent(StrEnum):
    """What happens to a binding."""

    APPROVE = "APPROVE"
    REJECT = "REJECT"
    SUSPEND = "SUSPEND"  # a side lost its eligibility
    RESUME = "RESUME"
    END = "END"  # by either side, by revocation, or by law
    EXPIRE = "EXPIRE"  # its last day has passed


STATES: dict[tuple[BindingState, BindingEvent], BindingState] = {
    (BindingState.PENDING_REVIEW, BindingEvent.APPROVE): BindingState.ACTIVE,
    (BindingState.PENDING_REVIEW, BindingEvent.REJECT): BindingState.REJECTED,
    (BindingState.PENDING_REVIEW, BindingEvent.END): BindingState.ENDED,
    (BindingState.ACTIVE, BindingEvent.SUSPEND): BindingState.SUSPENDED,
    (BindingState.SUSPENDED, BindingEvent.RESUME): BindingState.ACTIVE,
    (BindingState.ACTIVE, BindingEvent.END): BindingState.ENDED,
    (BindingState.SUSPENDED, BindingEvent.END): BindingState.ENDED,
    (BindingState.ACTIVE, BindingEvent.EXPIRE): BindingState.EXPIRED,
    (BindingState.SUSPENDED, BindingEvent.EXPIRE): BindingState.EXPIRED,
}


class EndCause(StrEnum):
    """Why a binding came to its end."""

    DONOR = "DONOR"
    BENEFICIARY = "BENEFICIARY"
    REVOKED = "REVOKED"  # by the agency or a reviewer
    INSURANCE_CHANGED = "INSURANCE_CHANGED"  # a side moved outside the area
    DIED = "DIED"


LIVING = frozenset({BindingState.PENDING_REVIEW, BindingState.ACTIVE, BindingState.SUSPENDED})
"""The states that count towards limits and overlaps."""


@dataclass(frozen=True, slots=True)
class Binding:
    """An authorisation of a donor for a beneficiary; `effective_to` is its last day."""

    binding_id: UUID
    donor_id: UUID
    beneficiary_id: UUID
    relation: Relation
    state: BindingState
    bound_at: datetime
    effective_from: date
    effective_to: date | None = None
    rank: int = 0
    uses: frozenset[Use] = frozenset(Use)
    limits: Caps = NO_CAPS
    ended_on: date | None = None  # last day of use; an end to come while the state still lives
    approved: bool = True  # False: in review, rejected, or withdrawn in review

    def runs_on(self, day: date) -> bool:
        """Whether the day lies between its dates."""
        return self.effective_from <= day and (
            self.effective_to is None or day <= self.effective_to
        )


def placed(current: Sequence[Binding], wanted_rank: int | None) -> tuple[int, tuple[Binding, ...]]:
    """The rank, from 1, of a new binding, and those of `current` that move.

    `current` are the beneficiary's living bindings. The new one stands at the rank wanted and later
    ones move down; without a rank, or beyond the end, it is the last (ULQ-11).
    """
    order: list[Binding | None] = [*sorted(current, key=lambda b: (b.rank, b.binding_id))]
    place = len(order) if wanted_rank is None else min(wanted_rank - 1, len(order))
    order.insert(place, None)
    moved = (replace(b, rank=rank) for rank, b in enumerate(order, 1) if b and b.rank != rank)
    return place + 1, tuple(moved)


def members_now(given: Iterable[Binding], today: date) -> frozenset[UUID]:
    """The people a donor is bound to now, of the bindings the donor gave."""
    return frozenset(
        b.beneficiary_id
        for b in given
        if b.state in LIVING and (b.effective_to is None or b.effective_to >= today)
    )


def members_ever(given: Iterable[Binding]) -> frozenset[UUID]:
    """The people a donor was ever bound to, and those who wait for review; an application that was
    rejected or withdrawn is none.
    """
    return frozenset(b.beneficiary_id for b in given if b.approved or b.state in LIVING)


def next_state(state: BindingState, event: BindingEvent) -> BindingState:
    """The state after an event; BindingNotPending or BindingNotActive when it is not allowed."""
    after = STATES.get((state, event))
    if after is not None:
        return after
    if event in (BindingEvent.APPROVE, BindingEvent.REJECT):
        raise BindingNotPending(state=state, state_zh=BINDING_STATE_ZH[state])
    raise _not_active(state)


def _not_active(state: BindingState) -> BindingNotActive:
    return BindingNotActive(state=state, state_zh=BINDING_STATE_ZH[state])


def state_on(binding: Binding, today: date) -> BindingState:
    """Where a binding stands today: over after its last day, also while its state has not
    followed yet.
    """
    last_day = binding.effective_to
    if binding.state not in LIVING or last_day is None or today <= last_day:
        return binding.state
    return BindingState.EXPIRED if binding.ended_on is None else BindingState.ENDED


def first_unbinding_day(binding: Binding, policy: Policy) -> date:
    """The first day on which either side may end the binding (a lock after binding)."""
    return policy.unbinding_lock.after(day_of(binding.bound_at))


def after(binding: Binding, event: BindingEvent) -> Binding:
    """The binding after an event; BindingNotPending or BindingNotActive when it is not allowed."""
    approved = binding.approved or event is BindingEvent.APPROVE
    return replace(binding, state=next_state(binding.state, event), approved=approved)


def ended_by_side(binding: Binding, policy: Policy, today: date) -> Binding:
    """The binding as one of its two people, or a clerk for one, ends it today.

    It ends at once, or after today where the policy says so: then it lives until that day is over.
    UnbindingLocked while locked; an application that waits for review can always be withdrawn.
    """
    ended = after(binding, BindingEvent.END)
    if binding.state is BindingState.PENDING_REVIEW:
        return replace(ended, ended_on=today)
    check_goes_on(binding, today)
    check_unlocked(binding, policy, today)
    if policy.unbinding_effect is UnbindingEffect.NEXT_DAY and binding.effective_from <= today:
        return replace(binding, ended_on=today, effective_to=today)
    return replace(ended, ended_on=today)


def revoked(binding: Binding, today: date) -> Binding:
    """The binding as the agency or a reviewer ends it: at once, whatever the lock."""
    ended = after(binding, BindingEvent.END)
    if binding.state is not BindingState.PENDING_REVIEW:
        _check_not_over(binding, today)
    return replace(ended, ended_on=today)


def check_goes_on(binding: Binding, today: date) -> None:
    """BindingNotActive for a binding that is over or whose end is ordered."""
    _check_not_over(binding, today)
    if binding.ended_on is not None:
        raise _not_active(BindingState.ENDED)


def _check_not_over(binding: Binding, today: date) -> None:
    state = state_on(binding, today)
    if state not in LIVING:
        raise _not_active(state)


def check_unlocked(binding: Binding, policy: Policy, today: date) -> None:
    """UnbindingLocked before the first day on which a side may end the binding."""
    earliest = first_unbinding_day(binding, policy)
    if today < earliest:
        raise UnbindingLocked(earliest_date=earliest.isoformat())
