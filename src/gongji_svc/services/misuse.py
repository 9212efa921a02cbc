"""Whose credential: the patient's own, always (HOH-18, ULQ-10, ULQ-13).

Rule: a call with another person's credential is refused, and that is recorded: who called, where
and when, whose credential it was, and for whom. What the same people do at the same institution
within a day is one record, which counts the calls and tells the first and the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain.calendar import start_of
from gongji_svc.domain.errors import CredentialMisused
from gongji_svc.domain.risk import Fact, RiskAction, RiskKind, Signal, SignalState
from gongji_svc.domain.terms import CredentialType
from gongji_svc.domain.wording import listed
from gongji_svc.services.asked import Asked
from gongji_svc.services.names import enum_name
from gongji_svc.services.office import Office
from gongji_svc.services.reach import acting_as
from gongji_svc.storage import tables
from gongji_svc.storage.ids import id_about, parse_id
from gongji_svc.storage.institutions import Institution
from gongji_svc.storage.risk import signal_in, signal_row
from gongji_svc.storage.state import State

_ONE_CALL = 1


def is_misused(message: Any, owner_id: UUID, agent_ids: Sequence[UUID | None]) -> bool:
    """Whether a credential is another person's than the patient's, as far as the till says who the
    patient is: by id, or else as not the one who buys for the patient (代买药).
    """
    if message.person_id:
        return str(message.person_id).lower() != str(owner_id)
    return owner_id in agent_ids


@dataclass(frozen=True, slots=True)
class Misuse:
    """A call with a credential of `owner_id` that is not the patient's; `signal_id` records it."""

    asked: Asked
    institution: Institution
    owner_id: UUID
    signal_id: UUID

    @classmethod
    def found(cls, office: Office, asked: Asked, institution: Institution, owner_id: UUID) -> Self:
        """The misuse in a call of today."""
        people = f"{owner_id} {asked.message.person_id}"
        what = office.sealer.index(
            RiskKind.CREDENTIAL_MISUSE, f"{institution.institution_code} {people}"
        )
        since = start_of(office.today())
        return cls(asked, institution, owner_id, id_about(institution.region, since, what))

    def refusal(self, state: State) -> CredentialMisused:
        """The refusal, with what is recorded of it."""
        signal = signal_in(state, self.signal_id)
        fact = self._fact(state.now)
        signal = self._first(fact, state.now) if signal is None else signal.once_more(fact)
        return CredentialMisused(records=[(tables.risk_signals, signal_row(signal))])

    def _first(self, fact: Fact, now: datetime) -> Signal:
        return Signal(
            signal_id=self.signal_id,
            kind=RiskKind.CREDENTIAL_MISUSE,
            action=RiskAction.DENY,
            state=SignalState.OPEN,
            institution_code=self.institution.institution_code,
            person_id=parse_id(self.asked.message.person_id),
            other_id=self.owner_id,
            settlement_id=None,
            threshold=_ONE_CALL,
            measured=_ONE_CALL,
            evidence=(fact,),
            recorded_at=now,
        )

    def _fact(self, now: datetime) -> Fact:
        message = self.asked.message
        shown = enum_name(pb.CredentialType, message.credential.type)
        return {
            "text": f"出示的{listed([CredentialType(shown)])}不是患者本人的，未予办理。",
            "institution_code": self.institution.institution_code,
            "occurred_at": now.isoformat(),
            "called": self.asked.method.name,
            "called_by": {**acting_as(self.asked.caller), "origin": self.asked.caller.origin},
            "device_no": message.terminal.device_no,
            "operator": message.terminal.operator,
            "credential": shown,
            "credential_of": str(self.owner_id),
            "patient": message.person_id,
        }
