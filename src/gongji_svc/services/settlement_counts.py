"""CountSettlements: what a region settled and gave back, for its agency's dashboard.

Rule: every stretch has its row, also where nothing happened. The last one ends with the time asked
for, or now, and may be shorter.
"""

from datetime import datetime, timedelta

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain.access import Caller
from gongji_svc.domain.errors import Violation
from gongji_svc.services import messages
from gongji_svc.services.days import instant, timestamp
from gongji_svc.services.office import Office
from gongji_svc.storage.holds import read_clock
from gongji_svc.storage.settlement_counts import Count, count_settlements

_MOST_STRETCHES = 1_500
_MINUTE = timedelta(minutes=1)


def count_of_settlements(
    office: Office,
    caller: Caller,  # noqa: ARG001 - the contract's grant names the region itself
    request: pb.CountSettlementsRequest,
) -> pb.CountSettlementsResponse:
    """The stretches in order of time; InvalidField for none, or for more than 1 500."""
    since = instant("recorded_from", request.recorded_from)
    stretch = request.stretch.ToTimedelta() if request.HasField("stretch") else _MINUTE
    with office.database.reader() as tx:
        if request.HasField("recorded_to"):
            until = instant("recorded_to", request.recorded_to)
        else:
            until = read_clock(tx) + office.clock_offset
        starts = _starts(since, until, stretch)
        found = count_settlements(tx, request.region, since, until, stretch)
    by_start = {one.start: one for one in found}
    return pb.CountSettlementsResponse(
        counts=[_message(start, by_start.get(start)) for start in starts]
    )


def _starts(since: datetime, until: datetime, stretch: timedelta) -> list[datetime]:
    if until <= since:
        raise messages.invalid(Violation("recorded_from", "开始时间须早于结束时间，请更正"))
    number = -((since - until) // stretch)
    if number > _MOST_STRETCHES:
        wrong = f"时段最多{_MOST_STRETCHES}个，请缩短起止时间或加长每段时长"
        raise messages.invalid(Violation("stretch", wrong))
    return [since + place * stretch for place in range(number)]


def _message(start: datetime, count: Count | None) -> pb.SettlementCount:
    message = pb.SettlementCount(start=timestamp(start))
    if count is not None:
        for name in Count.__slots__[1:]:
            setattr(message, name, getattr(count, name))
    return message
