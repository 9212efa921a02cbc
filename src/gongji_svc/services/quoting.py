"""QuotePremium: what a year costs somebody and why, until when, and who could pay it.

Rule: asked of what PayPremium would gather, so who is shown as able to pay is who can. A donor who
asks is told of no other donor, and nothing at all before the binding is approved; how much is in an
account is told to nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from gongji.v1 import payment_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.explanation import obstacle_advised
from gongji_svc.domain.masking import masked_name
from gongji_svc.domain.payment import benefit_from
from gongji_svc.domain.person import Person
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.policy_values import Window
from gongji_svc.domain.premium_payer import Due, Hindrance
from gongji_svc.domain.premium_refund import refund_until
from gongji_svc.domain.premium_standing import waiting
from gongji_svc.domain.premium_steps import premium_steps
from gongji_svc.domain.usability import Obstacle
from gongji_svc.services.asked import Asked, AskedCommand
from gongji_svc.services.binding_view import policy_ref, policy_text
from gongji_svc.services.days import date_of
from gongji_svc.services.looking import looked
from gongji_svc.services.office import Office
from gongji_svc.services.premium_case import (
    considered,
    due_of,
    insurance_in,
    lets_see,
    living_bindings,
)
from gongji_svc.services.reach import reaches
from gongji_svc.storage import people
from gongji_svc.storage.bindings import Kept
from gongji_svc.storage.ids import parse_id
from gongji_svc.storage.state import Decision, Keys, Lookups, State, Wanted


@dataclass(slots=True)
class QuotePremium(AskedCommand):
    """A question about somebody's premium; only ever previewed, for it writes nothing."""

    beneficiary_id: UUID

    def lookups(self) -> Lookups:
        """Nothing: the beneficiary is named by id."""
        return Lookups()

    def keys(self, state: State) -> Keys:  # noqa: ARG002 - the engine's shape
        """The beneficiary with bindings, and what was paid before; nothing is claimed."""
        return Keys(persons=(self.beneficiary_id,), premiums_of=(self.beneficiary_id,))

    def discover(self, state: State) -> Wanted:
        """The donors, with the accounts of all."""
        donors = {kept.binding.donor_id for kept in living_bindings(state, self.beneficiary_id)}
        return Wanted(accounts_of=(self.beneficiary_id, *donors), persons=tuple(donors))

    def decide(self, state: State) -> Decision:
        """The answer as this caller may see it; AccessDenied for who has no part in it."""
        person = people.person(state, self.office.sealer, self.beneficiary_id)
        if person is None:
            raise errors.AccessDenied
        donors = self._donors(state, person)
        message = self.asked.message
        due = due_of(self.office, state, person, insurance_in(message), message.year)
        payers = [_payer(self.office, state, due, donor, bindings) for donor, bindings in donors]
        return Decision(_answer(due, payers).SerializeToString())

    def _donors(self, state: State, person: Person) -> Sequence[tuple[Person, Sequence[Kept]]]:
        """The donors whom the caller may be told of, in the deduction order, with their bindings;
        all for the beneficiary's side.
        """
        caller, today = self.asked.caller, self.office.today()
        bound: dict[UUID, list[Kept]] = {}
        living = living_bindings(state, person.person_id)
        for kept in sorted(living, key=lambda one: (one.binding.rank, one.binding.binding_id)):
            bound.setdefault(kept.binding.donor_id, []).append(kept)
        donors = [
            (donor, bindings)
            for donor_id, bindings in bound.items()
            if (donor := people.person(state, self.office.sealer, donor_id)) is not None
        ]
        if reaches(caller, person, today):
            return donors
        own = [
            (donor, seen)
            for donor, bindings in donors
            if reaches(caller, donor, today)
            and (seen := [one for one in bindings if lets_see(one, today)])
        ]
        if not own:
            raise errors.AccessDenied
        return own


def _payer(
    office: Office, state: State, due: Due, donor: Person, bindings: Sequence[Kept]
) -> pb.PremiumPayer:
    found = considered(office, state, due, donor, bindings)
    binding = found.payer.binding or bindings[0].binding
    return pb.PremiumPayer(
        donor_id=str(donor.person_id),
        donor_name=masked_name(donor.name),
        binding_id=str(binding.binding_id),
        can_pay=not found.hindrances,
        obstacles=dict.fromkeys(_text(one) for one in found.hindrances),
    )


def _text(hindrance: Hindrance) -> str:
    if isinstance(hindrance, Obstacle):
        return obstacle_advised(hindrance)
    return hindrance.message_zh


def _answer(due: Due, payers: Sequence[pb.PremiumPayer]) -> pb.QuotePremiumResponse:
    policy, quoted, today = due.policy, due.quoted, due.day
    waits = None if quoted.is_over(today) else waiting(policy, quoted, due.person, today)
    begins = benefit_from(quoted.year, 0) if waits is None else waits.benefit_from
    until = refund_until(policy, quoted.year, begins)
    return pb.QuotePremiumResponse(
        standard_fen=quoted.standard_fen,
        subsidy_fen=quoted.subsidy_fen,
        payable_fen=quoted.payable_fen,
        why=[
            pb.PremiumStep(
                rule=step.rule, text=step.text, amount_fen=step.amount_fen, source=step.source
            )
            for step in premium_steps(due, waits)
        ],
        window=_window(quoted.window),
        in_window=today in quoted.window,
        payers=payers,
        wait_months=0 if waits is None else waits.months,
        benefit_from=date_of(None if waits is None else waits.benefit_from),
        group=quoted.group or "",
        late=quoted.late,
        carried_forward=quoted.carried_forward,
        paid=due.paid,
        maintenance=_maintenance(policy, due),
        refund_until=date_of(until if until is not None and today <= until else None),
        policy=policy_ref(policy_text(policy)),
    )


def _maintenance(policy: Policy, due: Due) -> pb.PremiumMaintenance | None:
    window = policy.premium_maintenance
    if window is None or due.day not in window:
        return None
    channels = policy.premium_other_channels
    return pb.PremiumMaintenance(window=_window(window), other_channels=channels)


def _window(window: Window) -> pb.PremiumWindow:
    shown = pb.PremiumWindow(to=date_of(window.to))
    getattr(shown, "from").CopyFrom(date_of(window.from_))
    return shown


def read_quote(office: Office, asked: Asked) -> QuotePremium:
    """The question in a QuotePremiumRequest; AccessDenied for an id that nobody can have."""
    beneficiary_id = parse_id(asked.message.beneficiary_id)
    if beneficiary_id is None:
        raise errors.AccessDenied
    return QuotePremium(office, asked, beneficiary_id)


quote_premium = looked("PaymentService", "QuotePremium", read_quote)
