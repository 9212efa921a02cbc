"""Guardians: who may act for somebody else.

Rule (docs/decisions/readings.md#guardians): a parent acts for a ward under 18, a registered
guardian for as long as the guardianship runs.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from gongji_svc.domain.calendar import shift_years

_OF_AGE_YEARS = 18


class GuardianKind(StrEnum):
    """Why somebody is a guardian."""

    PARENT = "PARENT"
    REGISTERED = "REGISTERED"


@dataclass(frozen=True, slots=True)
class Guardian:
    """Somebody who may act for a ward; `from_` None: always was, `to` is the last day."""

    guardian_id: UUID
    kind: GuardianKind = GuardianKind.PARENT
    from_: date | None = None
    to: date | None = None

    def acts_on(self, day: date, ward_born_on: date) -> bool:
        """Whether the guardian may act for the ward on that day."""
        begun = self.from_ is None or self.from_ <= day
        running = self.to is None or day <= self.to
        of_age = shift_years(ward_born_on, _OF_AGE_YEARS) <= day
        return begun and running and not (of_age and self.kind is GuardianKind.PARENT)
