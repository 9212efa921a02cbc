"""Entries as rows of a spreadsheet (账户明细).

Rule: what people read comes first, ids last; the contract lists the columns, which stay. What
people wrote is never a formula: text that a spreadsheet would reckon with is quoted, and what would
turn or break it is left out. Amounts are plain decimals in yuan, so that it can add them up; times
are those of Asia/Shanghai.
"""

import csv
import io
import re
from collections.abc import Iterable
from datetime import UTC

from google.protobuf.timestamp_pb2 import Timestamp

from gongji.v1 import account_pb2 as pb
from gongji_svc.domain.calendar import SHANGHAI
from gongji_svc.domain.journal import EntryKind
from gongji_svc.domain.money import yuan
from gongji_svc.services.names import enum_name

HEADINGS = (
    "发生时间",
    "类别",
    "金额（元）",
    "余额（元）",
    "使用人",
    "对方",
    "备注",
    "记账时间",
    "序号",
    "业务编号",
    "绑定编号",
    "凭证编号",
)
KIND_ZH = {
    EntryKind.ALLOCATION: "划入",
    EntryKind.INTEREST: "计息",
    EntryKind.OTHER: "其他收入",
    EntryKind.SETTLEMENT_OWN: "本人支付",
    EntryKind.SETTLEMENT_MUTUAL_AID: "共济支付",
    EntryKind.REFUND_OWN: "本人退费",
    EntryKind.REFUND_MUTUAL_AID: "共济退费",
    EntryKind.PREMIUM: "代缴保费",
    EntryKind.PREMIUM_REFUND: "保费退回",
    EntryKind.ADJUSTMENT: "更正",
    EntryKind.TRANSFER: "结转",
    EntryKind.SUSPENSE: "暂存款转入",
}
# With the byte order mark a spreadsheet knows the encoding.
_MARK = "\N{BYTE ORDER MARK}"
# A cell that begins so, after what shows nothing, is a formula; the wide forms are read like the
# narrow ones in China.
_FORMULA = re.compile(r"[\s\u00ad\u180e\u200b-\u200d\u2060\ufeff]*[=+\-@＝＋－＠]")
# Controls, breaks of lines, and what turns the direction of writing: a cell is what it looks like.
_UNSHOWN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)


def heading() -> bytes:
    """The first bytes of the table: the mark, and a row of headings."""
    return _MARK.encode() + _written([HEADINGS])


def rows(entries: Iterable[pb.Entry]) -> bytes:
    """A row an entry."""
    return _written(_cells(entry) for entry in entries)


def _cells(entry: pb.Entry) -> tuple[str, ...]:
    return (
        _time(entry.occurred_at),
        KIND_ZH[EntryKind(enum_name(pb.EntryKind, entry.kind))],
        _yuan(entry.amount_fen),
        _yuan(entry.balance_after_fen),
        _text(entry.beneficiary),
        _text(entry.counterparty),
        _text(entry.memo),
        _time(entry.recorded_at),
        str(entry.seq),
        entry.source_id,
        entry.binding_id,
        entry.journal_id,
    )


def _yuan(amount_fen: int) -> str:
    return yuan(amount_fen).replace(",", "")


def _time(stamp: Timestamp) -> str:
    return f"{stamp.ToDatetime(UTC).astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"


def _text(written: str) -> str:
    shown = _UNSHOWN.sub("", written)
    return f"'{shown}" if _FORMULA.match(shown) else shown


def _written(table: Iterable[tuple[str, ...]]) -> bytes:
    sheet = io.StringIO()
    csv.writer(sheet).writerows(table)
    return sheet.getvalue().encode()
