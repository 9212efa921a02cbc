"""What a region owes and has to get: its positions with institutions and with other regions.

Rule: a position is a sum of the ledger's lines, so the two sides of a pair of regions mirror each
other, and the nets of all regions over the same days sum to zero. What came back is taken off; a
sum that it takes below zero stands on the other side, so neither side is ever negative.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum


class PositionKind(StrEnum):
    """With whom a position is; institutions come first."""

    INSTITUTION = "INSTITUTION"
    REGION = "REGION"


@dataclass(frozen=True, slots=True)
class Position:
    """What a region owes to one other, and has to get from it, in fen; `fund_fen` is the part of
    the net that is fund money, `code` the institution's or the other region's.
    """

    kind: PositionKind
    code: str
    payable_fen: int
    receivable_fen: int
    fund_fen: int
    journals: int

    @property
    def net_fen(self) -> int:
        """What is to get less what is to pay; negative: this region pays."""
        return self.receivable_fen - self.payable_fen

    @property
    def account_fen(self) -> int:
        """The part of the net that is money of personal accounts."""
        return self.net_fen - self.fund_fen

    @property
    def place(self) -> tuple[str, str]:
        """Where it stands in the order of positions."""
        return self.kind.value, self.code

    def from_zero(self) -> "Position":
        """The same with both sides from 0: what is below stands on the other side."""
        payable_fen, receivable_fen = self.payable_fen, self.receivable_fen
        return replace(
            self,
            payable_fen=max(payable_fen, 0) + max(-receivable_fen, 0),
            receivable_fen=max(receivable_fen, 0) + max(-payable_fen, 0),
        )


def payable_fen(positions: Iterable[Position]) -> int:
    """What a region pays to its institutions, less what they have to give back."""
    institutions = (one for one in positions if one.kind is PositionKind.INSTITUTION)
    return -sum(one.net_fen for one in institutions)


def net_fen(positions: Iterable[Position]) -> int:
    """A region's claim on all other regions; negative: a debt."""
    return sum(one.net_fen for one in positions if one.kind is PositionKind.REGION)
