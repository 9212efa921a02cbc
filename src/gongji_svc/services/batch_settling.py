"""BatchSettle: bills that waited for the line to come back, and those of platforms.

Rule: each is the command of a single call, settled in the order given. What the lines of all cost
together is bounded, whatever the number of bills.
"""

from collections.abc import Sequence

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain.errors import Violation
from gongji_svc.engine import Answered, Outcome
from gongji_svc.services import messages
from gongji_svc.services.asked import Asked
from gongji_svc.services.batching import Batch, Item, error_of, read_items
from gongji_svc.services.contract import method_of
from gongji_svc.services.office import Office
from gongji_svc.services.settling import read_settle

_SETTLE = method_of("SettlementService", "Settle")
_MOST_LINES = 10_000


def _read_batch(office: Office, asked: Asked) -> Sequence[Item]:
    settlements = asked.message.settlements
    if sum(len(one.items) for one in settlements) > _MOST_LINES:
        wrong = f"一批的明细合计不能超过{_MOST_LINES}行，请分批上传"
        raise messages.invalid(Violation("settlements", wrong))
    return read_items(office, asked, _SETTLE, settlements, read_settle)


def _batch_answer(outcomes: Sequence[Outcome]) -> pb.BatchSettleResponse:
    return pb.BatchSettleResponse(
        results=[_result(index, outcome) for index, outcome in enumerate(outcomes)]
    )


def _result(index: int, outcome: Outcome) -> pb.BatchSettleResult:
    if not isinstance(outcome, Answered):
        return pb.BatchSettleResult(index=index, error=error_of(outcome))
    settlement = pb.SettleResponse.FromString(outcome.answer).settlement
    return pb.BatchSettleResult(index=index, settlement=settlement, replayed=outcome.replayed)


BATCH_SETTLE = Batch(_read_batch, _batch_answer)
"""Settlements of one call, in their order."""
