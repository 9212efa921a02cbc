"""SetDeductionOrder: the beneficiary sets the whole order in which donors pay (扣款顺序, ULQ-11).

Rule: the beneficiary's region says whether people may set it. The order names each current
binding once, so that nobody's place changes unseen.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from gongji.v1 import binding_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.binding import LIVING
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.person import Person
from gongji_svc.domain.terms import Order
from gongji_svc.domain.wording import fixed_order_zh
from gongji_svc.services.asked import Asked, AskedCommand
from gongji_svc.services.audit import doer_of
from gongji_svc.services.binding_changes import Rows
from gongji_svc.services.binding_view import View
from gongji_svc.services.office import Office
from gongji_svc.services.reach import acting_for, caller_region, reaches
from gongji_svc.services.till import usable_enrolments
from gongji_svc.storage import people
from gongji_svc.storage.bindings import Kept, kept_from
from gongji_svc.storage.documents import DocumentRow
from gongji_svc.storage.ids import parse_id
from gongji_svc.storage.state import Decision, Keys, Lookups, State, Wanted


def check_order_editable(office: Office, person: Person, today: date) -> None:
    """OrderFixedByPolicy where no region the person can settle in lets people set the order."""
    enrolments = usable_enrolments(person, office.rulebook, today)
    policies = [office.policy(enrolment.region, today) for enrolment in enrolments]
    fixed = [p for p in policies if p.order is not Order.USER_PRIORITY or not p.order_editable]
    if fixed and len(fixed) == len(policies):
        raise errors.OrderFixedByPolicy(
            order=fixed[0].order, order_zh=fixed_order_zh(fixed[0].order)
        )


@dataclass(slots=True)
class SetDeductionOrder(AskedCommand):
    """An order of the beneficiary's donors, first payer first."""

    beneficiary_id: UUID
    binding_ids: tuple[UUID, ...]

    def lookups(self) -> Lookups:
        """Nothing: the beneficiary is named."""
        return Lookups()

    def keys(self, state: State) -> Keys:  # noqa: ARG002 - the engine's shape
        """The request key, and the beneficiary."""
        caller = self.asked.caller
        claim = self.asked.claim(caller_region(caller), caller.subject, self.office.sealer)
        return Keys(claim, persons=(self.beneficiary_id,))

    def discover(self, state: State) -> Wanted:
        """The donors and the documents, for the answer; only for who may act for the person."""
        person = people.person(state, self.office.sealer, self.beneficiary_id)
        if person is None or not reaches(self.asked.caller, person, self.office.today()):
            raise errors.AccessDenied
        current = self._current(state).values()
        return Wanted(
            persons=tuple(kept.binding.donor_id for kept in current),
            documents=tuple(found for kept in current for found in kept.document_ids),
        )

    def decide(self, state: State) -> Decision:
        """The bindings with their ranks; OrderFixedByPolicy, or OrderIncomplete."""
        person = people.person(state, self.office.sealer, self.beneficiary_id)
        assert person is not None  # noqa: S101 - discover() came first
        today = day_of(state.now)
        check_order_editable(self.office, person, today)
        current = self._current(state)
        if set(self.binding_ids) != current.keys():
            raise errors.OrderIncomplete
        ordered = [
            replace(current[binding_id].binding, rank=rank)
            for rank, binding_id in enumerate(self.binding_ids, 1)
        ]
        rows = Rows(doer_of(self.asked, acting_for(self.asked.caller, person, today)), state.now)
        rows.move(state, [b for b in ordered if b != current[b.binding_id].binding])
        shown = [replace(current[b.binding_id], binding=b) for b in ordered]
        return Decision(
            pb.SetDeductionOrderResponse(
                bindings=self._messages(state, person, shown, today)
            ).SerializeToString(),
            new=tuple(rows.new),
            replaced=tuple(rows.replaced),
        )

    def _current(self, state: State) -> dict[UUID, Kept]:
        rows = state.bindings_of[self.beneficiary_id].values()
        found = (kept_from(row) for row in rows)
        return {kept.binding.binding_id: kept for kept in found if kept.binding.state in LIVING}

    def _messages(
        self, state: State, person: Person, shown: Iterable[Kept], today: date
    ) -> Iterable[pb.Binding]:
        for kept in shown:
            donor = people.person(state, self.office.sealer, kept.binding.donor_id)
            rows = (state.documents.get(document_id) for document_id in kept.document_ids)
            yield View(
                kept,
                "" if donor is None else donor.name,
                person.name,
                [DocumentRow(*row) for row in rows if row is not None],
                self.office.find_policy(kept.donor_region, today),
            ).message(self.office.sealer, self.asked.caller.role)


def read_set_deduction_order(office: Office, asked: Asked) -> SetDeductionOrder:
    """The command in a checked request."""
    beneficiary_id = parse_id(asked.message.beneficiary_id)
    if beneficiary_id is None:
        raise errors.AccessDenied
    binding_ids = [parse_id(text) for text in asked.message.binding_ids]
    found = tuple(one for one in binding_ids if one is not None)
    if len(found) < len(binding_ids):
        raise errors.OrderIncomplete
    return SetDeductionOrder(office, asked, beneficiary_id, found)
