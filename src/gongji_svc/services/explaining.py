"""ExplainUsability: "bound, yet no money", every reason apart (NAT-07).

Rule: the questions are the till's own, asked of a donor as a settlement of today would gather one,
so the explanation and the till never differ. Why an account gives nothing is told, how much is in
it never. Two people without a binding are one answer, whether or not the other one exists.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from gongji.v1 import binding_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.binding import LIVING, Binding, EndCause, state_on
from gongji_svc.domain.calendar import day_of, first_of_next_month
from gongji_svc.domain.errors import PolicyNotInForce, RegionNotServed
from gongji_svc.domain.explanation import obstacle_advised, over_advised
from gongji_svc.domain.masking import masked_name
from gongji_svc.domain.person import Enrolment, Person
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.premium_standing import is_registered
from gongji_svc.domain.terms import Insurance, OwnZeroRule, Use
from gongji_svc.domain.usability import Obstacle, Why, binding_obstacles, obstacles, shareable
from gongji_svc.domain.waterfall import Donor, own_legs, smallest_limit
from gongji_svc.services import till
from gongji_svc.services.asked import Asked, AskedCommand
from gongji_svc.services.bills import donors_of as donors_at_till
from gongji_svc.services.binding_access import sides
from gongji_svc.services.days import date_of
from gongji_svc.services.looking import looked
from gongji_svc.services.names import enum_name, enum_number
from gongji_svc.services.office import Office
from gongji_svc.services.premium_case import is_mended
from gongji_svc.services.reach import reaches
from gongji_svc.storage import people
from gongji_svc.storage.accounts import accounts_of
from gongji_svc.storage.binding_reads import Choice, list_bindings, read_binding
from gongji_svc.storage.bindings import Kept
from gongji_svc.storage.ids import parse_id
from gongji_svc.storage.person_reads import read_people
from gongji_svc.storage.state import Decision, Keys, Lookups, State, Wanted

_OVER = (Why.REJECTED, Why.ENDED, Why.EXPIRED)
_MOST = 10_000  # the bindings one person ever had; the answer has no pages


@dataclass(slots=True)
class Explain(AskedCommand):
    """A question about bindings; only ever previewed, for it writes nothing."""

    found: Sequence[Kept]

    def lookups(self) -> Lookups:
        """Nothing: the bindings were found."""
        return Lookups()

    def keys(self, state: State) -> Keys:  # noqa: ARG002 - the engine's shape
        """Nothing is claimed and nobody is locked."""
        return Keys()

    def discover(self, state: State) -> Wanted:  # noqa: ARG002 - the engine's shape
        """The people with their accounts, and what the limits count."""
        bindings = [kept.binding for kept in self.found]
        donors = {binding.donor_id for binding in bindings}
        both = (*donors, *{binding.beneficiary_id for binding in bindings})
        year = date(self.office.today().year, 1, 1)
        counted = (*donors, *(binding.binding_id for binding in bindings))
        return Wanted(
            accounts_of=both,
            persons=both,
            counters=tuple((subject, year) for subject in counted),
        )

    def decide(self, state: State) -> Decision:
        """An entry a donor and beneficiary, in the deduction order; what is over comes last."""
        mended = frozenset(kept.binding.binding_id for kept in self.found if is_mended(kept))
        look = _Look(self.office, state, _use_in(self.asked.message), day_of(state.now), mended)
        by_id = {kept.binding.binding_id: kept for kept in self.found}
        bindings = [kept.binding for kept in self.found]
        explained = [look.best(between) for between in _by_pair(bindings)]
        explained.sort(key=lambda one: _place(one[0]))
        answer = pb.ExplainUsabilityResponse(
            usabilities=[look.message(by_id[one.binding_id], found) for one, found in explained]
        )
        message = self.asked.message
        if not explained and message.donor_id and message.beneficiary_id:
            answer.usabilities.append(_unbound(message))
        return Decision(answer.SerializeToString())


@dataclass(frozen=True, slots=True)
class _Look:
    """What was gathered, looked at for one use on one day; a premium mends what `mended` bindings
    are suspended for.
    """

    office: Office
    state: State
    use: Use
    today: date
    mended: frozenset[UUID]

    def best(self, between: Sequence[Binding]) -> tuple[Binding, list[Obstacle]]:
        """The binding of two people that is nearest to being usable, and what stops it."""
        found = ((one, self._obstacles(one)) for one in _current(between, self.today))
        return min(found, key=lambda one: len(one[1]))

    def message(self, kept: Kept, found: Sequence[Obstacle]) -> pb.Usability:
        """An entry of the answer."""
        binding = kept.binding
        return pb.Usability(
            binding_id=str(binding.binding_id),
            donor_id=str(binding.donor_id),
            donor_name=masked_name(self._person(binding.donor_id).name),
            beneficiary_id=str(binding.beneficiary_id),
            usable=not found,
            obstacles=[_message(obstacle, self._text(obstacle, kept)) for obstacle in found],
            earliest_change_on=date_of(min((o.until for o in found if o.until), default=None)),
        )

    def _text(self, obstacle: Obstacle, kept: Kept) -> str:
        """What an obstacle means; of a binding that is over also why and by whom."""
        if obstacle.why not in _OVER:
            return obstacle_advised(obstacle)
        binding, cause, reason = kept.binding, None, ""
        if obstacle.why is Why.REJECTED:
            reason = kept.review.get("reason", "")
        elif obstacle.why is Why.ENDED and kept.ending:
            cause = EndCause(kept.ending["cause"])
            reason = kept.ending["reason"] if cause is EndCause.REVOKED else ""
        both = (self._person(binding.donor_id), self._person(binding.beneficiary_id))
        died = any(person.died_on is not None for person in both)
        return over_advised(obstacle.why, cause, reason, approved=binding.approved, died=died)

    def _person(self, person_id: UUID) -> Person:
        person = people.person(self.state, self.office.sealer, person_id)
        assert person is not None  # noqa: S101 - whoever has a binding stays registered
        return person

    def _obstacles(self, binding: Binding) -> list[Obstacle]:
        """Every reason once, for the beneficiary's enrolment that has the fewest; of a binding that
        is over, only that it is.
        """
        if state_on(binding, self.today) not in LIVING:
            return list(binding_obstacles(binding, self.use, self.today))
        donor = self._donor(binding, self.today)
        if donor is None:  # insured where no rules hold
            nowhere = Obstacle(Why.DONOR_NOT_INSURED)
            return [*binding_obstacles(binding, self.use, self.today), nowhere]
        beneficiary = self._person(binding.beneficiary_id)
        found = (self._with(donor, beneficiary, one) for one in self._enrolments(beneficiary))
        return min((list({o.why: o for o in each}.values()) for each in found), key=len)

    def _donor(self, binding: Binding, day: date) -> Donor | None:
        """The donor as a till gathers one for a purchase of that day."""
        return next(donors_at_till(self.office, self.state, (binding,), day, self.today), None)

    def _enrolments(self, person: Person) -> Sequence[Enrolment | None]:
        """Those a settlement can use, else those that tell best why none is; for a premium those
        for which one can be paid.
        """
        if self.use is Use.PREMIUM:
            return [one for one in person.enrolments if self._takes_premium(one)] or [None]
        usable = till.usable_enrolments(person, self.office.rulebook, self.today)
        long_term = Insurance.LONG_TERM_CARE
        return usable or [e for e in person.enrolments if e.insurance is not long_term] or [None]

    def _takes_premium(self, enrolment: Enrolment) -> bool:
        policy = self._policy_of(enrolment)
        offered = policy is not None and enrolment.insurance in policy.premium_insurances
        return offered and is_registered(enrolment, self.today)

    def _policy_of(self, enrolment: Enrolment) -> Policy | None:
        """The rules that decide for the beneficiary, of premiums if these are asked for."""
        rules = self.office.premium_policy if self.use is Use.PREMIUM else self.office.policy
        try:
            return rules(enrolment.region, self.today)
        except (PolicyNotInForce, RegionNotServed):
            return None

    def _with(
        self, donor: Donor, beneficiary: Person, enrolment: Enrolment | None
    ) -> Iterator[Obstacle]:
        mended = self.use is Use.PREMIUM and donor.binding.binding_id in self.mended
        found = obstacles(
            donor.binding,
            donor.person,
            donor.enrolment,
            beneficiary,
            enrolment,
            donor.policy,
            self.use,
            self.today,
        )
        yield from (one for one in found if not (mended and one.why is Why.SUSPENDED))
        if enrolment is not None and self._policy_of(enrolment) is None:
            yield Obstacle(Why.BENEFICIARY_OUT_OF_AREA)  # where no rules hold, nothing is settled
        share = shareable(donor.accounts, donor.policy)
        if share.why is not None:
            yield Obstacle(share.why)
        if self.use is Use.MEDICAL and smallest_limit(donor)[0] == 0:
            yield Obstacle(Why.LIMIT_REACHED, self._counted_anew(donor.binding))
        if enrolment is not None and self._own_bars(beneficiary, enrolment):
            yield Obstacle(Why.OWN_NOT_ZERO, rule="own_zero_rule")

    def _counted_anew(self, binding: Binding) -> date | None:
        """The first day on which no limit is used up any more; None: a limit allows nothing."""
        tomorrow, next_year = self.today + timedelta(days=1), date(self.today.year + 1, 1, 1)
        for day in (tomorrow, first_of_next_month(self.today), next_year):
            donor = self._donor(binding, day)
            if donor is not None and smallest_limit(donor)[0] != 0:
                return day
        return None

    def _own_bars(self, beneficiary: Person, enrolment: Enrolment) -> bool:
        """Whether the beneficiary's own money must be used up beforehand, and is not."""
        policy = self._policy_of(enrolment)
        if policy is None:
            return False
        accounts = accounts_of(self.state, beneficiary.person_id)
        if self.use is Use.PREMIUM:
            strict = policy.premium_own_zero_rule is OwnZeroRule.STRICT
            return strict and any(account.balance_fen for account in accounts)
        strict = policy.own_zero_rule is OwnZeroRule.STRICT
        return strict and bool(own_legs(accounts, policy, need_fen=1))


