"""Days and months as the rules count them.

Rule: a day is a day in Asia/Shanghai, which has been UTC+8 without summer time since 1991.
"""

import calendar as gregorian
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time as a rule states it: months, then days."""

    months: int = 0
    days: int = 0

    def after(self, day: date) -> date:
        """The day that lies this long after a day."""
        return add_months(day, self.months) + timedelta(days=self.days)


def day_of(instant: datetime) -> date:
    """The day in Asia/Shanghai of an instant (with its time zone)."""
    return instant.astimezone(SHANGHAI).date()


def start_of(day: date) -> datetime:
    """The first instant of a day in Asia/Shanghai."""
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)


def add_months(day: date, months: int) -> date:
    """The same day so many months later; the last of the month where that day does not exist."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, gregorian.monthrange(year, month + 1)[1]))


def first_of_next_month(day: date) -> date:
    """The first day of the month after a day's."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def shift_years(day: date, years: int) -> date:
    """The same day in another year; 29 February becomes the 28th where there is none."""
    return add_months(day, years * 12)
