"""ReconcileTotals, ReconcileDetails: a till's day against ours (national 3201 and 3202).

Rule: a day is over or today's; the answer to today's may change, and what another comparison of the
day finds replaces what is still open of it. A difference that is found again keeps its id, and one
that was put right stays so: unless a row of it has changed, nothing new is to be judged. Comparing
moves no money. One comparison at a time holds its rows in a process.
"""

import hashlib
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from typing import Any
from uuid import UUID

from gongji.v1 import clearing_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.errors import Refusal, Violation
from gongji_svc.domain.money import yuan
from gongji_svc.domain.reconciliation import (
    Difference,
    DifferenceState,
    Mismatch,
    Row,
    Totals,
    compare,
)
from gongji_svc.engine import repeated
from gongji_svc.services import messages
from gongji_svc.services.access import check_subject
from gongji_svc.services.audit import Audited, Doer
from gongji_svc.services.contract import method_of
from gongji_svc.services.days import date_of, day_in
from gongji_svc.services.differences import difference_message
from gongji_svc.services.names import enum_name
from gongji_svc.services.office import Office
from gongji_svc.storage import audit_writes
from gongji_svc.storage import reconciliation as storage
from gongji_svc.storage.differences import find_differences, kept
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.institutions import find_institutions
from gongji_svc.storage.packed import dump_json
from gongji_svc.storage.reconciliation import Transaction
from gongji_svc.storage.state import Claim

_MOST_ROWS = 200_000
_MOST_SHOWN = 1_000
_AT_ONCE = 5_000
_HASH_BYTES = 16
_HEADER, _ROWS = 1, 2
_FIELDS = {_HEADER: "header", _ROWS: "rows"}
_METHOD = method_of("ClearingService", "ReconcileDetails")
_ONE_AT_A_TIME = threading.Lock()
_SUMS = {
    "settlements": "结算笔数",
    "refunds": "退费笔数",
    "total_fen": "医疗费总额",
    "fund_pay_fen": "基金支付",
    "account_pay_fen": "个人账户支付",
    "mutual_aid_pay_fen": "共济支付",
    "cash_pay_fen": "现金支付",
}
_OPTIONAL = ("mutual_aid_pay_fen", "cash_pay_fen")


def reconcile_totals(
    office: Office,
    caller: Caller,  # noqa: ARG001 - the contract's grant names the institution itself
    request: pb.ReconcileTotalsRequest,
) -> pb.ReconcileTotalsResponse:
    """Whether the sums of a day are the same on both sides; nothing is kept."""
    there, code = _totals(request.totals), request.institution_code
    insurance = enum_name(types_pb2.Insurance, request.insurance) if request.insurance else ""
    with office.database.reader() as tx:
        region = _region_of(tx, code)
        day = _day(request, "", audit_writes.clock(tx) + office.clock_offset)
        here = storage.totals_of(tx, region, code, day, insurance)
    differing = here.differing(there)
    response = pb.ReconcileTotalsResponse(balanced=not differing, totals=_totals_message(here))
    if differing:
        response.differences.add(
            institution_code=code,
            region=region,
            date=date_of(day),
            kind=pb.DIFFERENCE_KIND_AMOUNT_DIFFERS,
            there=_sums_row(there),
            here=_sums_row(here),
            note="；".join(_told(name, there, here) for name in differing),
        )
    return response


def reconcile_details(
    office: Office, caller: Caller, pieces: Iterator[pb.ReconcileDetailsRequest]
) -> pb.ReconcileDetailsResponse:
    """What does not agree between the rows sent and ours, kept for whoever puts it right."""
    header = _header(caller, pieces)
    with _ONE_AT_A_TIME:
        rows, digest = _received(pieces)
        with storage.comparing(office.database) as tx:
            return _Comparison(office, caller, header, rows, digest, tx).answer()


