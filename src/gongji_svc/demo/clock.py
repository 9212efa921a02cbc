"""The demo's clock: the real one, or one that was started on another day.

Rule: who moves it keeps the time of day, so all who are told the same day have the same clock.
"""

import argparse
from datetime import UTC, date, datetime, timedelta

from gongji_svc.domain.calendar import day_of


def offset_to(on: date | None) -> timedelta:
    """How far a clock that starts on that day is from the real one; None: it is the real one."""
    return timedelta() if on is None else timedelta(days=(on - day_of(datetime.now(UTC))).days)


def day_argument(text: str) -> date:
    """The day that an argument names."""
    try:
        return date.fromisoformat(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day: write YYYY-MM-DD") from wrong
