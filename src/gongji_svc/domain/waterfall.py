"""Whose money pays: the own accounts, then the donors in the policy's order, then cash.

Rule: every donor gets an answer, what was taken or why nothing was; the order is total (finally by
binding id), so a preview and the settlement pick the same donors. Several caps may apply: the one
with the smallest rest wins.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from gongji_svc.domain.binding import Binding
from gongji_svc.domain.errors import ChosenBindingNotUsable, OrderFixedByPolicy
from gongji_svc.domain.person import Account, Enrolment, Person
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.policy_values import NO_CAPS, Caps
from gongji_svc.domain.terms import AccountKind, AccountOwner, Order, OwnZeroRule
from gongji_svc.domain.usability import Obstacle, Shareable, Why, shareable
from gongji_svc.domain.wording import fixed_order_zh


@dataclass(frozen=True, slots=True)
class Used:
    """What has been used of limits in the day, month and year of the settlement, in fen."""

    day_fen: int = 0
    month_fen: int = 0
    year_fen: int = 0


NOTHING_USED = Used()


@dataclass(frozen=True, slots=True)
class Donor:
    """A donor as gathered under lock.

    `policy` is the donor's region's; `enrolment` the donor's there. `used` counts this binding,
    `household_used` all bindings of the donor; both already without the holds that the settlement
    names.
    """

    binding: Binding
    person: Person
    enrolment: Enrolment | None
    policy: Policy
    accounts: Sequence[Account]
    used: Used = NOTHING_USED
    household_used: Used = NOTHING_USED

    @property
    def region(self) -> str:
        return self.policy.region if self.enrolment is None else self.enrolment.region


@dataclass(frozen=True, slots=True)
class Leg:
    """Money of one account in a settlement; `from_hold_fen` of it was held for it."""

    owner: AccountOwner
    account_id: UUID
    account_kind: AccountKind
    person_id: UUID
    region: str
    amount_fen: int
    binding_id: UUID | None = None
    from_hold_fen: int = 0


def sums_of_legs(legs: Sequence[Leg]) -> tuple[int, int]:
    """What all accounts paid, and what of it the donors' did; fen."""
    paid_fen = sum([leg.amount_fen for leg in legs])
    donated_fen = sum([leg.amount_fen for leg in legs if leg.owner is AccountOwner.DONOR])
    return paid_fen, donated_fen


@dataclass(frozen=True, slots=True)
class DonorOutcome:
    """What became of one donor, in the order asked; `limited_by` names the cap that bound.

    `why` None: paid without a bound. `until` and `rule` are the obstacle's.
    """

    binding_id: UUID
    region: str
    shareable_fen: int
    taken_fen: int
    why: Why | None = None
    limited_by: str = ""
    until: date | None = None
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Flow:
    """Where the money came from; own_fen + donors_fen + cash_fen = what was asked, in fen."""

    own_fen: int
    donors_fen: int
    legs: tuple[Leg, ...]
    outcomes: tuple[DonorOutcome, ...]


@dataclass(slots=True)
class _Candidate:
    """A donor on the way: ranked, then asked."""

    donor: Donor
    obstacle: Obstacle | None
    share: Shareable


def own_legs(accounts: Sequence[Account], policy: Policy, need_fen: int) -> list[Leg]:
    """Take from the own accounts in the order of the patient's policy."""
    return list(_take(accounts, policy.own_account_kinds, need_fen, None))


def donor_legs(
    accounts: Sequence[Account], policy: Policy, need_fen: int, binding_id: UUID | None
) -> list[Leg]:
    """Take from a donor's accounts in the order of the donor's policy."""
    return list(_take(accounts, policy.donor_account_kinds, need_fen, binding_id))


def pour(
    need_fen: int,
    own: Sequence[Account],
    donors: Sequence[Donor],
    policy: Policy,
    patient_region: str,
    obstacles: Mapping[UUID, Obstacle],
    chosen_binding_id: UUID | None = None,
) -> Flow:
    """Pay `need_fen` from the own accounts, then from the donors; `policy` is the patient's.

    `obstacles` names by binding id why a donor may not pay at all.
    """
    legs = own_legs(own, policy, need_fen)
    own_fen = sum([leg.amount_fen for leg in legs])
    if not donors:
        _check_chosen(chosen_binding_id, (), policy)
        return Flow(own_fen, 0, tuple(legs), ())
    candidates = [_candidate(donor, obstacles.get(donor.binding.binding_id)) for donor in donors]
    _check_chosen(chosen_binding_id, candidates, policy)
    if policy.own_zero_rule is OwnZeroRule.STRICT and own_fen > 0:
        _stop(candidates, Obstacle(Why.OWN_NOT_ZERO, rule="own_zero_rule"))
    outcomes: list[DonorOutcome] = []
    left = need_fen - own_fen
    single_taken = False
    for candidate in ordered(candidates, policy, patient_region):
        if single_taken and candidate.obstacle is None:
            candidate.obstacle = Obstacle(Why.NOT_THE_SINGLE_DONOR, rule="single_donor")
        outcome, taken = _ask(candidate, left, policy, chosen_binding_id)
        outcomes.append(outcome)
        legs.extend(taken)
        left -= outcome.taken_fen
        single_taken = single_taken or (policy.single_donor and _eligible(outcome))
    return Flow(own_fen, need_fen - own_fen - left, tuple(legs), tuple(outcomes))


def _candidate(donor: Donor, obstacle: Obstacle | None) -> _Candidate:
    return _Candidate(donor, obstacle, shareable(donor.accounts, donor.policy))


