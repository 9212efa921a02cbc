"""Between the contract's dates and days, its timestamps and instants.

Rule: a date that is no day of the calendar is a field error; an absent one stays absent.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.errors import Violation
from gongji_svc.services import messages

CLOCKS_DIFFER = timedelta(minutes=5)
"""How far a caller's clock may be ahead of ours (docs/decisions/readings.md#occurred_at)."""


def instant(field: str, value: Timestamp) -> datetime:
    """A moment of the contract; InvalidField when there is none, or none that has a day here."""
    try:
        moment = value.ToDatetime(tzinfo=UTC)
        day_of(moment)
    except (ValueError, OverflowError) as wrong:
        raise messages.invalid(Violation(field, "时间不正确，请更正")) from wrong
    return moment


def day_in(message: Message, name: str, path: str = "") -> date | None:
    """The day in a date field, None where it is absent; InvalidField at `path`.`name` when it is
    no day.
    """
    if not message.HasField(name):
        return None
    value: Any = getattr(message, name)
    try:
        return date(value.year, value.month, value.day)
    except (ValueError, OverflowError) as wrong:
        field = f"{path}.{name}" if path else name
        raise messages.invalid(Violation(field, "日期不存在，请更正")) from wrong


def timestamp(moment: datetime) -> Timestamp:
    """The contract's timestamp of a moment."""
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def date_of(day: date | None) -> Date | None:
    """The contract's date of a day."""
    return None if day is None else Date(year=day.year, month=day.month, day=day.day)
