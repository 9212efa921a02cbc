"""What every change of a binding has in common: who is locked, what is written beside it.

Rule: whoever changes a binding holds its beneficiary's lock, so no settlement sees half a change,
and the donor's where it counts for the donor's limits. Every row of a binding that is written has
its audit record, in the trail of each region whose rules decided or decide, and asks for a look by
the worker that suspends, resumes and expires.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from gongji_svc.domain import errors
from gongji_svc.domain.binding import LIVING, Binding
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.person import Person
from gongji_svc.domain.policy_values import Caps
from gongji_svc.services.asked import AskedCommand
from gongji_svc.services.audit import Audited, Doer, Facts, doer_of
from gongji_svc.services.binding_access import sees_whole, sides
from gongji_svc.services.binding_view import View
from gongji_svc.services.reach import acting_for, caller_region, reaches, request_owner
from gongji_svc.storage import people, tables
from gongji_svc.storage.bindings import Kept, bindings_of, kept_from
from gongji_svc.storage.documents import DocumentRow
from gongji_svc.storage.ids import new_id, parse_id, region_of
from gongji_svc.storage.state import Decision, Keys, Lookups, State, TableRow, Wanted


@dataclass(frozen=True, slots=True)
class Case:
    """A binding under lock with its two people."""

    state: State
    kept: Kept
    donor: Person
    beneficiary: Person
    today: date

    @property
    def now(self) -> datetime:
        """The moment of the change."""
        return self.state.now

    def others(self) -> list[Binding]:
        """The beneficiary's other bindings."""
        mine = self.kept.binding.binding_id
        taken = bindings_of(self.state, self.beneficiary.person_id)
        return [binding for binding in taken if binding.binding_id != mine]


@dataclass(slots=True)
class ChangeBinding(AskedCommand, ABC):
    """A change of one binding, named by its id; subclasses say who may make it, and what it is."""

    binding_id: UUID
    parties: tuple[UUID, ...] = ()

    def lookups(self) -> Lookups:
        """Whose binding it is."""
        return Lookups(bindings=(self.binding_id,))

    def keys(self, state: State) -> Keys:
        """The request key, and the two people."""
        self.parties = state.parties.get(self.binding_id, ())
        if not self.parties:
            raise errors.AccessDenied
        caller = self.asked.caller
        claim = self.asked.claim(caller_region(caller), request_owner(caller), self.office.sealer)
        return Keys(claim, persons=self.parties)

    def discover(self, state: State) -> Wanted:
        """The documents, for the answer; only for who may make the change."""
        case = self.case(state, self.office.today())
        self.check_allowed(case)
        return Wanted(documents=case.kept.document_ids)

    @abstractmethod
    def check_allowed(self, case: Case) -> None:
        """AccessDenied unless the caller may change this binding."""

    def decide(self, state: State) -> Decision:
        """The binding as changed, and all that is written with it."""
        case = self.case(state, day_of(state.now))
        after = replace(self.changed(case), updated_at=case.now)
        rows = Rows(doer_of(self.asked, self.acts_for(case)), case.now)
        rows.change(case.kept, after, self.reason())
        answer = self.asked.method.response(binding=self.view(case, after))
        return Decision(
            answer.SerializeToString(),
            result_id=self.binding_id,
            new=tuple(rows.new),
            replaced=tuple(rows.replaced),
        )

    @abstractmethod
    def changed(self, case: Case) -> Kept:
        """The binding after the change, or the first refusal that applies."""

    def reason(self) -> str:
        """The reason given, where the call asks for one."""
        return str(getattr(self.asked.message, "reason", ""))

    def case(self, state: State, today: date) -> Case:
        """What the decision looks at."""
        donor_id, beneficiary_id = self.parties
        sealer = self.office.sealer
        donor = people.person(state, sealer, donor_id)
        beneficiary = people.person(state, sealer, beneficiary_id)
        row = state.bindings_of[beneficiary_id].get(self.binding_id)
        if row is None or donor is None or beneficiary is None:
            raise errors.AccessDenied
        return Case(state, kept_from(row), donor, beneficiary, today)

    def sides(self, case: Case) -> Sequence[UUID]:
        """For whom of the two the caller may act, the donor first."""
        caller = self.asked.caller
        return sides(caller, case.kept, case.donor, case.beneficiary, case.today)

    def acts_for(self, case: Case) -> dict[str, str]:
        """Who makes the change, as it is kept."""
        caller = self.asked.caller
        mine = reaches(caller, case.donor, case.today)
        return acting_for(caller, case.donor if mine else case.beneficiary, case.today)

    def view(self, case: Case, kept: Kept) -> Any:
        """The binding as the answer shows it."""
        rows = (case.state.documents.get(document_id) for document_id in kept.document_ids)
        return View(
            kept,
            case.donor.name,
            case.beneficiary.name,
            [DocumentRow(*row) for row in rows if row is not None],
            self.office.find_policy(kept.donor_region, case.today),
            whole=sees_whole(self.asked.caller, case.donor, case.today),
        ).message(self.office.sealer, self.asked.caller.role)


