"""Double entry: a journal's lines sum to zero within each region.

Rule: money that crosses regions is closed on either side by a clearing line that names the
counter-region; so each region's books balance alone, and the two clearing lines of a pair are the
one's claim and the other's debt.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class Side(StrEnum):
    """What stands opposite a personal account; lines only, no stored balance."""

    INSTITUTION_PAYABLE = "INSTITUTION_PAYABLE"
    FUND = "FUND"
    CONTRIBUTION = "CONTRIBUTION"
    PREMIUM_PAYABLE = "PREMIUM_PAYABLE"
    SUSPENSE = "SUSPENSE"
    ADJUSTMENT = "ADJUSTMENT"
    PAYOUT = "PAYOUT"
    CLEARING = "CLEARING"


class EntryKind(StrEnum):
    """Why an account moved, as its owner reads it."""

    ALLOCATION = "ALLOCATION"
    INTEREST = "INTEREST"
    OTHER = "OTHER"
    SETTLEMENT_OWN = "SETTLEMENT_OWN"
    SETTLEMENT_MUTUAL_AID = "SETTLEMENT_MUTUAL_AID"
    REFUND_OWN = "REFUND_OWN"
    REFUND_MUTUAL_AID = "REFUND_MUTUAL_AID"
    PREMIUM = "PREMIUM"
    PREMIUM_REFUND = "PREMIUM_REFUND"
    ADJUSTMENT = "ADJUSTMENT"
    TRANSFER = "TRANSFER"
    SUSPENSE = "SUSPENSE"


@dataclass(frozen=True, slots=True)
class Posting:
    """A movement of one personal account; negative fen leave it."""

    account_id: UUID
    pool_region: str
    kind: EntryKind
    amount_fen: int
    beneficiary_id: UUID | None = None
    binding_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A movement of anything that is not a personal account, in one region's books."""

    region: str
    side: Side
    counterparty: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Journal:
    """One movement of money: postings and lines that sum to zero within each region."""

    journal_id: UUID
    home: str
    occurred_at: datetime
    postings: Sequence[Posting]
    lines: Sequence[Line]
    source_id: UUID | None = None
    counterparty: str | None = None
    memo: str | None = None

    def closed(self) -> "Journal":
        """The journal with its clearing lines, each other region against `home`."""
        sums: defaultdict[str, int] = defaultdict(int)
        for posting in self.postings:
            sums[posting.pool_region] += posting.amount_fen
        for line in self.lines:
            sums[line.region] += line.amount_fen
        if sum(sums.values()) != 0:
            raise ValueError(f"journal {self.journal_id} does not sum to zero")
        clearing: list[Line] = []
        for region in sorted(region for region in sums if sums[region] and region != self.home):
            clearing.append(Line(region, Side.CLEARING, self.home, -sums[region]))
            clearing.append(Line(self.home, Side.CLEARING, region, sums[region]))
        return replace(self, lines=(*self.lines, *clearing)) if clearing else self
