"""Risk signals (风险预警): suspicious patterns, kept with their evidence for the agency to judge.

Rule: a signal tells what was seen and what was done about it. Only the agency says what it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from gongji_svc.domain.errors import RiskSignalResolved

_PASSES = timedelta(hours=24)

Fact = Mapping[str, Any]
"""One fact behind a signal: values that JSON can hold, nobody's name or number of a certificate."""


class RiskKind(StrEnum):
    """What raises a signal."""

    CREDENTIAL_MISUSE = "CREDENTIAL_MISUSE"
    MANY_INSTITUTIONS = "MANY_INSTITUTIONS"
    REPEATED_TRACE_CODE = "REPEATED_TRACE_CODE"
    FAR_CITIES = "FAR_CITIES"
    DRAINED_DONOR = "DRAINED_DONOR"
    BIND_SPEND_UNBIND = "BIND_SPEND_UNBIND"


class RiskAction(StrEnum):
    """What a signal does to the call that raised it."""

    ADVISE = "ADVISE"
    HOLD = "HOLD"
    DENY = "DENY"


class SignalState(StrEnum):
    """What the agency has made of a signal."""

    OPEN = "OPEN"
    RELEASED = "RELEASED"
    CONFIRMED = "CONFIRMED"


class Resolution(StrEnum):
    """What the agency decides: harmless, or misuse."""

    RELEASE = "RELEASE"
    CONFIRM = "CONFIRM"


STATES: dict[tuple[SignalState, Resolution], SignalState] = {
    (SignalState.OPEN, Resolution.RELEASE): SignalState.RELEASED,
    (SignalState.OPEN, Resolution.CONFIRM): SignalState.CONFIRMED,
}
"""The whole life of a signal; what is not in it is refused."""


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal; `threshold` and `measured` in the unit of its kind."""

    signal_id: UUID
    kind: RiskKind
    action: RiskAction
    state: SignalState
    institution_code: str
    person_id: UUID | None
    other_id: UUID | None
    settlement_id: UUID | None
    threshold: int
    measured: int
    evidence: tuple[Fact, ...]
    recorded_at: datetime
    resolved_by: Mapping[str, str] = field(default_factory=dict)
    resolved_at: datetime | None = None
    reason: str = ""
    released_until: datetime | None = None

    def once_more(self, fact: Fact) -> Self:
        """The signal after the same was seen again: counted, and told as the last beside the
        first.
        """
        return replace(self, measured=self.measured + 1, evidence=(self.evidence[0], fact))

    def resolved(
        self, resolution: Resolution, by: Mapping[str, str], reason: str, now: datetime
    ) -> Self:
        """The signal as decided; RiskSignalResolved the second time."""
        state = STATES.get((self.state, resolution))
        if state is None:
            raise RiskSignalResolved
        until = now + _PASSES if state is SignalState.RELEASED else None
        return replace(
            self,
            state=state,
            resolved_by=by,
            resolved_at=now,
            reason=reason,
            released_until=until,
        )


@dataclass(frozen=True, slots=True)
class Raised:
    """What later calls need of a patient's signal."""

    signal_id: UUID
    kind: RiskKind
    other_id: UUID | None
    institution_code: str
    released_until: datetime | None

    def lets_pass(
        self, kind: RiskKind, other_id: UUID | None, institution_code: str, now: datetime
    ) -> bool:
        """Whether the same was found harmless less than a day ago."""
        if self.released_until is None or now >= self.released_until:
            return False
        same = (self.kind, self.other_id, self.institution_code)
        return same == (kind, other_id, institution_code)
