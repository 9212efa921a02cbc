"""Entries as rows of a spreadsheet (账户明细).

Rule: what people wrote is never a formula: text that a spreadsheet would reckon with is quoted.
Amounts are plain decimals in yuan, so that it can add them up; times are those of Asia/Shanghai.
"""

import csv
import io
from collections.abc import Iterable
from datetime import UTC

from google.protobuf.timestamp_pb2 import Timestamp

from gongji.v1 import account_pb2 as pb
from gongji_svc.domain.calendar import SHANGHAI
from gongji_svc.domain.journal import EntryKind
from gongji_svc.domain.money import yuan
from gongji_svc.services.names import enum_name

HEADINGS = (
    "序号",
    "类别",
    "金额（元）",
    "余额（元）",
    "发生时间",
    "记账时间",
    "对方",
    "使用人",
    "备注",
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
# A cell that begins so is a formula; the wide forms are read like the narrow ones in China.
_FORMULA_SIGNS = tuple("=+-@＝＋－＠")


def heading() -> bytes:
    """The first bytes of the table: the mark, and a row of headings."""
    return _MARK.encode() + _written([HEADINGS])


def rows(entries: Iterable[pb.Entry]) -> bytes:
    """A row an entry."""
    return _written(_cells(entry) for entry in entries)


def _cells(entry: pb.Entry) -> tuple[str, ...]:
    return (
        str(entry.seq),
        KIND_ZH[EntryKind(enum_name(pb.EntryKind, entry.kind))],
        _yuan(entry.amount_fen),
        _yuan(entry.balance_after_fen),
        _time(entry.occurred_at),
        _time(entry.recorded_at),
        _text(entry.counterparty),
        _text(entry.beneficiary),
        _text(entry.memo),
        entry.source_id,
        entry.binding_id,
        entry.journal_id,
    )


def _yuan(amount_fen: int) -> str:
    return yuan(amount_fen).replace(",", "")


def _time(stamp: Timestamp) -> str:
    return f"{stamp.ToDatetime(UTC).astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}"


def _text(written: str) -> str:
    return f"'{written}" if written.lstrip().startswith(_FORMULA_SIGNS) else written


def _written(table: Iterable[tuple[str, ...]]) -> bytes:
    sheet = io.StringIO()
    csv.writer(sheet).writerows(table)
    return sheet.getvalue().encode()