def too_many_rows() -> Refusal:
    """The refusal for more rows than a day may have."""
    return messages.invalid(Violation("rows", f"一天的明细最多{_MOST_ROWS}行，请核对后重新发送"))


def _header(caller: Caller, pieces: Iterator[pb.ReconcileDetailsRequest]) -> pb.ReconcileHeader:
    first = next(pieces, None)
    if first is None or not first.HasField("header"):
        raise messages.invalid(Violation("header", "第一条消息须为表头，请更正后重新发送"))
    check_subject(caller, _METHOD, first)
    return first.header


def _received(pieces: Iterator[pb.ReconcileDetailsRequest]) -> tuple[Sequence[Row], bytes]:
    """All rows, and a hash of them in their order, however they were divided into messages."""
    rows: list[Row] = []
    digest = hashlib.sha256()
    for piece in pieces:
        if not piece.HasField("rows"):
            raise messages.invalid(Violation("header", "表头只能是第一条消息，请更正后重新发送"))
        if len(rows) + len(piece.rows.rows) > _MOST_ROWS:
            raise too_many_rows()
        for row in piece.rows.rows:
            if not row.settlement_id and not row.request_id:
                named = f"rows[{len(rows)}].settlement_id"
                raise messages.invalid(Violation(named, "请填写结算编号或请求编号"))
            said = row.SerializeToString(deterministic=True)
            digest.update(len(said).to_bytes(4, "big") + said)
            rows.append(_row(row))
    return rows, digest.digest()


def _row(row: pb.ReconcileRow) -> Row:
    return Row(
        UUID(row.settlement_id) if row.settlement_id else None,
        row.request_id,
        row.refund,
        row.total_fen,
        row.fund_pay_fen,
        row.account_pay_fen,
    )


@dataclass(slots=True)
class _Comparison:
    """One comparison of an institution's day, in one transaction."""

    office: Office
    caller: Caller
    header: pb.ReconcileHeader
    rows: Sequence[Row]
    digest: bytes
    tx: Transaction
    region: str = field(init=False)
    day: date = field(init=False)
    now: datetime = field(init=False)

    def answer(self) -> pb.ReconcileDetailsResponse:
        """The answer, or the first one to the same request."""
        self.region = _region_of(self.tx, self.header.institution_code)
        self.now = audit_writes.clock(self.tx) + self.office.clock_offset
        self.day = _day(self.header, "header", self.now)
        claim = self._claim()
        taken = storage.claim(self.tx, claim)
        if taken is None:
            response = self._compared()
            storage.conclude(self.tx, claim, response.SerializeToString())
            return response
        known = repeated(lambda number: _FIELDS.get(number, ""), claim, taken)
        if isinstance(known, Refusal):
            raise known
        response = pb.ReconcileDetailsResponse.FromString(known.answer)
        response.replayed = True
        return response

    def _claim(self) -> Claim:
        described = pb.ReconcileHeader()
        described.CopyFrom(self.header)
        described.ClearField("request_id")
        meaning = {_HEADER: described.SerializeToString(deterministic=True), _ROWS: self.digest}
        return Claim(
            self.region,
            self.header.institution_code,
            self.header.request_id,
            _METHOD.path,
            {number: self.office.sealer.field_hash(said) for number, said in meaning.items()},
        )

    def _compared(self) -> pb.ReconcileDetailsResponse:
        tx, region, code, day = self.tx, self.region, self.header.institution_code, self.day
        storage.lock_day(tx, code, day)
        books = storage.Books(tx, region, code, day)
        before = storage.contents_of(tx, region, code, day)
        stale = {content: one for content, one in before.items() if one is not None}
        were_open, new, count = len(stale), 0, 0
        shown: list[bytes] = []
        mismatches = ((_content(one), one) for one in compare(self.rows, books))
        while found := dict(islice(mismatches, _AT_ONCE)):
            for content in found:
                stale.pop(content, None)
            new += self._add({key: one for key, one in found.items() if key not in before})
            count += len(found)
            shown.extend(islice(found, _MOST_SHOWN - len(shown)))
        removed = storage.remove_open(tx, region, stale.values())
        self._audit(were_open, were_open - removed + new)
        kept_now = find_differences(tx, region, code, day, shown)
        return pb.ReconcileDetailsResponse(
            balanced=not count,
            differences=[difference_message(one) for one in kept_now],
            difference_count=count,
            totals=_totals_message(books.totals),
        )

    def _add(self, new: Mapping[bytes, Mismatch]) -> int:
        """Keep differences that are new; how many."""
        said = [one.there.settlement_id for one in new.values() if one.there and not one.here]
        code = self.header.institution_code
        known = storage.known_settlements(self.tx, self.region, code, filter(None, said))
        storage.add_differences(
            self.tx, [self._difference(content, one, known) for content, one in new.items()]
        )
        return len(new)

    def _difference(self, content: bytes, found: Mismatch, known: Collection[UUID]) -> Difference:
        there, here = found.there, found.here
        named = (here or there).settlement_id  # type: ignore[union-attr]  # one of them is there
        return Difference(
            region=self.region,
            difference_id=new_id(self.region),
            institution_code=self.header.institution_code,
            day=self.day,
            content=content,
            kind=found.kind,
            settlement_id=named if here or named in known else None,
            request_id=(here or there).request_id,  # type: ignore[union-attr]  # as above
            refund=found.refund,
            there=there,
            here=here,
            state=DifferenceState.OPEN,
            found_at=self.now,
        )

    def _audit(self, before: int, after: int) -> None:
        caller, code = self.caller, self.header.institution_code
        audited = Audited(
            "reconciliation",
            f"{code} {self.day}",
            self.region,
            {"open_differences": before},
            {"open_differences": after},
        )
        action, asked = _METHOD.path.removeprefix("/"), self.header.request_id
        doer = Doer(caller.role.value, code, caller.actor, caller.origin, action, asked)
        audit_writes.add(self.tx, audited.row(doer, self.now))


