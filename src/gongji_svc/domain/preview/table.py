"""A case as it was parsed, read strictly.

Rule: a key that is absent or null is not stated. Everything else must have its type, or a
`CaseError` names the case and the key.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

from gongji_svc.domain.calendar import SHANGHAI, start_of
from gongji_svc.domain.policy_values import Reader, flag, text, whole

T = TypeVar("T")

_MOST = 1000  # years, months or times in one case
_SYNONYMS = {  # other words for a key, taken where the key itself is known
    "binding_time": "bound_at",
    "bound_on": "bound_at",
    "chosen_binding_id": "chosen_donor",
    "pool": "account_kind",
    "payment_date": "paid_on",
}


class CaseError(Exception):
    """A case that cannot be read or decided: which case, which key, and why."""

    def __init__(self, case: str, key: str, why: str) -> None:
        super().__init__(f"{case}: {key}: {why}" if key else f"{case}: {why}")
        self.case = case
        self.key = key
        self.why = why


class Table:
    """One table of a case; `place` is its path from the case, such as "given.donors[1]"."""

    def __init__(self, case: str, place: str, data: object, known: Collection[str]) -> None:
        self.case = case
        self._place = place
        if not isinstance(data, Mapping):
            raise CaseError(case, place, "expected a table")
        self._data: dict[str, Any] = {}
        for stated, value in data.items():
            key = str(stated)
            name = key if key in known else _SYNONYMS.get(key, key)
            if name not in known:
                raise self.error(key, f"unknown key; expected {', '.join(known)}")
            if name in self._data:
                raise self.error(key, f"says again what {name} says")
            self._data[name] = value

    def error(self, key: str, why: str) -> CaseError:
        """An error at one key of this table."""
        return CaseError(self.case, self._path(key), why)

    def _path(self, key: str) -> str:
        return ".".join(part for part in (self._place, key) if part)

    def stated(self, key: str) -> Any:
        """The value as parsed; None when it is not stated."""
        return self._data.get(key)

    def read(self, key: str, reader: Reader[T]) -> T | None:
        """The value by a reader of policy values."""
        value = self._data.get(key)
        return None if value is None else self.check(key, reader, value)

    def check(self, key: str, reader: Reader[T], value: object) -> T:
        """Some value of a key by a reader of policy values."""
        try:
            return reader(value)
        except ValueError as error:
            raise self.error(key, str(error)) from None

    def fen(self, key: str) -> int | None:
        """An amount in fen: an integer from 0."""
        return self.read(key, whole)

    def count(self, key: str) -> int | None:
        """A number of years, months or times."""
        return self.read(key, _count)

    def flag(self, key: str) -> bool | None:
        return self.read(key, flag)

    def text(self, key: str) -> str:
        """A text that must be there."""
        value = self.read(key, text)
        if value is None:
            raise self.error(key, "expected a text")
        return value

    def word(self, key: str, words: Collection[str]) -> str:
        """One of some words, or of some codes that may be written as a number."""
        value = str(self._data.get(key))
        if value not in words:
            raise self.error(key, f"expected one of {', '.join(words)}")
        return value

    def day(self, key: str) -> date | None:
        """A date, or a text such as "2025-03-24"."""
        return self.read(key, _day)

    def instant(self, key: str) -> datetime | None:
        """An instant; a date is its first moment in Asia/Shanghai."""
        return self.read(key, _instant)

    def table(self, key: str, known: Collection[str]) -> "Table":
        """A table in this one; one that is not stated is empty."""
        value = self._data.get(key)
        return Table(self.case, self._path(key), {} if value is None else value, known)

    def tables(self, key: str, known: Collection[str]) -> list["Table"]:
        """A list of tables in this one."""
        value = self._data.get(key)
        if value is None:
            return []
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise self.error(key, "expected a list")
        return [
            Table(self.case, f"{self._path(key)}[{at}]", each, known)
            for at, each in enumerate(value)
        ]


def _count(value: object) -> int:
    number = whole(value)
    if number > _MOST:
        raise ValueError(f"expected at most {_MOST}")
    return number


def _day(value: object) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError("expected a date such as 2025-03-24") from None


def _instant(value: object) -> datetime:
    if isinstance(value, date) and not isinstance(value, datetime):
        return start_of(value)
    try:
        read = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError("expected a date such as 2025-03-24, or an instant") from None
    return read if read.tzinfo is not None else read.replace(tzinfo=SHANGHAI)
