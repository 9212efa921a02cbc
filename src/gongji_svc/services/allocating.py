"""Loads a file of allocations (划入): all of it is checked, then it is booked chunk by chunk.

Rule: a row is a credit of the region's agency and passes the same checks; while any row is bad
nothing is booked. A file is known by its bytes: what was broken off goes on where it stopped, and
what was booked is not booked again. Memory does not grow with the file.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import Protocol
from uuid import UUID

from gongji.v1 import account_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain import errors
from gongji_svc.services.crediting import GREATEST_BALANCE_FEN
from gongji_svc.services.names import enum_name
from gongji_svc.services.office import Office
from gongji_svc.services.person_messages import NOBODY
from gongji_svc.services.rows import Columns, Fault, Record, Sheet, Unsound, read_rows
from gongji_svc.storage.allocations import Allocations, FileKey, Problem, Progress
from gongji_svc.storage.sealing import Sealer

COLUMNS = Columns(
    ("amount_fen", "month"),
    ("account_id", "certificate_number", "certificate_type", "account_kind", "kind", "memo"),
)
# Cells that need no second look, by column. What is said otherwise is looked at by the contract's
# rules, which is a hundred times as dear.
PLAIN = {
    "amount_fen": "[1-9][0-9]{0,11}",
    "month": "20[0-9]{2}-(0[1-9]|1[0-2])",
    "account_id": "([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?",
    "certificate_number": "[0-9A-Z]{0,50}",
    "certificate_type": "(ID_CARD)?",
    "account_kind": "(GENERAL|CURRENT_YEAR|PAST_YEARS)?",
    "kind": "(ALLOCATION|INTEREST|OTHER)?",
    "memo": r"[^\\\x00-\x1f\x7f-\x9f]{0,200}",
}
_MONTH = re.compile(PLAIN["month"])
_MEMOS = {"ALLOCATION": "划入", "INTEREST": "计息", "OTHER": "其他收入"}
_BLOCK_ROWS = 1000

_ONE_NAME_ZH = "请填写个人账户编号或证件号码，二者填一"
_MONTH_ZH = "月份应写作2025-01的形式"
_NO_ACCOUNT_ZH = "本统筹区没有此个人账户"
_NOBODY_ZH = "没有此证件号码的参保人，或其在本统筹区没有此类未注销的个人账户"
_SEVERAL_ZH = "该参保人有多个个人账户，请在account_kind列写明账户类别"


class FileChanged(Exception):
    """The file was written to while it was read; nothing was booked."""


class Watch(Protocol):
    """Who is told how far a file has come."""

    def read(self, more_bytes: int) -> None:
        """So much more of it was read."""

    def booking(self, rows: int, total: int) -> None:
        """All of it was read and is sound; so many of its rows are behind us already."""

    def booked(self, rows: int) -> None:
        """So many of its rows are behind us."""


@dataclass(slots=True)
class Allocated:
    """What came of a file: how far it had come before, what this run did, how far it is now."""

    before: Progress
    now: Progress
    faults: int = 0
    booked_rows: int = 0

    @property
    def was_done(self) -> bool:
        """Whether there was nothing left to book."""
        return self.before.done


@dataclass(slots=True)
class _File:
    """A file on its way."""

    office: Office
    region: str
    path: Path
    tell: Callable[[Fault], None]
    watch: Watch
    faults: int = field(default=0)

    def fault(self, found: Fault) -> None:
        """Count and tell a bad row."""
        self.faults += 1
        self.tell(found)

    def key(self, file: BufferedReader) -> FileKey:
        """The identity of what the file holds now."""
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").digest()
        file.seek(0)
        return FileKey(_province(self.region), sha256, self.path.name)

    @property
    def books(self) -> str:
        """Whose accounts it may name, as a LIKE pattern: a province's file those of its cities."""
        return f"{self.region[:2]}%" if self.region == _province(self.region) else self.region


def allocate(
    office: Office, region: str, path: Path, tell: Callable[[Fault], None], watch: Watch
) -> Allocated:
    """Book a file of allocations to accounts in the books of `region`, or of a province's regions.

    `tell` gets each bad row, and each that could not be booked because its account had changed.
    FileChanged when it is written to meanwhile.
    """
    source = _File(office, region, path, tell, watch)
    rows = Allocations(office.database, office.clock_offset)
    with closing(rows), path.open("rb") as file:
        key = source.key(file)
        before = rows.progress(key)
        allocated = Allocated(before, before)
        if before.done:
            return allocated
        rows.stage(_blocks(_lines(source, file)))
        if source.key(file) != key:
            raise FileChanged
        rows.arrange(source.books, f"{region[:2]}%")
        # What has begun comes to its end: whose account is closed since is then left out.
        for problem in rows.problems(begun=before.rows > 0):
            source.fault(_fault_of(problem))
        allocated.faults = source.faults
        if not source.faults:
            watch.booking(before.rows, rows.total)
            allocated.booked_rows = _book(source, rows, key)
        allocated.now = rows.progress(key)
    return allocated


