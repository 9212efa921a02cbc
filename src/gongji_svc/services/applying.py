"""CreateBinding: from an application to a decided binding.

Rule: checks come in the order of what they reveal: who may call, whether certificate and name
match, then insurance and the region's rules (`check_application`). Donor and beneficiary are both
locked, so of two applications for the last free place one wins. A validation is the same command
without a claim and without rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from gongji.v1 import binding_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Role
from gongji_svc.domain.binding import (
    LIVING,
    Binding,
    BindingState,
    members_ever,
    members_now,
    placed,
)
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.eligibility import (
    Application,
    check_application,
    leading_enrolment,
    review_required,
)
from gongji_svc.domain.person import Person, same_name
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.terms import (
    BeneficiaryField,
    DocumentKind,
    DocumentOf,
)
from gongji_svc.services.application_form import Form, check_signed, form_of
from gongji_svc.services.asked import Asked, AskedCommand
from gongji_svc.services.audit import doer_of
from gongji_svc.services.binding_changes import Rows
from gongji_svc.services.binding_view import View, policy_text
from gongji_svc.services.office import Office
from gongji_svc.services.ordering import check_order_editable
from gongji_svc.services.reach import acting_for, caller_region, reaches
from gongji_svc.storage import people, tables
from gongji_svc.storage.accounts import accounts_of
from gongji_svc.storage.bindings import (
    Kept,
    bindings_of,
    donations_of,
    seal_phone,
)
from gongji_svc.storage.documents import DocumentRow
from gongji_svc.storage.ids import new_id, region_of
from gongji_svc.storage.people import CARD, PersonRow
from gongji_svc.storage.state import Claim, Decision, Keys, Lookups, State, Wanted


def read_create_binding(office: Office, asked: Asked) -> "CreateBinding":
    """The command in a checked request."""
    return CreateBinding(office, asked, form_of(asked))


@dataclass(slots=True)
class CreateBinding(AskedCommand):
    """An application for a binding."""

    form: Form
    beneficiary_id: UUID | None = None

    def lookups(self) -> Lookups:
        """Whose certificate the beneficiary's is."""
        return Lookups(identities=(self._identity(),))

    def keys(self, state: State) -> Keys:
        """The request key; the two people, and all that either gives to anybody."""
        self.beneficiary_id = state.directory.get(self._identity())
        found = [] if self.beneficiary_id is None else [self.beneficiary_id]
        both = (self.form.donor_id, *found)
        return Keys(claim=self._claim(), persons=both, donors=both)

    def discover(self, state: State) -> Wanted:
        """The donor's accounts, and the documents; only for who may act for the donor."""
        donor = people.person(state, self.office.sealer, self.form.donor_id)
        if donor is None or not reaches(self.asked.caller, donor, self.office.today()):
            raise errors.AccessDenied
        return Wanted(accounts_of=(donor.person_id,), documents=self.form.document_ids)

    def decide(self, state: State) -> Decision:
        """The binding, in force at once or waiting for review."""
        case = self._case(state)
        self._check(case)
        if self.form.wanted_rank is not None:
            check_order_editable(self.office, case.beneficiary, case.today)
        # From here on nothing may be refused.
        rank, moved = placed(case.current(), self.form.wanted_rank)
        kept = self._kept(case, rank)
        answer = self._answer(case, kept)
        if self.form.validate_only:
            return Decision(answer)
        binding_id = kept.binding.binding_id
        rows = Rows(doer_of(self.asked, kept.created_by), state.now)
        rows.create(kept)
        rows.move(state, moved)
        attached = ((tables.documents, one.attached_to(binding_id).row()) for one in case.documents)
        return Decision(
            answer,
            result_id=binding_id,
            new=tuple(rows.new),
            replaced=(*rows.replaced, *attached),
        )

    def _identity(self) -> bytes:
        form = self.form
        return self.office.sealer.index(form.certificate_type, form.certificate_number)

    def _claim(self) -> Claim | None:
        if self.form.validate_only:
            return None
        caller = self.asked.caller
        return self.asked.claim(caller_region(caller), caller.subject, self.office.sealer)

    def _case(self, state: State) -> "_Case":
        """The two people, matched, and the rules that decide between them."""
        sealer = self.office.sealer
        donor = people.person(state, sealer, self.form.donor_id)
        beneficiary = None
        if self.beneficiary_id is not None and self._matches(state, self.beneficiary_id):
            beneficiary = people.person(state, sealer, self.beneficiary_id)
        if donor is None or beneficiary is None:
            raise errors.PersonNotMatched
        today = day_of(state.now)
        enrolment = leading_enrolment(donor, today)
        if enrolment is None:
            raise errors.DonorNotEmployeeInsured
        return _Case(
            state=state,
            donor=donor,
            beneficiary=beneficiary,
            donor_region=enrolment.region,
            today=today,
            policy=self.office.policy(enrolment.region, today),
            documents=self._own_documents(state),
        )

    def _matches(self, state: State, person_id: UUID) -> bool:
        """Whether the person, now locked, has the certificate, the name and the card given."""
        row = state.persons.get(person_id)
        if row is None:
            return False
        sealer, form = self.office.sealer, self.form
        known = PersonRow(*row).opened(sealer)
        hashes = known.hashes(sealer)
        same_card = (
            not (form.card_no and known.card_no) or sealer.index(CARD, form.card_no) in hashes
        )
        return self._identity() == hashes[0] and same_name(known.name, form.name) and same_card

    def _own_documents(self, state: State) -> tuple[DocumentRow, ...]:
        """The documents named, as far as the caller uploaded them or the donor's rejected or
        withdrawn applications have them.
        """
        rows = (state.documents.get(document_id) for document_id in self.form.document_ids)
        documents = (DocumentRow(*row) for row in rows if row is not None)
        caller, unsuccessful = self.asked.caller, self._unsuccessful(state)
        return tuple(
            document
            for document in documents
            if document.binding_id in unsuccessful
            or (document.uploaded_by["role"], document.uploaded_by["subject"])
            == (caller.role, caller.subject)
        )

    def _unsuccessful(self, state: State) -> set[UUID]:
        """The donor's applications that were rejected or withdrawn."""
        given = donations_of(state, self.form.donor_id)
        return {b.binding_id for b in given if not b.approved and b.state not in LIVING}

    def _check(self, case: "_Case") -> None:
        form = self.form
        start = form.effective_from or case.today
        policy_at_start = self.office.policy(case.donor_region, start)
        unusable = self._unusable_document(case)
        try:
            check_application(self._application(case), case.policy, policy_at_start, case.today)
        except errors.DocumentMissing as missing:
            raise (unusable or missing) from None
        if unusable is not None:
            raise unusable
        check_signed(form, case.state.now)

    def _unusable_document(self, case: "_Case") -> errors.Refusal | None:
        if len(case.documents) < len(self.form.document_ids):
            return errors.DocumentNotFound()
        usable = {None, *self._unsuccessful(case.state)}
        if any(document.binding_id not in usable for document in case.documents):
            return errors.DocumentAlreadyAttached()
        return None

    def _application(self, case: "_Case") -> Application:
        form, state = self.form, case.state
        donor_id, beneficiary_id = case.donor.person_id, case.beneficiary.person_id
        given = {
            BeneficiaryField.NAME: form.name,
            BeneficiaryField.CERTIFICATE: form.certificate_number,
            BeneficiaryField.PHONE: form.phone,
            BeneficiaryField.CARD_NO: form.card_no,
        }
        return Application(
            donor=case.donor,
            donor_accounts=accounts_of(state, donor_id),
            donor_bindings=(*donations_of(state, donor_id), *bindings_of(state, donor_id)),
            beneficiary=case.beneficiary,
            beneficiary_bindings=(
                *donations_of(state, beneficiary_id),
                *bindings_of(state, beneficiary_id),
            ),
            relation=form.relation,
            uses=form.uses,
            channel=form.channel,
            effective_from=form.effective_from,
            effective_to=form.effective_to,
            certificates_seen=form.certificates_seen,
            details=frozenset(detail for detail, value in given.items() if value),
            documents=frozenset(
                (DocumentKind(document.kind), DocumentOf(document.of))
                for document in case.documents
            ),
            confirmations=form.confirmations,
            commitment_version=form.commitment_version,
        )

    def _kept(self, case: "_Case", rank: int) -> Kept:
        form, sealer, now = self.form, self.office.sealer, case.state.now
        binding_id = new_id(region_of(case.beneficiary.person_id))
        pending = review_required(case.policy, form.channel)
        return Kept(
            binding=Binding(
                binding_id=binding_id,
                donor_id=case.donor.person_id,
                beneficiary_id=case.beneficiary.person_id,
                relation=form.relation,
                state=BindingState.PENDING_REVIEW if pending else BindingState.ACTIVE,
                bound_at=now,
                effective_from=form.effective_from or case.today,
                effective_to=form.effective_to,
                rank=rank,
                uses=form.uses,
                limits=form.limits,
                approved=not pending,
            ),
            channel=form.channel.value,
            commitment=self._commitment(case),
            document_ids=form.document_ids,
            donor_region=case.donor_region,
            policy=policy_text(case.policy),
            key_id=sealer.key_id,
            beneficiary_phone=seal_phone(binding_id, form.phone, sealer),
            created_by=acting_for(self.asked.caller, case.donor, case.today),
            updated_at=now,
            confirmations=tuple(sorted(form.confirmations)),
        )

    def _commitment(self, case: "_Case") -> dict[str, Any]:
        """The text accepted, when, and by whom: at the counter the donor signs."""
        if self.form.accepted_at is None:
            return {}
        at_counter = self.asked.caller.role is Role.COUNTER
        return {
            "text_version": self.form.commitment_version,
            "accepted_at": self.form.accepted_at.isoformat(),
            "signer": str(case.donor.person_id) if at_counter else self.asked.caller.subject,
        }

    def _answer(self, case: "_Case", kept: Kept) -> bytes:
        names = (case.donor.name, case.beneficiary.name)
        view = View(kept, *names, case.documents, case.policy, whole=True)
        binding = view.message(self.office.sealer, self.asked.caller.role)
        if self.form.validate_only:
            # Nothing exists yet, and a check tells nothing about the other person.
            for name in ("binding_id", "beneficiary_id", "created_at"):
                binding.ClearField(name)
        response = pb.CreateBindingResponse(binding=binding, counts=case.counts())
        return response.SerializeToString()


@dataclass(frozen=True, slots=True)
class _Case:
    """What one decision looks at: two people under lock, and the donor's region's rules."""

    state: State
    donor: Person
    beneficiary: Person
    donor_region: str
    today: date
    policy: Policy
    documents: Sequence[DocumentRow]

    def current(self) -> list[Binding]:
        """The beneficiary's bindings that have a place in the order."""
        bindings = bindings_of(self.state, self.beneficiary.person_id)
        return [binding for binding in bindings if binding.state in LIVING]

    def counts(self) -> pb.MemberCounts:
        """How the donor stands against the greatest numbers allowed, with this beneficiary."""
        given = donations_of(self.state, self.donor.person_id)
        one = {self.beneficiary.person_id}
        return pb.MemberCounts(
            members=len(members_now(given, self.today) | one),
            members_limit=self.policy.members_at_once,
            lifetime_members=len(members_ever(given) | one),
            lifetime_members_limit=self.policy.members_lifetime,
        )
