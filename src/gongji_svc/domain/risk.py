"""Risk signals (风险预警): suspicious patterns, kept with their evidence for the agency to judge.

Rule: a signal tells what was seen and what was done about it. Only the agency says what it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

Fact = Mapping[str, Any]
"""One fact behind a signal: values that JSON can hold, nobody's name or number of a certificate."""


class RiskKind(StrEnum):
    """What raises a signal."""

    CREDENTIAL_MISUSE = "CREDENTIAL_MISUSE"


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