def binding_id_in(message: Any) -> UUID:
    """The binding a request names; AccessDenied for an id that none can have."""
    binding_id = parse_id(message.binding_id)
    if binding_id is None:
        raise errors.AccessDenied
    return binding_id


@dataclass(slots=True)
class Rows:
    """The rows of bindings that change: each with its audit record and a look by the worker."""

    doer: Doer
    at: datetime
    new: list[TableRow] = field(default_factory=list)
    replaced: list[TableRow] = field(default_factory=list)

    def create(self, kept: Kept) -> None:
        """A new binding."""
        self.new += [(tables.bindings, kept.row()), (tables.donor_bindings, kept.donor_row())]
        self._beside(None, kept, "")

    def change(self, before: Kept, after: Kept, reason: str = "") -> None:
        """A binding as it was and as it is."""
        self.replaced.append((tables.bindings, after.row()))
        self._beside(before, after, reason)

    def move(self, state: State, bindings: Iterable[Binding]) -> None:
        """Bindings whose rank alone is new."""
        for binding in bindings:
            row = state.bindings_of[binding.beneficiary_id][binding.binding_id]
            before = kept_from(row)
            self.change(before, replace(before, binding=binding, updated_at=self.at))

    def _beside(self, before: Kept | None, after: Kept, reason: str) -> None:
        binding = after.binding
        self.new += audit_rows(self.doer, self.at, before, after, reason)
        if binding.state in LIVING:
            self.new.append(check_row(binding.beneficiary_id, day_of(self.at)))


def audit_rows(
    doer: Doer, at: datetime, before: Kept | None, after: Kept, reason: str = ""
) -> Iterator[TableRow]:
    """The audit record of a binding, in the trail of the donor's region; when that changes, in
    those of both.
    """
    was = {} if before is None else facts(before)
    binding_id, region = after.binding.binding_id, after.donor_region
    for trail in sorted({region, region if before is None else before.donor_region}):
        audited = Audited("binding", binding_id, trail, was, facts(after), reason)
        yield audited.row(doer, at)


def check_row(person_id: UUID, due_on: date) -> TableRow:
    """Asks for a look at a person's bindings on a day."""
    region = region_of(person_id)
    return tables.binding_checks, (region, new_id(region), person_id, due_on)


def facts(kept: Kept) -> Facts:
    """What the audit trail keeps of a binding."""
    binding = kept.binding
    return {
        "donor_id": str(binding.donor_id),
        "beneficiary_id": str(binding.beneficiary_id),
        "relation": binding.relation.value,
        "state": binding.state.value,
        "rank": binding.rank,
        "effective_from": binding.effective_from.isoformat(),
        "effective_to": _day(binding.effective_to),
        "uses": sorted(binding.uses),
        "limits": _limits(binding.limits),
        "channel": kept.channel,
        "commitment": kept.commitment,
        "document_ids": [str(document_id) for document_id in kept.document_ids],
        "confirmations": list(kept.confirmations),
        "review": kept.review,
        "suspended_for": list(kept.suspended_for),
        "ended_on": _day(binding.ended_on),
        "ending": kept.ending,
        "region": kept.donor_region,
        "policy": kept.policy,
    }


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _limits(caps: Caps) -> dict[str, int]:
    named = (
        ("per_settlement_fen", caps.per_settlement_fen),
        ("per_day_fen", caps.per_day_fen),
        ("per_month_fen", caps.per_month_fen),
        ("per_year_fen", caps.per_year_fen),
    )
    return {name: amount_fen for name, amount_fen in named if amount_fen is not None}