def _book(source: _File, rows: Allocations, key: FileKey) -> int:
    booked_rows = 0
    for booked in rows.book(key, GREATEST_BALANCE_FEN):
        booked_rows += booked.booked_rows
        for refused in booked.refused:
            source.tell(_fault_of(refused))
        source.watch.booked(booked.rows)
    return booked_rows


def _province(region: str) -> str:
    """A file's identity counts in the whole province, so that none is booked for a city again."""
    return f"{region[:2]}0000"


def _fault_of(problem: Problem) -> Fault:
    field = problem.named_by
    if problem.found > 1:
        return Fault(problem.line, "account_kind", _SEVERAL_ZH)
    if not problem.found:
        text = _NO_ACCOUNT_ZH if field == "account_id" else _NOBODY_ZH
        return Fault(problem.line, field, text)
    if problem.closed:
        return Fault(problem.line, field, errors.AccountClosed().message_zh)
    return Fault(problem.line, "amount_fen", errors.BalanceTooLarge().message_zh)


def _blocks(lines: Iterator[str]) -> Iterator[str]:
    while block := "".join(islice(lines, _BLOCK_ROWS)):
        yield block


def _lines(source: _File, file: BufferedReader) -> Iterator[str]:
    """The sound rows as COPY reads them; the others are told."""
    sealer, plain = source.office.sealer, None
    for record in read_rows(file, COLUMNS, source.fault, source.watch.read):
        cells = record.values
        plain = plain or re.compile("\t".join(PLAIN[column] for column in cells))
        named = bool(cells.get("account_id")) != bool(cells.get("certificate_number"))
        try:
            if not named or plain.fullmatch("\t".join(cells.values())) is None:
                cells = looked_at(record)
        except Unsound as unsound:
            for found in unsound.faults:
                source.fault(found)
        else:
            yield f"{record.line}\t{copied(cells, sealer)}\n"


def looked_at(record: Record) -> dict[str, str]:
    """The cells as plain ones; Unsound with all that is wrong with them."""
    account_id, number = record.text("account_id"), record.text("certificate_number")
    if bool(account_id) == bool(number):
        record.fault("account_id", _ONE_NAME_ZH)
    certificate_type = record.word(
        "certificate_type", types_pb2.CertificateType, "CERTIFICATE_TYPE_", "ID_CARD"
    )
    if account_kind := record.text("account_kind"):
        kind_number = record.word("account_kind", types_pb2.AccountKind, "ACCOUNT_KIND_")
        account_kind = enum_name(types_pb2.AccountKind, kind_number)
    if not _MONTH.fullmatch(record.text("month")):
        record.fault("month", _MONTH_ZH)
    message = pb.CreditRequest(
        request_id="load",
        account_id=account_id or str(NOBODY),
        amount_fen=record.whole("amount_fen"),
        kind=record.word("kind", pb.CreditKind, "CREDIT_KIND_", "ALLOCATION"),
        memo=record.text("memo"),
    )
    Sheet([record]).check(message)
    return {
        "amount_fen": str(message.amount_fen),
        "month": record.text("month"),
        "account_id": account_id and str(UUID(account_id)),
        "certificate_number": number,
        "certificate_type": enum_name(types_pb2.CertificateType, certificate_type),
        "account_kind": account_kind,
        "kind": enum_name(pb.CreditKind, message.kind),
        "memo": message.memo.replace("\\", "\\\\"),
    }


def copied(cells: Mapping[str, str], sealer: Sealer) -> str:
    """Plain cells as COPY reads them: account or certificate, account kind, fen, kind, memo."""
    told = _told(cells["month"], cells.get("kind", ""), cells.get("memo", ""))
    amount = f"{cells.get('account_kind', '')}\t{cells['amount_fen']}\t{told}"
    if account_id := cells.get("account_id"):
        return f"{account_id}\t\\N\t{amount}"
    found = sealer.index(cells.get("certificate_type") or "ID_CARD", cells["certificate_number"])
    return f"\\N\t\\\\x{found.hex()}\t{amount}"


@lru_cache(maxsize=4096)
def _told(month: str, kind: str, memo: str) -> str:
    """Why the money comes, and what the owner reads beside it: the month where nothing is said."""
    kind = kind or "ALLOCATION"
    year, number = month.split("-")
    return f"{kind}\t{memo or f'{year}年{int(number)}月{_MEMOS[kind]}'}"
