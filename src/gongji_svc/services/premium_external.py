"""RecordExternalPremium: a premium that was paid by another channel (其他渠道缴费).

Rule: what the tax authority has collected is a fact, so it is recorded whatever else was paid; two
payments of a year are marked, for the agency to see to. The same voucher is the same collection,
so it is told twice and counted once. No account moves. The day it was paid decides about waiting,
as for a payment here.
"""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from gongji.v1 import types_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.errors import Violation
from gongji_svc.domain.payment import benefit_from, quote
from gongji_svc.domain.person import Person, same_name
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.premium_standing import waiting
from gongji_svc.domain.premium_state import LIVE, PremiumState
from gongji_svc.domain.terms import Insurance
from gongji_svc.services import messages
from gongji_svc.services.account_changes import agency_claim, id_in
from gongji_svc.services.asked import Asked, AskedCommand
from gongji_svc.services.audit import doer_of
from gongji_svc.services.binding_view import policy_text
from gongji_svc.services.days import day_in
from gongji_svc.services.names import enum_name
from gongji_svc.services.office import Office
from gongji_svc.services.premium_changes import Beside
from gongji_svc.services.premium_view import PremiumView
from gongji_svc.services.reach import acting_as, reaches
from gongji_svc.storage import people, tables
from gongji_svc.storage.ids import new_id, region_of
from gongji_svc.storage.people import PersonRow
from gongji_svc.storage.premiums import PremiumRow, premiums_in
from gongji_svc.storage.state import Decision, Keys, Lookups, State, Wanted


