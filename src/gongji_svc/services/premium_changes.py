"""What every change of a premium payment has in common: who is locked, what is written beside it.

Rule: a payment changes under its beneficiary's lock. With it, in the same decision, change the
years that count as paid in the beneficiary's record, and the mark of the year's other payments as
paid twice. Each payment that changes has its audit record, in the trail of the insured region.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from gongji_svc.domain import errors
from gongji_svc.domain.access import Role
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.journal import Journal
from gongji_svc.domain.person import Person
from gongji_svc.domain.premium_state import PremiumState
from gongji_svc.domain.premium_year import YearPayment, paid_twice, years_counted
from gongji_svc.domain.terms import Insurance
from gongji_svc.services.account_changes import id_in, owner_of
from gongji_svc.services.asked import AskedCommand
from gongji_svc.services.audit import Audited, Doer, doer_of
from gongji_svc.services.premium_view import PremiumView, premium_facts
from gongji_svc.services.reach import acting_as, caller_region
from gongji_svc.storage import people, tables
from gongji_svc.storage.people import PersonRow
from gongji_svc.storage.premiums import PremiumRow, premium_in, premiums_in
from gongji_svc.storage.state import Decision, Keys, Lookups, State, TableRow, Wanted


@dataclass(frozen=True, slots=True)
class Case:
    """A payment under lock with its people; nobody is the donor of one paid elsewhere."""

    state: State
    payment: PremiumRow
    donor: Person | None
    beneficiary: Person

    @property
    def now(self) -> datetime:
        """The moment of the change."""
        return self.state.now

    @property
    def today(self) -> date:
        """Its day."""
        return day_of(self.state.now)


@dataclass(frozen=True, slots=True)
class Changed:
    """A payment as it is after a change, and what moves and is written with it."""

    payment: PremiumRow
    journals: tuple[Journal, ...] = ()
    new: tuple[TableRow, ...] = ()


@dataclass(slots=True)
class ChangePremium(AskedCommand, ABC):
    """A change of one payment, named by its id; subclasses say who may make it, and what it is."""

    payment_id: UUID

    def lookups(self) -> Lookups:
        """Whose premium it is."""
        return Lookups(owned=((tables.premium_payments, self.payment_id),))

    def keys(self, state: State) -> Keys:
        """The request key of the caller, and the beneficiary with all payments."""
        beneficiary_id = owner_of(state, self.payment_id)
        caller = self.asked.caller
        claim = self.asked.claim(caller_region(caller), caller.subject, self.office.sealer)
        return Keys(claim, persons=(beneficiary_id,), premiums_of=(beneficiary_id,))

    def discover(self, state: State) -> Wanted:
        """The donor with the accounts; AccessDenied where the id is of something else."""
        if self.payment_id not in state.premiums_of[owner_of(state, self.payment_id)]:
            raise errors.AccessDenied
        donor_id = premium_in(state, self.payment_id).donor_id
        donors = () if donor_id is None else (donor_id,)
        return Wanted(accounts_of=donors, persons=donors)

    @abstractmethod
    def check_allowed(self, case: Case) -> None:
        """AccessDenied unless the caller may make the change: the insured region's authorities, or
        somebody for the donor.
        """

    @abstractmethod
    def changed(self, case: Case) -> Changed:
        """What the change makes of the payment, or the first refusal that applies."""

    def decide(self, state: State) -> Decision:
        """The payment as changed, and all that is written with it."""
        case = self._case(state)
        self.check_allowed(case)
        made = self.changed(case)
        if made.payment == case.payment:
            return self._answered(case, made.payment)
        doer = doer_of(self.asked, self.acts_for(case))
        reason = str(getattr(self.asked.message, "reason", ""))
        beside = Beside.of(state, case.beneficiary, made.payment)
        return replace(
            self._answered(case, beside.payment),
            journals=made.journals,
            new=(*made.new, *beside.audited(doer, reason)),
            replaced=(*beside.payments(), *beside.years(case.beneficiary)),
        )

    def acts_for(self, case: Case) -> dict[str, str]:  # noqa: ARG002 - see RefundPremium
        """Who makes the change, as it is kept."""
        return acting_as(self.asked.caller)

    def _case(self, state: State) -> Case:
        payment = premium_in(state, self.payment_id)
        beneficiary = people.person(state, self.office.sealer, payment.beneficiary_id)
        assert beneficiary is not None  # noqa: S101 - whose premium is paid is registered
        donor = None
        if payment.donor_id is not None:
            donor = people.person(state, self.office.sealer, payment.donor_id)
        return Case(state, payment, donor, beneficiary)

    def _answered(self, case: Case, payment: PremiumRow) -> Decision:
        caller, donor = self.asked.caller, case.donor
        donor_side = caller.role is Role.CITIZEN  # no other citizen may change a payment
        donor_name = "" if donor is None else donor.name
        view = PremiumView(payment, donor_name, case.beneficiary.name, donor_side)
        answer = self.asked.method.response(payment=view.message(caller))
        return Decision(answer.SerializeToString(), result_id=payment.id)


@dataclass(frozen=True, slots=True)
class Beside:
    """A payment that is new or changed, marked as it is to be, among all of its beneficiary."""

    state: State
    before: Mapping[UUID, PremiumRow]
    after: Mapping[UUID, PremiumRow]
    payment: PremiumRow

    @classmethod
    def of(cls, state: State, beneficiary: Person, payment: PremiumRow) -> "Beside":
        """The beneficiary's payments as they are with this one."""
        before = {one.id: one for one in premiums_in(state, beneficiary.person_id)}
        rows = {**before, payment.id: payment}
        twice = paid_twice([_year_of(one) for one in rows.values()])
        after = {one: replace(row, paid_twice=one in twice) for one, row in rows.items()}
        return cls(state, before, after, after[payment.id])

    def payments(self) -> Iterator[TableRow]:
        """The rows of payments that are other than they were; a new one is not among them."""
        for one, before in self.before.items():
            if self.after[one] != before:
                yield tables.premium_payments, self.after[one].row()

    def years(self, beneficiary: Person) -> Iterator[TableRow]:
        """The beneficiary's row, where other years count as paid."""
        payments = [_year_of(one) for one in self.after.values()]
        years = years_counted(beneficiary.premium_years, payments)
        if years != beneficiary.premium_years:
            kept = PersonRow(*self.state.persons[beneficiary.person_id])
            yield tables.persons, kept.with_premium_years(years, self.state.now)

    def audited(self, doer: Doer, reason: str = "") -> Iterator[TableRow]:
        """The audit record of each payment that is new or other than it was."""
        for one, after in self.after.items():
            before = self.before.get(one)
            if after != before:
                why = reason if one == self.payment.id else ""
                was = {} if before is None else premium_facts(before)
                facts = premium_facts(after)
                record = Audited("premium_payment", one, after.insured_region, was, facts, why)
                yield record.row(doer, self.state.now)


def payment_id_in(message: Any) -> UUID:
    """The payment a request names; AccessDenied for an id that none can have."""
    return id_in(message.payment_id)


def check_region(case: Case, subject: str) -> None:
    """AccessDenied for staff of another region than the one whose rules decide."""
    if case.payment.insured_region != subject:
        raise errors.AccessDenied


def _year_of(payment: PremiumRow) -> YearPayment:
    return YearPayment(
        payment_id=payment.id,
        year=payment.year,
        insurance=Insurance(payment.insurance),
        state=PremiumState(payment.state),
        paid_on=payment.paid_on,
        benefit_from=payment.benefit_from,
    )
