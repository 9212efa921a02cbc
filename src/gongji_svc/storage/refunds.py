"""What was given back of a settlement: its steps, beside it, and how they are found.

Rule: a step is written once and never changed (RF-02). Whoever takes one holds the person lock of
the settlement's patient, so that its number is the next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from gongji_svc.storage import tables
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.state import State
from gongji_svc.storage.statements import Row

_REFUNDS = tables.refunds.c


@dataclass(frozen=True, slots=True)
class RefundRow:
    """A row of `refunds`, by name; amounts in fen.

    `detail` has the settlement's `state` after it, the `lines` that came back, the `legs` with
    their accounts, and the plan of the `rest`.
    """

    region: str
    settlement_id: UUID
    step: int
    id: UUID
    request_id: str
    cancellation: bool
    total_fen: int
    fund_fen: int
    account_fen: int
    cash_fen: int
    detail: Mapping[str, Any]
    reason: str
    recorded_at: datetime

    def row(self) -> Row:
        """The values in column order."""
        return tuple(getattr(self, name) for name in self.__slots__)


def refunds_in(state: State, settlement_id: UUID) -> Sequence[RefundRow]:
    """The gathered steps of a settlement, in their order."""
    rows = (RefundRow(*row) for row in state.refunds[settlement_id])
    return sorted(rows, key=lambda row: row.step)


def find_refunds(tx: Connection, settlement_id: UUID) -> Sequence[RefundRow]:
    """The steps of a settlement, in their order."""
    query = (
        select(*_REFUNDS)
        .where(_REFUNDS.region == region_of(settlement_id), _REFUNDS.settlement_id == settlement_id)
        .order_by(_REFUNDS.step)
    )
    return [RefundRow(*row) for row in tx.execute(query)]
