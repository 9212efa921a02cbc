"""The look at one binding that the worker takes (upkeep/bindings.py): a command like any other.

Rule: both people are locked, so no settlement sees half a change. What stays as it is writes
nothing; what changes has its audit record, by the worker. The next look is for the worker to keep.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from gongji_svc.domain.binding import LIVING
from gongji_svc.domain.binding_check import Judged, judged, next_check_on
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.person import Person
from gongji_svc.services.audit import worker
from gongji_svc.services.binding_changes import audit_rows
from gongji_svc.services.office import Office
from gongji_svc.storage import people, tables
from gongji_svc.storage.bindings import Kept, kept_from
from gongji_svc.storage.state import Decision, Keys, Lookups, State, Wanted

JOB = "check-bindings"

_NEVER = float("inf")


@dataclass(slots=True)
class CheckBinding:
    """A look at a binding; answers the day of the next one, empty when it is over."""

    office: Office
    binding_id: UUID
    deadline: float = _NEVER
    parties: tuple[UUID, ...] = ()

    def lookups(self) -> Lookups:
        """Whose binding it is."""
        return Lookups(bindings=(self.binding_id,))

    def keys(self, state: State) -> Keys:
        """The two people; nothing is claimed, for a second look changes nothing."""
        self.parties = state.parties[self.binding_id]
        return Keys(persons=self.parties)

    def discover(self, state: State) -> Wanted:  # noqa: ARG002 - the engine's shape
        """Nothing more."""
        return Wanted()

    def decide(self, state: State) -> Decision:
        """The binding as it is from today on, and the day of the next look."""
        donor_id, beneficiary_id = self.parties
        kept = kept_from(state.bindings_of[beneficiary_id][self.binding_id])
        if kept.binding.state not in LIVING:
            return Decision(b"")
        donor, beneficiary = self._person(state, donor_id), self._person(state, beneficiary_id)
        today = day_of(state.now)
        found = judged(
            kept.binding,
            kept.donor_region,
            donor,
            beneficiary,
            lambda region: self.office.find_policy(region, today),
            today,
        )
        after = _after(kept, found, state.now)
        look_on = next_check_on(after.binding, (donor, beneficiary), today)
        answer = b"" if look_on is None else look_on.isoformat().encode()
        if after == kept:
            return Decision(answer)
        return Decision(
            answer,
            result_id=self.binding_id,
            new=tuple(audit_rows(worker(JOB), state.now, kept, after)),
            replaced=((tables.bindings, replace(after, updated_at=state.now).row()),),
        )

    def field_name(self, number: int) -> str:
        """A look has no request and so no fields."""
        raise KeyError(number)

    def _person(self, state: State, person_id: UUID) -> Person:
        person = people.person(state, self.office.sealer, person_id)
        assert person is not None  # noqa: S101 - whoever has a binding stays registered
        return person


def next_look(answer: bytes) -> date | None:
    """The day in an answer of `CheckBinding`."""
    return date.fromisoformat(answer.decode()) if answer else None


def _after(kept: Kept, found: Judged, now: datetime) -> Kept:
    return replace(
        kept,
        binding=found.binding,
        donor_region=found.donor_region,
        suspended_for=tuple(why.value for why in found.suspended_for),
        ending=kept.ending if found.cause is None else _ending(found.cause.value, now),
    )


def _ending(cause: str, now: datetime) -> dict[str, Any]:
    """As `services/ending.py` keeps one; nobody ordered it and no notice was accepted."""
    return {
        "cause": cause,
        "reason": "",
        "notice_version": "",
        "at": now.isoformat(),
        "by": {"role": "", "subject": "", "actor": JOB},
    }
