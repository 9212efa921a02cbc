"""PayPremium: a donor's order becomes a debit and a payment on its way to the tax authority.

Rule: checks come in the order of what they reveal: who orders; whether there is an approved binding
that lives, without which everybody is a stranger; the region's offer, the beneficiary's standing,
the price that was seen, then the donor. Debit, payment and what the tax authority is to hear are
one decision, and the beneficiary is locked, so of two donors one pays. The day of the order decides
(PRE-04).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from gongji.v1 import payment_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Role
from gongji_svc.domain.calendar import day_of, start_of
from gongji_svc.domain.journal import Journal
from gongji_svc.domain.money import yuan
from gongji_svc.domain.notice import NoticeKind
from gongji_svc.domain.payment import hand_over_day
from gongji_svc.domain.person import Person
from gongji_svc.domain.premium_journal import PremiumLeg, PremiumOf, premium_journal
from gongji_svc.domain.premium_payer import Due, Hindrance, Payer, is_of_binding
from gongji_svc.domain.premium_standing import waiting
from gongji_svc.domain.premium_state import PremiumState
from gongji_svc.domain.usability import Obstacle
from gongji_svc.domain.waterfall import Leg, donor_legs
from gongji_svc.services.asked import Asked, AskedCommand
from gongji_svc.services.audit import Audited, doer_of
from gongji_svc.services.binding_view import policy_text
from gongji_svc.services.holding import not_usable
from gongji_svc.services.office import Office
from gongji_svc.services.premium_case import (
    Considered,
    considered,
    due_of,
    insurance_in,
    lets_see,
    living_bindings,
)
from gongji_svc.services.premium_view import PremiumView, premium_facts
from gongji_svc.services.reach import acting_for, caller_region, reaches
from gongji_svc.storage import people, tables
from gongji_svc.storage.ids import new_id, parse_id, region_of
from gongji_svc.storage.notices import notice_row
from gongji_svc.storage.premiums import PremiumRow, TaxMessageKind, tax_message
from gongji_svc.storage.state import Decision, Keys, Lookups, State, TableRow, Wanted


@dataclass(slots=True)
class PayPremium(AskedCommand):
    """An order to pay a year's premium for somebody."""

    donor_id: UUID
    beneficiary_id: UUID | None  # None: an id that nobody can have

    def lookups(self) -> Lookups:
        """Nothing: both people are named by id."""
        return Lookups()

    def keys(self, state: State) -> Keys:  # noqa: ARG002 - the engine's shape
        """The request key of the caller; both people, and what was paid for the one."""
        caller = self.asked.caller
        return Keys(
            self.asked.claim(caller_region(caller), caller.subject, self.office.sealer),
            persons=(self.donor_id, *self._named()),
            premiums_of=self._named(),
        )

    def discover(self, state: State) -> Wanted:
        """The accounts of both; only for who may act for the donor."""
        donor = people.person(state, self.office.sealer, self.donor_id)
        if donor is None or not reaches(self.asked.caller, donor, self.office.today()):
            raise errors.AccessDenied
        return Wanted(accounts_of=(self.donor_id, *self._named()))

    def _named(self) -> tuple[UUID, ...]:
        return () if self.beneficiary_id is None else (self.beneficiary_id,)

    def decide(self, state: State) -> Decision:
        """The payment, debited and handed over."""
        sealer = self.office.sealer
        donor, beneficiary = (
            None if one is None else people.person(state, sealer, one)
            for one in (self.donor_id, self.beneficiary_id)
        )
        assert donor is not None  # noqa: S101 - discover() found the donor
        if beneficiary is None:
            raise errors.PremiumBindingMissing
        due, found = self._considered(state, donor, beneficiary)
        self._check(due, found)
        # From here on the money moves.
        ordered = _Ordered.of(self, due, found.payer, state.now)
        payment = ordered.payment()
        view = PremiumView(
            payment, donor.name, beneficiary.name, self.asked.caller.role is Role.CITIZEN
        )
        answer = pb.PayPremiumResponse(payment=view.message(self.asked.caller))
        return Decision(
            answer=answer.SerializeToString(),
            result_id=payment.id,
            journals=(ordered.journal(),),
            new=tuple(ordered.rows(payment)),
        )

    def _considered(
        self, state: State, donor: Person, beneficiary: Person
    ) -> tuple[Due, Considered]:
        between = [
            kept
            for kept in living_bindings(state, beneficiary.person_id)
            if kept.binding.donor_id == donor.person_id and lets_see(kept, day_of(state.now))
        ]
        message = self.asked.message
        try:
            due = due_of(self.office, state, beneficiary, insurance_in(message), message.year)
        except errors.Refusal:
            if not between:  # who is a stranger learns nothing, not where somebody is insured
                raise errors.PremiumBindingMissing from None
            raise
        found = considered(self.office, state, due, donor, between)
        if not between and any(is_of_binding(one) for one in found.of_payer):
            raise errors.PremiumBindingMissing
        return due, found

    def _check(self, due: Due, found: Considered) -> None:
        if found.of_due:
            raise refusal_of(found.of_due)
        message, payable_fen = self.asked.message, due.quoted.payable_fen
        if message.HasField("expected_payable_fen") and (
            message.expected_payable_fen != payable_fen
        ):
            raise errors.PremiumOutdated(
                payable_fen=str(payable_fen), payable_yuan=yuan(payable_fen)
            )
        if found.of_payer:
            raise refusal_of(found.of_payer)


