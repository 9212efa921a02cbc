"""The kinds of value that a region's policy file may state, each with its reader.

Rule: a reader takes what TOML gives and returns a typed, frozen value, or raises ValueError with
what it expected. `"NONE"` withdraws an inherited value where a value is optional.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar

from gongji_svc.domain.calendar import Span
from gongji_svc.domain.money import BP
from gongji_svc.domain.terms import (
    Channel,
    DocumentKind,
    DocumentOf,
    InstitutionLevel,
    PersonType,
)

T = TypeVar("T")
K = TypeVar("K")
E = TypeVar("E", bound=StrEnum)
Reader = Callable[[object], T]

_GREATEST = 10**15  # fen; sums of it stay far inside 64 bits


@dataclass(frozen=True, slots=True)
class Caps:
    """Most that may be paid in each stretch of time, in fen; None: no limit."""

    per_settlement_fen: int | None = None
    per_day_fen: int | None = None
    per_month_fen: int | None = None
    per_year_fen: int | None = None


NO_CAPS = Caps()


@dataclass(frozen=True, slots=True)
class ChannelRule:
    """A way to apply for a binding: its name, the menu path shown to people, its review."""

    channel: Channel
    name: str
    steps: tuple[str, ...]
    review_required: bool


@dataclass(frozen=True, slots=True)
class DocumentRule:
    """A document that an application needs: any one of these kinds, of this person."""

    any_of: frozenset[DocumentKind]
    of: DocumentOf


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of days, both ends included."""

    from_: date
    to: date

    def __contains__(self, day: date) -> bool:
        return self.from_ <= day <= self.to


@dataclass(frozen=True, slots=True)
class PremiumGroup:
    """What a special group pays of a premium: a fixed amount, or the standard less a subsidy."""

    payable_fen: int | None = None
    subsidy_fen: int | None = None


@dataclass(frozen=True, slots=True)
class MonthDay:
    """A day that comes back every year."""

    month: int
    day: int

    def in_year(self, year: int) -> date:
        return date(year, self.month, self.day)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a region tells people, without effect on a settlement."""

    id: str
    text: str


def at(place: str, reader: Reader[Any], neutral: object) -> Any:
    """A field of `Policy`: its place in the file ("group.key"), how it is read, and its neutral
    value.
    """
    return field(default_factory=lambda: neutral, metadata={"place": place, "reader": reader})


def flag(value: object) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise ValueError("expected true or false")
    return value


def always(value: object) -> bool:
    """true: that it is so everywhere; no region may say otherwise."""
    if value is not True:
        raise ValueError("expected true: nothing else is served")
    return value


def whole(value: object) -> int:
    """A count, a number of months or days, or an amount in fen: an integer from 0."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _GREATEST:
        raise ValueError(f"expected an integer from 0 to {_GREATEST}")
    return value


def ratio(value: object) -> int:
    """Basis points, 0 to 10 000."""
    number = whole(value)
    if number > BP:
        raise ValueError("expected basis points from 0 to 10000")
    return number


def day(value: object) -> date:
    """A TOML date."""
    if isinstance(value, datetime) or not isinstance(value, date):
        raise ValueError("expected a date such as 2024-09-01")
    return value


def text(value: object) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("expected a text that is not empty")
    return value


def year(value: object) -> int:
    """A calendar year; a table's keys are texts, so "2025" is one too."""
    number = int(value) if isinstance(value, str) and value.isdigit() else value
    if isinstance(number, bool) or not isinstance(number, int) or not 2000 <= number <= 2999:
        raise ValueError("expected a year such as 2025")
    return number


def one_of(words: type[E]) -> Reader[E]:
    """One word of an enumeration."""

    def read(value: object) -> E:
        if not isinstance(value, str) or value not in words.__members__:
            raise ValueError(f"expected one of {', '.join(words)}")
        return words[value]

    return read


def optional(reader: Reader[T]) -> Reader[T | None]:
    """What the reader takes, or "NONE": an inherited value is withdrawn."""

    def read(value: object) -> T | None:
        return None if value == "NONE" else reader(value)

    return read