def _by_pair(bindings: Iterable[Binding]) -> Iterable[list[Binding]]:
    pairs: dict[tuple[UUID, UUID], list[Binding]] = {}
    for binding in bindings:
        pairs.setdefault((binding.donor_id, binding.beneficiary_id), []).append(binding)
    return pairs.values()


def _current(between: Sequence[Binding], today: date) -> Sequence[Binding]:
    """The living bindings of two people, the first to begin first; else the latest one."""
    living = [
        b
        for b in between
        if b.state in LIVING and (b.effective_to is None or today <= b.effective_to)
    ]
    latest = max(between, key=lambda b: b.bound_at)
    return sorted(living, key=lambda b: b.effective_from) or [latest]


def _place(binding: Binding) -> tuple[object, ...]:
    over = binding.state not in LIVING
    return over, binding.rank, binding.bound_at, binding.binding_id


def _message(obstacle: Obstacle, text: str) -> pb.UsabilityObstacle:
    return pb.UsabilityObstacle(
        reason=enum_number(pb.UsabilityReason, obstacle.why),
        text=text,
        until=date_of(obstacle.until),
    )


def _unbound(message: pb.ExplainUsabilityRequest) -> pb.Usability:
    unbound = Obstacle(Why.NO_BINDING)
    return pb.Usability(
        donor_id=message.donor_id,
        beneficiary_id=message.beneficiary_id,
        obstacles=[_message(unbound, obstacle_advised(unbound))],
    )