def refusal_of(found: Sequence[Hindrance]) -> errors.Refusal:
    """What a payment is refused with: the first that stands in the way; of mutual aid each at
    once.
    """
    first = found[0]
    if isinstance(first, errors.Refusal):
        return first
    if is_of_binding(first):
        return errors.PremiumBindingMissing()
    return not_usable([one for one in found if isinstance(one, Obstacle)])


@dataclass(frozen=True, slots=True)
class _Ordered:
    """A payment that nothing stands in the way of: whose money, and every row of it."""

    office: Office
    asked: Asked
    due: Due
    payer: Payer
    legs: Sequence[Leg]
    at: datetime
    payment_id: UUID
    journal_id: UUID

    @classmethod
    def of(cls, command: AskedCommand, due: Due, payer: Payer, at: datetime) -> Self:
        """The payment that a command orders."""
        binding_id = None if payer.binding is None else payer.binding.binding_id
        assert payer.policy is not None  # noqa: S101 - where no rules hold, nobody pays
        return cls(
            office=command.office,
            asked=command.asked,
            due=due,
            payer=payer,
            legs=donor_legs(payer.accounts, payer.policy, due.quoted.payable_fen, binding_id),
            at=at,
            payment_id=new_id(region_of(due.person.person_id)),
            journal_id=new_id(due.region),
        )

    def payment(self) -> PremiumRow:
        """The payment, debited and handed over."""
        due, quoted, payer = self.due, self.due.quoted, self.payer
        waits = waiting(due.policy, quoted, due.person, due.day)
        answer_days = due.policy.premium_answer_days
        handed_on = hand_over_day(due.policy, due.day)
        return PremiumRow(
            region=region_of(self.payment_id),
            id=self.payment_id,
            beneficiary_id=due.person.person_id,
            donor_id=payer.person.person_id,
            binding_id=self._binding_id(),
            year=quoted.year,
            insurance=quoted.insurance.value,
            insured_region=due.region,
            state=PremiumState.SUBMITTED.value,
            standard_fen=quoted.standard_fen,
            subsidy_fen=quoted.subsidy_fen,
            payable_fen=quoted.payable_fen,
            special_group=quoted.group or "",
            legs=[self._kept(leg) for leg in self.legs],
            policy=policy_text(due.policy),
            wait_months=waits.months,
            benefit_from=waits.benefit_from,
            paid_on=due.day,
            submitted_at=self.at,
            submitted_by=acting_for(self.asked.caller, payer.person, due.day),
            answered_at=None,
            answer_due_on=None if answer_days is None else handed_on + timedelta(answer_days),
            tax_voucher_no="",
            reject_reason="",
            refund={},
            refund_journal_id=None,
            external_channel="",
            paid_twice=False,
            request_caller=self.asked.caller.subject,
            request_id=self.asked.message.request_id,
        )

    def journal(self) -> Journal:
        """The debit."""
        premium = PremiumOf(
            payment_id=self.payment_id,
            beneficiary_id=self.due.person.person_id,
            binding_id=self._binding_id(),
            insured_region=self.due.region,
            insurance=self.due.quoted.insurance.value,
        )
        legs = [PremiumLeg(leg.account_id, leg.region, leg.amount_fen) for leg in self.legs]
        return premium_journal(premium, legs, self.journal_id, self.at)

    def rows(self, payment: PremiumRow) -> Iterator[TableRow]:
        """What is written beside the debit: for the tax authority, the donor and the trail."""
        yield tables.premium_payments, payment.row()
        handed_on = start_of(hand_over_day(self.due.policy, self.due.day))
        yield tax_message(payment, TaxMessageKind.COLLECT, self.at, max(self.at, handed_on))
        for leg in self.legs:
            yield notice_row(NoticeKind.DEBIT, leg, payment.id, self.at)
        facts = premium_facts(payment)
        audited = Audited("premium_payment", payment.id, payment.insured_region, {}, facts)
        yield audited.row(doer_of(self.asked, payment.submitted_by), self.at)

    def _binding_id(self) -> UUID | None:
        return None if self.payer.binding is None else self.payer.binding.binding_id

    def _kept(self, leg: Leg) -> dict[str, Any]:
        return {
            "account_id": str(leg.account_id),
            "kind": leg.account_kind.value,
            "amount_fen": leg.amount_fen,
            "journal_id": str(self.journal_id),
        }


def read_pay(office: Office, asked: Asked) -> PayPremium:
    """The command in a PayPremiumRequest; AccessDenied for a donor that nobody can be."""
    donor_id = parse_id(asked.message.donor_id)
    beneficiary_id = parse_id(asked.message.beneficiary_id)
    if donor_id is None:
        raise errors.AccessDenied
    return PayPremium(office, asked, donor_id, beneficiary_id)
