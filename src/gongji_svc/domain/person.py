"""A person as the rules see one: where and since when insured, and what else decides a benefit.

Rule: values only. Names and numbers that identify someone come here decrypted for one decision and
are never kept.
"""

import unicodedata
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from gongji_svc.domain.guardian import Guardian
from gongji_svc.domain.terms import (
    AccountKind,
    AccountState,
    Insurance,
    InsuredStatus,
    PersonType,
)

PUBLICLY_FUNDED = "PUBLICLY_FUNDED"  # 公费医疗, kept among the identities


class PremiumYearKind(StrEnum):
    """How an insurance year came to be paid."""

    PAID = "PAID"
    REPAIRED = "REPAIRED"


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of insurance in one status; `to` is its last day, None while it runs."""

    from_: date
    to: date | None = None
    status: InsuredStatus = InsuredStatus.NORMAL
    as_individual: bool = False

    def covers(self, day: date) -> bool:
        return self.from_ <= day and (self.to is None or day <= self.to)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One insurance of one person; periods in order of their first days, without overlap."""

    insurance: Insurance
    region: str
    person_type: PersonType
    periods: tuple[Period, ...]
    arrears_paid_on: date | None = None


@dataclass(frozen=True, slots=True)
class PremiumYear:
    """An insurance year that is paid for, as an agency stated it; or, with `payment_id` and
    `benefit_from`, as a payment brought it (premium_year.py).
    """

    year: int
    paid_on: date
    kind: PremiumYearKind = PremiumYearKind.PAID
    benefit_from: date | None = None
    payment_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ReferralFiling:
    """异地备案: care in another region is filed for; `to` is the last day."""

    region: str
    from_: date
    to: date | None = None

    def covers(self, region: str, day: date) -> bool:
        """Whether it names the region, or its province, on that day."""
        same = self.region in (region, region[:2] + "0000")
        return same and self.from_ <= day and (self.to is None or day <= self.to)


@dataclass(frozen=True, slots=True)
class Person:
    """What the rules need to know of somebody."""

    person_id: UUID
    name: str = ""
    birth_date: date | None = None
    died_on: date | None = None
    enrolments: tuple[Enrolment, ...] = ()
    premium_years: tuple[PremiumYear, ...] = ()
    identities: frozenset[str] = frozenset()
    chronic_diseases: frozenset[str] = frozenset()
    referral_filings: tuple[ReferralFiling, ...] = ()
    guardians: tuple[Guardian, ...] = ()

    @property
    def publicly_funded(self) -> bool:
        return PUBLICLY_FUNDED in self.identities

    def has_guardian(self, person_id: UUID, day: date) -> bool:
        """Whether that other person may act for this one on a day."""
        return self.birth_date is not None and any(
            one.guardian_id == person_id and one.acts_on(day, self.birth_date)
            for one in self.guardians
        )

    def enrolment_in(self, insurance: Insurance, region: str) -> Enrolment | None:
        """The enrolment of this kind in this region, if there is one."""
        for enrolment in self.enrolments:
            if enrolment.insurance is insurance and enrolment.region == region:
                return enrolment
        return None

    def benefit_from(self, enrolment: Enrolment, day: date) -> date | None:
        """First day of benefit after the premium of the day's year (PRE-05), if known."""
        paid = [one.benefit_from for one in self.premium_years if one.year == day.year]
        if enrolment.insurance is not Insurance.RESIDENT or None in paid:
            return None
        return min((begins for begins in paid if begins is not None), default=None)


def same_name(name: str, other: str) -> bool:
    """Whether two spellings are one name: blanks and full-width forms make no difference."""
    return _plain(name) == _plain(other)


def _plain(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).split())


@dataclass(frozen=True, slots=True)
class Account:
    """A personal account under lock; amounts in fen.

    `named_hold_fen` is the part of `held_fen` that belongs to holds which the settlement at hand
    names: that part is free for it.
    """

    account_id: UUID
    person_id: UUID
    region: str
    kind: AccountKind
    balance_fen: int
    held_fen: int = 0
    frozen_quota_fen: int = 0
    state: AccountState = AccountState.OPEN
    named_hold_fen: int = 0

    @property
    def spendable_fen(self) -> int:
        """For own use: balance less holds and frozen quota; nothing unless open."""
        if self.state is not AccountState.OPEN:
            return 0
        free = self.balance_fen - self.held_fen + self.named_hold_fen - self.frozen_quota_fen
        return max(0, free)