@dataclass(slots=True)
class RecordExternal(AskedCommand):
    """A payment elsewhere, of somebody named by id, or by certificate (its hash) and name."""

    paid_on: date
    named_id: UUID | None
    certificate: bytes | None
    beneficiary_id: UUID | None = None

    def lookups(self) -> Lookups:
        """Whose certificate it is."""
        return Lookups(identities=() if self.certificate is None else (self.certificate,))

    def keys(self, state: State) -> Keys:
        """The request key in the authority's region, and the beneficiary with all payments."""
        claim = agency_claim(self.office, self.asked)
        self.beneficiary_id = self.named_id
        if self.certificate is not None:
            self.beneficiary_id = state.directory.get(self.certificate)
        if self.beneficiary_id is None:
            raise errors.PersonNotMatched
        return Keys(claim, persons=(self.beneficiary_id,), premiums_of=(self.beneficiary_id,))

    def discover(self, state: State) -> Wanted:
        """The donor of the same collection, for the answer; no account moves."""
        known = self._known(state)
        donor_id = None if known is None else known.donor_id
        return Wanted(persons=() if donor_id is None else (donor_id,))

    def decide(self, state: State) -> Decision:
        """The payment, recorded as confirmed, and all that is written with it; of a collection that
        is known, the payment as it stands.
        """
        beneficiary = self._beneficiary(state)
        self._check_days(day_of(state.now))
        known = self._known(state)
        if known is not None:
            return self._answered(state, beneficiary, known)
        beside = Beside.of(state, beneficiary, self._payment(state, beneficiary))
        payment = beside.payment
        doer = doer_of(self.asked, acting_as(self.asked.caller))
        return replace(
            self._answered(state, beneficiary, payment),
            new=((tables.premium_payments, payment.row()), *beside.audited(doer)),
            replaced=(*beside.payments(), *beside.years(beneficiary)),
        )

    def _known(self, state: State) -> PremiumRow | None:
        """The payment, here or elsewhere, that is the same collection."""
        message, region = self.asked.message, self.asked.caller.subject
        insurance = enum_name(types_pb2.Insurance, message.insurance)
        told = (region, message.year, insurance, message.tax_voucher_no)
        if self.beneficiary_id is None or not message.tax_voucher_no:
            return None
        for one in premiums_in(state, self.beneficiary_id):
            of = (one.insured_region, one.year, one.insurance, one.tax_voucher_no)
            if of == told and one.state in LIVE:
                return one
        return None

    def _answered(self, state: State, beneficiary: Person, payment: PremiumRow) -> Decision:
        donor = None
        if payment.donor_id is not None:
            donor = people.person(state, self.office.sealer, payment.donor_id)
        view = PremiumView(payment, "" if donor is None else donor.name, beneficiary.name)
        answer = self.asked.method.response(payment=view.message(self.asked.caller))
        return Decision(answer.SerializeToString(), result_id=payment.id)

    def _check_days(self, today: date) -> None:
        """InvalidField for a day or a year that cannot be meant."""
        year = self.asked.message.year
        wrong = []
        if year > today.year + 1:
            wrong.append(Violation("year", f"不能晚于{today.year + 1}年度"))
        if self.paid_on > today:
            wrong.append(Violation("paid_on", "不能晚于今天"))
        elif self.paid_on < date(year - 1, 1, 1):
            wrong.append(Violation("paid_on", f"{year}年度的保费不能早于{year - 1}年1月1日缴纳"))
        if wrong:
            raise messages.invalid(*wrong)

    def _beneficiary(self, state: State) -> Person:
        """AccessDenied for an id, PersonNotMatched for a certificate, that names nobody within
        the authority's reach.
        """
        assert self.beneficiary_id is not None  # noqa: S101 - keys() came first
        sealer = self.office.sealer
        found = people.person(state, sealer, self.beneficiary_id)
        reached = found is not None and reaches(self.asked.caller, found, day_of(state.now))
        if found is not None and reached and self._is_meant(state, found):
            return found
        raise errors.AccessDenied if self.certificate is None else errors.PersonNotMatched

    def _is_meant(self, state: State, person: Person) -> bool:
        if self.certificate is None:
            return True
        identity = PersonRow(*state.persons[person.person_id]).opened(self.office.sealer)
        hashes = identity.hashes(self.office.sealer)  # it may have changed hands since
        return self.certificate in hashes and same_name(person.name, self.asked.message.name)

    def _payment(self, state: State, beneficiary: Person) -> PremiumRow:
        message, caller = self.asked.message, self.asked.caller
        home = region_of(beneficiary.person_id)
        insurance = Insurance(enum_name(types_pb2.Insurance, message.insurance))
        policy = self.office.premium_policy(caller.subject, day_of(state.now))
        months, begins = self._waiting(policy, insurance, beneficiary)
        return PremiumRow(
            region=home,
            id=new_id(home),
            beneficiary_id=beneficiary.person_id,
            donor_id=None,
            binding_id=None,
            year=message.year,
            insurance=insurance.value,
            insured_region=caller.subject,
            state=PremiumState.CONFIRMED.value,
            standard_fen=message.amount_fen,
            subsidy_fen=0,
            payable_fen=message.amount_fen,
            special_group="",
            legs=(),
            policy=policy_text(policy),
            wait_months=months,
            benefit_from=begins,
            paid_on=self.paid_on,
            submitted_at=state.now,
            submitted_by=acting_as(caller),
            answered_at=state.now,
            answer_due_on=None,
            tax_voucher_no=message.tax_voucher_no,
            reject_reason="",
            refund={},
            refund_journal_id=None,
            external_channel=message.external_channel,
            paid_twice=False,
            request_caller=caller.subject,
            request_id=message.request_id,
        )

    def _waiting(self, policy: Policy, insurance: Insurance, person: Person) -> tuple[int, date]:
        """Months without benefit and the first day of it; none where no window is known."""
        year = self.asked.message.year
        try:
            quoted = quote(policy, insurance, year, person.identities, self.paid_on)
        except errors.PremiumNotOffered:
            return 0, benefit_from(year, 0)
        found = waiting(policy, quoted, person, self.paid_on)
        return found.months, found.benefit_from


def read_record_external(office: Office, asked: Asked) -> RecordExternal:
    """The command in a RecordExternalPremiumRequest."""
    message = asked.message
    paid_on = day_in(message, "paid_on")
    assert paid_on is not None  # noqa: S101 - the contract's rules ask for it
    named_id = id_in(message.beneficiary_id) if message.beneficiary_id else None
    if not message.HasField("certificate"):
        return RecordExternal(office, asked, paid_on, named_id, None)
    if named_id is not None:
        raise messages.invalid(Violation("certificate", "参保人编号与证件请只填写一项"))
    if not message.name.strip():
        raise messages.invalid(Violation("name", "按证件填报时请填写姓名"))
    return RecordExternal(office, asked, paid_on, None, _certificate(office, message))


def _certificate(office: Office, message: Any) -> bytes:
    certificate: types_pb2.Certificate = message.certificate
    kind = enum_name(types_pb2.CertificateType, certificate.type)
    return office.sealer.index(kind, certificate.number)
