"""A premium and who could pay it, from what a command gathered.

Rule: QuotePremium and PayPremium look at the same gathered facts with the same questions
(domain/premium_payer.py); only living bindings are looked at, and by them no donor is let see
anything of the beneficiary before they are approved.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from gongji.v1 import types_pb2
from gongji_svc.domain.binding import LIVING, BindingState, state_on
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.eligibility import leading_enrolment
from gongji_svc.domain.payment import quote
from gongji_svc.domain.person import Person
from gongji_svc.domain.premium_payer import Due, Hindrance, Payer, due_hindrances, payer_hindrances
from gongji_svc.domain.premium_standing import deciding_region, is_paid, registration
from gongji_svc.domain.premium_state import LIVE
from gongji_svc.domain.terms import Insurance
from gongji_svc.domain.usability import Why
from gongji_svc.services.names import enum_name
from gongji_svc.services.office import Office
from gongji_svc.storage.accounts import accounts_of
from gongji_svc.storage.bindings import Kept, kept_from
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.premiums import premiums_in
from gongji_svc.storage.state import State

_SEEING = frozenset({BindingState.ACTIVE, BindingState.SUSPENDED})
_MENDED = (Why.BENEFICIARY_NOT_INSURED.value,)  # what a premium mends of a suspended binding


@dataclass(frozen=True, slots=True)
class Considered:
    """A donor as payer, and what stands in the way, whoever pays and for this donor."""

    payer: Payer
    of_due: Sequence[Hindrance]
    of_payer: Sequence[Hindrance]

    @property
    def hindrances(self) -> Sequence[Hindrance]:
        """All of it, in the order in which it is asked."""
        return (*self.of_due, *self.of_payer)


def insurance_in(message: Any) -> Insurance:
    """The insurance a request names."""
    return Insurance(enum_name(types_pb2.Insurance, message.insurance))


def due_of(office: Office, state: State, person: Person, insurance: Insurance, year: int) -> Due:
    """The premium as it stands; PremiumNotOffered, or a Refusal where no rules hold."""
    today = day_of(state.now)
    region = deciding_region(person, insurance, today, region_of(person.person_id))
    policy = office.premium_policy(region, today)
    here = premiums_in(state, person.person_id)
    live = any(one.state in LIVE and (one.year, one.insurance) == (year, insurance) for one in here)
    return Due(
        person=person,
        region=region,
        enrolment=registration(person, insurance, today),
        accounts=accounts_of(state, person.person_id),
        policy=policy,
        quoted=quote(policy, insurance, year, person.identities, today),
        paid=live or is_paid(person, insurance, year),
        day=today,
    )


def living_bindings(state: State, beneficiary_id: UUID) -> Sequence[Kept]:
    """The gathered bindings that others have with somebody and that are not over."""
    kept = (kept_from(row) for row in state.bindings_of[beneficiary_id].values())
    return [one for one in kept if one.binding.state in LIVING]


def lets_see(kept: Kept, today: date) -> bool:
    """Whether the donor of a binding may be told of the beneficiary: it was approved and is not
    over.
    """
    return kept.binding.approved and state_on(kept.binding, today) in _SEEING


def is_mended(kept: Kept) -> bool:
    """Whether a binding is suspended for nothing but what a premium mends: the beneficiary is not
    insured any more.
    """
    suspended = kept.binding.state is BindingState.SUSPENDED
    return suspended and tuple(kept.suspended_for) == _MENDED


def considered(
    office: Office, state: State, due: Due, donor: Person, bindings: Sequence[Kept]
) -> Considered:
    """The donor with whichever of the `bindings` has least in its way; without one only where the
    region asks for none.
    """
    of_due = list(due_hindrances(due))
    under: list[Kept | None] = [
        *sorted(bindings, key=lambda one: (one.binding.effective_from, one.binding.binding_id))
    ]
    if not under or not due.policy.premium_binding_required:
        under.append(None)
    payers = [_payer(office, state, donor, one, due.day) for one in under]
    found = [Considered(one, of_due, list(payer_hindrances(due, one))) for one in payers]
    return min(found, key=lambda one: len(one.of_payer))


def _payer(office: Office, state: State, donor: Person, kept: Kept | None, today: date) -> Payer:
    enrolment = leading_enrolment(donor, today)
    region = region_of(donor.person_id) if enrolment is None else enrolment.region
    return Payer(
        person=donor,
        binding=None if kept is None else kept.binding,
        enrolment=enrolment,
        policy=office.find_policy(region, today),
        accounts=accounts_of(state, donor.person_id),
        mends=kept is not None and is_mended(kept),
    )
