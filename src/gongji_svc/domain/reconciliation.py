"""Reconciliation (对账): an institution's day against ours, by sums (3201) and row by row (3202).

Rule: every row of either side is matched with at most one of the other, and what is left over is a
difference. So the differences explain, to the fen, by how much the sums of the two sides differ;
a sale that an institution has booked twice is one of them, not an error.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple, Self
from uuid import UUID

from gongji_svc.domain.errors import DifferenceResolved


class DifferenceKind(StrEnum):
    """How a row differs."""

    MISSING_HERE = "MISSING_HERE"
    MISSING_THERE = "MISSING_THERE"
    AMOUNT_DIFFERS = "AMOUNT_DIFFERS"


class DifferenceState(StrEnum):
    """Whether a difference is put right."""

    OPEN = "OPEN"
    RESOLVED = "RESOLVED"


class DifferenceResolution(StrEnum):
    """How a difference was put right."""

    CORRECTED_HERE = "CORRECTED_HERE"
    CORRECTED_THERE = "CORRECTED_THERE"
    EXPLAINED = "EXPLAINED"


class Row(NamedTuple):
    """A settlement, or a refund or cancellation of one with negative amounts; fen.

    One of an institution names the settlement, the request, or both; ours name both.
    """

    settlement_id: UUID | None
    request_id: str
    refund: bool
    total_fen: int
    fund_pay_fen: int
    account_pay_fen: int

    @property
    def amounts_fen(self) -> tuple[int, int, int]:
        """What is compared."""
        return self[3:]


class Mismatch(NamedTuple):
    """What does not agree: a row of each side, or of one; `copy` counts equal ones, from 1."""

    there: Row | None
    here: Row | None
    copy: int = 1

    @property
    def kind(self) -> DifferenceKind:
        """How it differs."""
        if self.here is None:
            return DifferenceKind.MISSING_HERE
        if self.there is None:
            return DifferenceKind.MISSING_THERE
        return DifferenceKind.AMOUNT_DIFFERS

    @property
    def refund(self) -> bool:
        """Whether it is about a refund or cancellation."""
        row = self.here or self.there
        return row is not None and row.refund


class _Waiting:
    """The institution's rows that have no row of ours yet, by what names them."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows: defaultdict[tuple[UUID | str | None, bool], list[Row]] = defaultdict(list)
        for row in rows:
            self._rows[row.request_id or row.settlement_id, row.refund].append(row)

    def take(self, name: UUID | str | None, ours: Row, *, equal: bool) -> Row | None:
        """A row of that name which our row fits, rather one with its amounts, `equal`: no other."""
        rows = self._rows.get((name, ours.refund), ())
        fitting = [row for row in rows if row.settlement_id in (None, ours.settlement_id)]
        same = (row for row in fitting if row.amounts_fen == ours.amounts_fen)
        chosen = next(same, None if equal or not fitting else fitting[0])
        if chosen is not None:
            self._rows[name, ours.refund].remove(chosen)
        return chosen

    def left(self) -> Iterator[Mismatch]:
        """What no row of ours fits."""
        for rows in self._rows.values():
            copies: defaultdict[Row, int] = defaultdict(int)
            for row in rows:
                copies[row] += 1
                yield Mismatch(row, None, copies[row])


def compare(there: Iterable[Row], here: Iterable[Row]) -> Iterator[Mismatch]:
    """What does not agree between an institution's rows and ours, whose requests are distinct.

    A row there is a row here when every name it gives is the row's: the request's id tells which
    row it is; several refunds of a settlement that are named by the settlement alone are matched by
    their amounts first, the rest in our order.
    """
    waiting = _Waiting(there)
    unnamed: list[Row] = []
    for ours in here:
        theirs = waiting.take(ours.request_id, ours, equal=False)
        if theirs is None and waiting.take(ours.settlement_id, ours, equal=True) is None:
            unnamed.append(ours)
        if theirs is not None and theirs.amounts_fen != ours.amounts_fen:
            yield Mismatch(theirs, ours)
    for ours in unnamed:
        yield Mismatch(waiting.take(ours.settlement_id, ours, equal=False), ours)
    yield from waiting.left()


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of a day or a window, what was given back taken off; fen. None: an institution does not
    say.
    """

    settlements: int = 0
    refunds: int = 0
    total_fen: int = 0
    fund_pay_fen: int = 0
    account_pay_fen: int = 0
    mutual_aid_pay_fen: int | None = 0
    cash_pay_fen: int | None = 0

    def differing(self, there: Self) -> list[str]:
        """The sums by name that an institution says, and says otherwise."""
        pairs = ((name, getattr(there, name)) for name in self.__slots__)
        return [name for name, said in pairs if said is not None and said != getattr(self, name)]


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference as it is kept."""

    region: str
    difference_id: UUID
    institution_code: str
    day: date
    content: bytes
    kind: DifferenceKind
    settlement_id: UUID | None
    request_id: str
    refund: bool
    there: Row | None
    here: Row | None
    state: DifferenceState
    found_at: datetime
    resolution: DifferenceResolution | None = None
    note: str = ""
    resolved_at: datetime | None = None
    resolved_by: Mapping[str, str] = field(default_factory=dict)

    def resolved(
        self, resolution: DifferenceResolution, note: str, by: Mapping[str, str], now: datetime
    ) -> Self:
        """The difference put right; DifferenceResolved the second time."""
        if self.state is DifferenceState.RESOLVED:
            raise DifferenceResolved
        return replace(
            self,
            state=DifferenceState.RESOLVED,
            resolution=resolution,
            note=note,
            resolved_at=now,
            resolved_by=by,
        )
