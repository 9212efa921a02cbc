"""A pharmacy's counter, at which a request is refused and the next one is served.

Rule: whatever is refused leaves no row behind, but that staff were refused in the audit trail, and
the service lives on: both are looked at after every refusal.
"""

from dataclasses import dataclass

import grpc
import pytest
import sqlalchemy

from gongji_svc.storage.database import row_counts
from tests.end_to_end.purchases import purchase
from tests.end_to_end.refusals import Refusal, refusal_of
from tests.end_to_end.service import Service, Till
from tests.families import Families, Made

_DENIED = "ACCESS_DENIED"


@dataclass(frozen=True, slots=True)
class Counter:
    """A pharmacy and somebody who buys there."""

    service: Service
    families: Families
    code: str
    patient: Made

    @property
    def till(self) -> Till:
        """The pharmacy's till."""
        return self.service.till(self.code)

    def refused(self, body: bytes, till: Till | None = None) -> Refusal:
        """The refusal of a request; asserts that it left nothing behind and that sales go on."""
        before = self.rows()
        with pytest.raises(grpc.RpcError) as caught:
            (till or self.till).send(body)
        refusal = refusal_of(caught.value)
        assert self.rows() == before
        self.sell()
        return refusal

    def sell(self) -> None:
        """One purchase as it should be."""
        answer = self.till.settle(purchase(self.code, self.patient, total_fen=100))
        assert answer.settlement.breakdown.total_fen == 100

    def rows(self) -> dict[str, int]:
        """How many rows each table holds, the audit trail without what was refused."""
        refused = sqlalchemy.text("SELECT count(*) FROM audit_records WHERE reason = :reason")
        with self.service.database.reader() as tx:
            counts = row_counts(tx)
            counts["audit_records"] -= tx.execute(refused, {"reason": _DENIED}).scalar_one()
            return counts
