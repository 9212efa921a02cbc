"""What the worker that looks for patterns reads and keeps: the settlements after those it has
looked at, and the packages that were sold.

Rule: one row says how far it has come. Whoever holds that row looks on, and moves it in the
transaction that writes the signals, so each settlement is looked at once, by one. Settlements come
in the order of recording, and only those before which none can be recorded any more.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from uuid import UUID

import sqlalchemy
from sqlalchemy import ARRAY, Text, any_, exists, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from gongji_svc.domain.policy import NATION
from gongji_svc.domain.risk_rules import Sale
from gongji_svc.domain.settlement_state import SettlementState
from gongji_svc.storage import tables

_SETTLED = tables.settlements.c
_REFUNDS = tables.refunds.c
_CODES = tables.trace_codes.c
_PROGRESS = tables.risk_progress.c
FIRST = UUID(int=0)
_GIVEN_BACK = [SettlementState.REFUNDED.value, SettlementState.CANCELLED.value]

Mark = tuple[datetime, UUID]
"""Up to where the worker has looked: (recorded_at, id)."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A settlement as the rules look at it; `donor_ids` paid, codes by number of line, `stands`
    unless it was given back.
    """

    settlement_id: UUID
    region: str
    institution_code: str
    patient_id: UUID
    mutual_aid_pay_fen: int
    occurred_at: datetime
    recorded_at: datetime
    donor_ids: Sequence[UUID]
    trace_codes: Mapping[str, Sequence[str]]
    stands: bool

    @property
    def codes(self) -> Iterator[str]:
        """The trace codes of all lines."""
        return chain.from_iterable(self.trace_codes.values())

    @property
    def mark(self) -> Mark:
        """Its place in the order."""
        return self.recorded_at, self.settlement_id


def take_mark(tx: sqlalchemy.Connection, at_first: datetime) -> Mark | None:
    """Lock the row and tell the place; None while another looks. The first look of all begins at
    `at_first`.
    """
    query = select(_PROGRESS.recorded_at, _PROGRESS.settlement_id).where(_PROGRESS.region == NATION)
    row = tx.execute(query.with_for_update(skip_locked=True)).one_or_none()
    if row is None:
        first = insert(tables.risk_progress).values(
            region=NATION, recorded_at=at_first, settlement_id=FIRST
        )
        tx.execute(first.on_conflict_do_nothing())
        row = tx.execute(query.with_for_update(skip_locked=True)).one_or_none()
    return None if row is None else (row[0], row[1])


def move_mark(tx: sqlalchemy.Connection, mark: Mark) -> None:
    """All up to this place has been looked at."""
    at, settlement_id = mark
    moved = update(tables.risk_progress).where(_PROGRESS.region == NATION)
    tx.execute(moved.values(recorded_at=at, settlement_id=settlement_id))


def settled_after(
    tx: sqlalchemy.Connection, mark: Mark, until: datetime, limit: int
) -> Sequence[Looked]:
    """At most `limit` settlements after a place, recorded before `until`."""
    plan = _SETTLED.detail["plan"]
    query = (
        select(
            _SETTLED.id,
            _SETTLED.region,
            _SETTLED.institution_code,
            _SETTLED.patient_id,
            _SETTLED.mutual_aid_pay_fen,
            _SETTLED.occurred_at,
            _SETTLED.recorded_at,
            plan["legs"],
            _SETTLED.detail["trace_codes"],
            _SETTLED.state.not_in(_GIVEN_BACK),
        )
        .where(
            _SETTLED.recorded_at >= mark[0],  # this alone finds the pages
            _SETTLED.recorded_at < until,
            tuple_(_SETTLED.recorded_at, _SETTLED.id) > tuple_(*mark),
        )
        .order_by(_SETTLED.recorded_at, _SETTLED.id)
        .limit(limit)
    )
    return [
        Looked(*row[:7], _donors(row[7]), row[8] or {}, row[9])  # type: ignore[call-arg]  # of a row
        for row in tx.execute(query)
    ]


def _donors(legs: Iterable[Mapping[str, str | None]]) -> Sequence[UUID]:
    paid = (str(leg["person_id"]) for leg in legs if leg["binding_id"] is not None)
    return [UUID(donor) for donor in dict.fromkeys(paid)]


def sold_before(
    tx: sqlalchemy.Connection, codes: Iterable[tuple[str, str]]
) -> Mapping[tuple[str, str], list[Sale]]:
    """The sales of packages, by (region, code), oldest first; without those of which anything came
    back, for which package it was, nobody says.
    """
    came_back = exists().where(
        _REFUNDS.region == _SETTLED.region,
        _REFUNDS.settlement_id == _SETTLED.id,
        _REFUNDS.detail["lines"].contains(
            sqlalchemy.func.jsonb_build_array(
                sqlalchemy.func.jsonb_build_object("line_no", _CODES.line_no)
            )
        ),
    )
    wanted = set(codes)
    regions, texts = (
        (sorted(set(part)) for part in zip(*wanted, strict=True)) if wanted else ((), ())
    )
    query = (
        select(
            _CODES.region,
            _CODES.code,
            _SETTLED.id,
            _SETTLED.institution_code,
            _SETTLED.occurred_at,
        )
        .join(
            tables.settlements,
            (_SETTLED.region == _CODES.region) & (_SETTLED.id == _CODES.settlement_id),
        )
        .where(
            _CODES.region == any_(literal(list(regions), ARRAY(Text))),
            _CODES.code == any_(literal(list(texts), ARRAY(Text))),
            _SETTLED.state.not_in(_GIVEN_BACK),
            ~came_back,
        )
        .order_by(_SETTLED.recorded_at, _SETTLED.id)
    )
    found: defaultdict[tuple[str, str], list[Sale]] = defaultdict(list)
    for region, code, *sale in tx.execute(query) if wanted else ():
        found[region, code].append((sale[0], sale[1], sale[2]))
    return found


def add_sales(tx: sqlalchemy.Connection, sold: Iterable[Looked]) -> None:
    """Keep the packages that settlements sold."""
    sales = {
        (one.region, code, one.settlement_id, int(line_no))
        for one in sold
        for line_no, codes in one.trace_codes.items()
        for code in codes
    }
    rows = [dict(zip(_CODES.keys(), sale, strict=True)) for sale in sorted(sales)]
    if rows:
        tx.execute(insert(tables.trace_codes).on_conflict_do_nothing(), rows)
