"""Days are days in Shanghai."""

from datetime import UTC, date, datetime

from gongji_svc.domain.calendar import (
    Span,
    add_months,
    day_of,
    first_of_next_month,
    shift_years,
    start_of,
)


def test_a_day_begins_at_midnight_in_shanghai() -> None:
    assert day_of(datetime(2024, 12, 31, 16, tzinfo=UTC)) == date(2025, 1, 1)
    assert day_of(datetime(2024, 12, 31, 15, 59, tzinfo=UTC)) == date(2024, 12, 31)
    assert day_of(start_of(date(2025, 1, 1))) == date(2025, 1, 1)


def test_a_month_later_is_the_last_day_where_the_month_is_shorter() -> None:
    assert add_months(date(2025, 1, 31), 1) == date(2025, 2, 28)
    assert add_months(date(2024, 11, 30), 3) == date(2025, 2, 28)
    assert add_months(date(2024, 3, 1), -1) == date(2024, 2, 1)
    assert shift_years(date(2024, 2, 29), 1) == date(2025, 2, 28)


def test_the_month_after_december_is_january() -> None:
    assert first_of_next_month(date(2024, 12, 5)) == date(2025, 1, 1)
    assert first_of_next_month(date(2025, 1, 31)) == date(2025, 2, 1)


def test_a_span_counts_months_then_days() -> None:
    assert Span(months=1, days=1).after(date(2025, 1, 31)) == date(2025, 3, 1)
    assert Span().after(date(2025, 1, 31)) == date(2025, 1, 31)