def _use_in(message: pb.ExplainUsabilityRequest) -> Use:
    return Use(enum_name(types_pb2.Use, message.use)) if message.use else Use.MEDICAL


def read_explain(office: Office, asked: Asked) -> Explain:
    """The question in a request; AccessDenied for whoever may not ask it."""
    found = _named(office, asked) if asked.message.binding_id else _between(office, asked)
    return Explain(office, asked, found)


def _named(office: Office, asked: Asked) -> Sequence[Kept]:
    """The binding with the id, for who acts for one of its two people; whoever is named beside it
    must be of it.
    """
    caller, today = asked.caller, office.today()
    binding_id = parse_id(asked.message.binding_id)
    with office.database.reader() as tx:
        kept = None if binding_id is None else read_binding(tx, binding_id)
        if kept is None:
            raise errors.AccessDenied
        pair = (kept.binding.donor_id, kept.binding.beneficiary_id)
        texts = (asked.message.donor_id, asked.message.beneficiary_id)
        if any(text and parse_id(text) != one for text, one in zip(texts, pair, strict=True)):
            raise errors.AccessDenied
        known = read_people(tx, pair, office.sealer)
    donor, beneficiary = (known[person_id] for person_id in pair)
    if not sides(caller, kept, donor, beneficiary, today):
        raise errors.AccessDenied
    return [kept]


def _between(office: Office, asked: Asked) -> Sequence[Kept]:
    """The bindings of the people named, one of whom the caller reaches."""
    message, today = asked.message, office.today()
    texts = [text for text in (message.donor_id, message.beneficiary_id) if text]
    named = [found for found in map(parse_id, texts) if found is not None]
    with office.database.reader() as tx:
        known = read_people(tx, named, office.sealer).values()
        if not any(reaches(asked.caller, person, today) for person in known):
            raise errors.AccessDenied
        if len(named) < len(texts):  # an id that nobody can have
            return []
        choice = Choice(parse_id(message.donor_id), parse_id(message.beneficiary_id))
        return list_bindings(tx, choice, None, _MOST)


explain_usability = looked("BindingService", "ExplainUsability", read_explain)
