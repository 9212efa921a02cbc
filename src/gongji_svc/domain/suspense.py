"""Money that came back for a closed account (暂存款), until the agency deals with it; and premiums
that a region pays back to bank accounts, until it has paid them out.

Rule: an item is dealt with once. Its line in the books names the account that had paid, so that
what is in suspense can be told account by account.
"""

from enum import StrEnum
from uuid import UUID

from gongji_svc.domain.errors import SuspenseResolved
from gongji_svc.domain.journal import Line, Side


class SuspenseState(StrEnum):
    """Where an item stands."""

    OPEN = "OPEN"
    RESOLVED = "RESOLVED"


def resolved(state: SuspenseState) -> SuspenseState:
    """The state after the agency dealt with an item; SuspenseResolved the second time."""
    if state is SuspenseState.RESOLVED:
        raise SuspenseResolved
    return SuspenseState.RESOLVED


def suspense_line(region: str, account_id: UUID, amount_fen: int) -> Line:
    """What a region's books hold for such an account; negative fen leave suspense."""
    return Line(region, Side.SUSPENSE, str(account_id), amount_fen)