def _stop(candidates: Sequence[_Candidate], obstacle: Obstacle) -> None:
    for candidate in candidates:
        candidate.obstacle = candidate.obstacle or obstacle


def _eligible(outcome: DonorOutcome) -> bool:
    """A donor who could pay takes the single place, even if nothing was left to pay."""
    return outcome.taken_fen > 0 or outcome.why is Why.NOT_NEEDED


def _check_chosen(chosen: UUID | None, candidates: Sequence[_Candidate], policy: Policy) -> None:
    if chosen is None:
        return
    if policy.order is not Order.EXPLICIT_DONOR:
        raise OrderFixedByPolicy(order=policy.order, order_zh=fixed_order_zh(policy.order))
    for candidate in candidates:
        if candidate.donor.binding.binding_id == chosen:
            if candidate.obstacle is None and candidate.share.why is None:
                return
            break
    raise ChosenBindingNotUsable()


def ordered(
    candidates: Sequence[_Candidate], policy: Policy, patient_region: str
) -> list[_Candidate]:
    """The candidates in the policy's order; equal ones by binding id."""
    ranked = sorted(candidates, key=lambda c: c.donor.binding.binding_id)
    if policy.order is Order.USER_PRIORITY:
        ranked.sort(key=lambda c: (c.donor.binding.rank, c.donor.binding.bound_at))
    elif policy.order is Order.BINDING_TIME_ASC:
        ranked.sort(key=lambda c: c.donor.binding.bound_at)
    elif policy.order is Order.BINDING_TIME_DESC:
        ranked.sort(key=lambda c: c.donor.binding.bound_at, reverse=True)
    elif policy.order is Order.BALANCE_DESC_THEN_NAME:
        ranked.sort(key=lambda c: (-c.share.amount_fen, c.donor.person.name))
    if policy.same_pool_first:
        ranked.sort(key=lambda c: c.donor.region != patient_region)
    return ranked


def _ask(
    candidate: _Candidate, left_fen: int, policy: Policy, chosen: UUID | None
) -> tuple[DonorOutcome, list[Leg]]:
    """Take what is still needed from one donor, or say why not."""
    donor, share = candidate.donor, candidate.share
    binding_id = donor.binding.binding_id
    obstacle = candidate.obstacle
    if obstacle is None and policy.order is Order.EXPLICIT_DONOR and binding_id != chosen:
        obstacle = Obstacle(Why.NOT_CHOSEN, rule="order")
    if obstacle is None and share.why is not None:
        obstacle = Obstacle(share.why, rule=_RULE_BEHIND.get(share.why, ""))
    limit_fen, limited_by = (0, "") if obstacle is not None else smallest_limit(donor)
    if obstacle is None and limit_fen == 0:
        obstacle = Obstacle(Why.LIMIT_REACHED, rule=limited_by)
    if obstacle is None and left_fen == 0:
        obstacle = Obstacle(Why.NOT_NEEDED)
    if obstacle is not None:
        return DonorOutcome(binding_id, donor.region, share.amount_fen, 0, obstacle.why,
                            limited_by, obstacle.until, obstacle.rule), []  # fmt: skip
    want = min(left_fen, share.amount_fen)
    bound = limit_fen is not None and limit_fen < want
    taken = limit_fen if bound and limit_fen is not None else want
    legs = list(_take(donor.accounts, donor.policy.donor_account_kinds, taken, binding_id))
    why = Why.LIMIT_REACHED if bound else None
    return DonorOutcome(binding_id, donor.region, share.amount_fen, taken, why,
                        limited_by if bound else ""), legs  # fmt: skip


_RULE_BEHIND = {
    Why.NO_ACCOUNT: "donor_account_kinds",
    Why.BELOW_THRESHOLD: "threshold_fen",
    Why.BELOW_RESERVE: "reserve_fen",
}


def _take(
    accounts: Sequence[Account],
    kinds: Sequence[AccountKind],
    amount_fen: int,
    binding_id: UUID | None,
) -> Iterator[Leg]:
    """Take an amount from the accounts in the order of their kinds."""
    owner = AccountOwner.SELF if binding_id is None else AccountOwner.DONOR
    for kind in kinds:
        for account in accounts:
            if amount_fen == 0:
                return
            if account.kind is not kind:
                continue
            part = min(amount_fen, account.spendable_fen)
            if part > 0:
                amount_fen -= part
                held = min(part, account.named_hold_fen)
                yield Leg(owner, account.account_id, kind, account.person_id, account.region,
                          part, binding_id, held)  # fmt: skip


def smallest_limit(donor: Donor) -> tuple[int | None, str]:
    """What the limits and caps still allow, and which one is the tightest; None: no limit."""
    smallest: int | None = None
    name = ""
    for prefix, caps, used in (
        ("limits", donor.binding.limits, donor.used),
        ("member_caps", donor.policy.member_caps, donor.used),
        ("household_caps", donor.policy.household_caps, donor.household_used),
    ):
        if caps is NO_CAPS:
            continue
        for field, cap, spent in _caps(caps, used):
            if cap is None:
                continue
            rest = max(0, cap - spent)
            if smallest is None or rest < smallest:
                smallest, name = rest, f"{prefix}.{field}"
    return smallest, name


def _caps(caps: Caps, used: Used) -> tuple[tuple[str, int | None, int], ...]:
    return (
        ("per_settlement_fen", caps.per_settlement_fen, 0),
        ("per_day_fen", caps.per_day_fen, used.day_fen),
        ("per_month_fen", caps.per_month_fen, used.month_fen),
        ("per_year_fen", caps.per_year_fen, used.year_fen),
    )