def _content(found: Mismatch) -> bytes:
    """A hash by which the same difference is found again."""
    said = dump_json([kept(found.there), kept(found.here), found.copy])
    return hashlib.sha256(said.encode()).digest()[:_HASH_BYTES]


def _region_of(tx: Transaction, code: str) -> str:
    institution = find_institutions(tx, {code}).get(code)
    if institution is None:
        raise errors.InstitutionNotFound
    return institution.region


def _day(request: Any, path: str, now: datetime) -> date:
    """The day to compare; InvalidField for one that is still to come."""
    day = day_in(request, "date", path)
    if day is None or day > day_of(now):
        field = f"{path}.date" if path else "date"
        raise messages.invalid(Violation(field, "不能晚于今天，请更正对账日期"))
    return day


def _totals(said: Any) -> Totals:
    sums = {name: getattr(said, name) for name in Totals.__slots__}
    unsaid = {name: None for name in _OPTIONAL if not said.HasField(name)}
    return Totals(**{**sums, **unsaid})


def _totals_message(totals: Totals) -> pb.Totals:
    return pb.Totals(**{name: getattr(totals, name) for name in Totals.__slots__})


def _sums_row(totals: Totals) -> pb.ReconcileRow:
    names = ("total_fen", "fund_pay_fen", "account_pay_fen")
    return pb.ReconcileRow(**{name: getattr(totals, name) for name in names})


def _told(name: str, there: Totals, here: Totals) -> str:
    """A sum of both sides, in words: 现金支付：机构1.00元，本系统2.00元."""
    shown = [
        f"{yuan(value)}元" if name.endswith("_fen") else f"{value}笔"
        for value in (getattr(there, name), getattr(here, name))
    ]
    return f"{_SUMS[name]}：机构{shown[0]}，本系统{shown[1]}"
