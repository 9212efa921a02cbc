"""Who calls: the role, what it acts for, and the person behind it.

Rule: nobody acts outside their subject. Where a second person has to decide, one person spelled in
two ways is no second one.
"""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a caller may do; the contract says it for each call."""

    POS = "pos"
    CITIZEN = "citizen"
    COUNTER = "counter"
    REVIEWER = "reviewer"
    AGENCY = "agency"
    PLATFORM = "platform"
    TAX = "tax"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller; `subject` is an institution code, a person id or a region."""

    role: Role
    subject: str
    actor: str = ""
    origin: str = ""  # network address, for the audit trail

    @property
    def who(self) -> str:
        """Who it is, wherever the call comes from."""
        return self.role + "\0" + self.subject + "\0" + self.actor


def same_actor(one: str, other: str) -> bool:
    """Whether two actors are one person: full width, capitals and blanks make no difference."""
    return _plain(one) == _plain(other)


def _plain(actor: str) -> str:
    return "".join(unicodedata.normalize("NFKC", actor).casefold().split())