def list_of(reader: Reader[T]) -> Reader[tuple[T, ...]]:
    """A list in its order, nothing twice."""

    def read(value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise ValueError("expected a list")
        items = tuple(reader(item) for item in value)
        if any(item in items[:at] for at, item in enumerate(items)):
            raise ValueError("expected no value twice")
        return items

    return read


def set_of(reader: Reader[T]) -> Reader[frozenset[T]]:
    """A list whose order means nothing."""
    items = list_of(reader)
    return lambda value: frozenset(items(value))


def mapping_of(key: Reader[K], reader: Reader[T]) -> Reader[Mapping[K, T]]:
    """A table whose keys and values are all of one kind."""

    def read(value: object) -> Mapping[K, T]:
        if not isinstance(value, dict):
            raise ValueError("expected a table")
        return MappingProxyType({key(name): _read_at(name, reader, v) for name, v in value.items()})

    return read


def record(kind: Callable[..., T], /, **readers: Reader[Any]) -> Reader[T]:
    """A table whose keys are the fields of a dataclass; fields with a default may be absent."""

    def read(value: object) -> T:
        if not isinstance(value, dict):
            raise ValueError("expected a table")
        unknown = sorted(set(value) - set(readers))
        if unknown:
            raise ValueError(f"unknown key {unknown[0]}; expected {', '.join(readers)}")
        fields = {
            "from_" if name == "from" else name: _read_at(name, readers[name], v)
            for name, v in value.items()
        }
        try:
            return kind(**fields)
        except TypeError:
            missing = ", ".join(name for name in readers if name not in value)
            raise ValueError(f"expected also {missing}") from None

    return read


def _read_at(name: str, reader: Reader[T], value: object) -> T:
    try:
        return reader(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def by_person_type(reader: Reader[T]) -> Reader[Mapping[PersonType, T]]:
    """One value for everybody, or a table by person type."""
    table = mapping_of(one_of(PersonType), reader)

    def read(value: object) -> Mapping[PersonType, T]:
        if isinstance(value, dict):
            return table(value)
        return MappingProxyType(dict.fromkeys(PersonType, reader(value)))

    return read


def by_level(reader: Reader[T]) -> Reader[Mapping[InstitutionLevel, T]]:
    """A table by level of institution; NONE can't be given, it counts as PRIMARY."""
    table = mapping_of(one_of(InstitutionLevel), reader)

    def read(value: object) -> Mapping[InstitutionLevel, T]:
        levels = table(value)
        if InstitutionLevel.NONE in levels:
            raise ValueError("expected no value for NONE: it counts as PRIMARY")
        return levels

    return read


def window(value: object) -> Window:
    """{ from = ..., to = ... }, in order."""
    read = _window_record(value)
    if read.to < read.from_:
        raise ValueError("to lies before from")
    return read


def premium_group(value: object) -> PremiumGroup:
    """{ payable_fen = ... } or { subsidy_fen = ... }."""
    read = _premium_group_record(value)
    if (read.payable_fen is None) == (read.subsidy_fen is None):
        raise ValueError("expected either payable_fen or subsidy_fen")
    return read


def month_day(value: object) -> MonthDay:
    """{ month = ..., day = ... }, a day of every year."""
    read = _month_day_record(value)
    try:
        read.in_year(2023)  # a year without 29 February
    except ValueError:
        raise ValueError("expected a month and a day of every year") from None
    return read


_window_record = record(Window, **{"from": day, "to": day})
_premium_group_record = record(PremiumGroup, payable_fen=whole, subsidy_fen=whole)
_month_day_record = record(MonthDay, month=whole, day=whole)

span = record(Span, months=whole, days=whole)
caps = record(
    Caps,
    per_settlement_fen=whole,
    per_day_fen=whole,
    per_month_fen=whole,
    per_year_fen=whole,
)
channel_rule = record(
    ChannelRule,
    channel=one_of(Channel),
    name=text,
    steps=list_of(text),
    review_required=flag,
)
document_rule = record(DocumentRule, any_of=set_of(one_of(DocumentKind)), of=one_of(DocumentOf))
notice = record(Notice, id=text, text=text)
