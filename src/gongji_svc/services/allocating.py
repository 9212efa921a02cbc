"""Loads a file of allocations (划入): all of it is checked, then it is booked chunk by chunk.

Rule: a row is a credit of the region's agency and passes the same checks; while any row is bad
nothing is booked. A file is known by its bytes: what was broken off goes on where it stopped, and
what was booked is not booked again; another file for the same month must say that it is meant.
Memory does not grow with the file.
"""

import hashlib
import heapq
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import Protocol, TextIO
from uuid import UUID

from gongji.v1 import account_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.account_state import GREATEST_BALANCE_FEN
from gongji_svc.domain.calendar import first_of_next_month
from gongji_svc.services.names import enum_name
from gongji_svc.services.office import Office
from gongji_svc.services.person_messages import NOBODY
from gongji_svc.services.rows import Columns, Fault, Record, Sheet, Unsound, read_rows
from gongji_svc.storage.allocations import (
    Allocations,
    AlreadyBooked,
    Earlier,
    FileKey,
    Problem,
    Progress,
)
from gongji_svc.storage.database import DatabaseUnavailable
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
_MONTH = re.compile("[0-9]{4}-(0[1-9]|1[0-2])")
_FIRST_MONTH, _LAST_MONTH = "2000-01", "2099-12"
_MEMOS = {"ALLOCATION": "划入", "INTEREST": "计息", "OTHER": "其他收入"}
_BLOCK_ROWS = 1000

_ONE_NAME_ZH = "请填写个人账户编号或证件号码，二者填一"
_MONTH_ZH = "月份应写作2025-01的形式"
_MONTH_RANGE_ZH = "月份应在{first}至{last}之间，最晚为下个月"
_NO_ACCOUNT_ZH = "{books}没有此个人账户：账户编号有误，或账户属于其他统筹区"
_NOBODY_ZH = (
    "{books}没有此人未注销的此类个人账户：证件号码或账户类别有误，账户已注销，或账户属于其他统筹区"
)
_SEVERAL_ZH = "该参保人有多个未注销的个人账户，请写明account_kind，或改填account_id"
_REPEATS_ZH = "与第{line}行重复，账户、类别、月份和摘要均相同；确需再记一笔的，请在memo写明原因"


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
    earlier: Sequence[Earlier] = ()

    @property
    def was_done(self) -> bool:
        """Whether there was nothing left to book."""
        return self.before.done

    @property
    def so_far(self) -> str:
        """What is certain when the database went away, and what to do then."""
        rows = self.before.rows_booked + self.booked_rows
        if not rows:
            return "no row is known to be booked: run the same command again"
        known = f"{rows} rows are" if rows > 1 else "1 row is"
        return f"{known} known to be booked: run the same command again, it goes on behind them"


@dataclass(frozen=True, slots=True)
class _Faults:
    """The bad rows in the order of their lines, kept in a file until all of them are known."""

    file: TextIO

    def keep(self, fault: Fault) -> None:
        """Take in the next one."""
        json.dump((fault.line, fault.field, fault.message_zh), self.file)
        self.file.write("\n")

    def __iter__(self) -> Iterator[Fault]:
        self.file.seek(0)
        return (Fault(*json.loads(line)) for line in self.file)


@dataclass(slots=True)
class _File:
    """A file on its way."""

    office: Office
    region: str
    path: Path
    supplement: bool
    tell: Callable[[Fault], None]
    watch: Watch
    faults: _Faults
    last_month: str = _LAST_MONTH

    def key(self, file: BufferedReader) -> FileKey:
        """The identity of what the file holds now."""
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").digest()
        file.seek(0)
        return FileKey(_province(self.region), sha256, self.path.name)

    @property
    def is_provinces(self) -> bool:
        """Whether it may name accounts of all regions of a province."""
        return self.region == _province(self.region)

    @property
    def books(self) -> str:
        """Whose accounts it may name, as a LIKE pattern: a province's file those of its cities."""
        return f"{self.region[:2]}%" if self.is_provinces else self.region

    def fault(self, problem: Problem) -> Fault:
        """What is wrong with a row that was read."""
        field, books = problem.named_by, f"统筹区{self.region}"
        if self.is_provinces:
            books = f"{self.region}所辖各统筹区"
        if problem.repeats:
            return Fault(problem.line, "memo", _REPEATS_ZH.format(line=problem.repeats))
        if problem.found > 1:
            return Fault(problem.line, "account_kind", _SEVERAL_ZH)
        if not problem.found:
            text = _NO_ACCOUNT_ZH if field == "account_id" else _NOBODY_ZH
            return Fault(problem.line, field, text.format(books=books))
        if problem.closed:
            return Fault(problem.line, field, errors.AccountClosed().message_zh)
        return Fault(problem.line, "amount_fen", errors.BalanceTooLarge().message_zh)


def allocate(
    office: Office,
    region: str,
    path: Path,
    tell: Callable[[Fault], None],
    watch: Watch,
    *,
    supplement: bool = False,
) -> Allocated:
    """Book a file of allocations to accounts in the books of `region`, or of a province's regions.

    `tell` gets each bad row, or each that could not be booked because its account had changed, in
    the order of lines. Where other files booked its months nothing is booked, unless it is a
    `supplement` to them. FileChanged when it is written to meanwhile.
    """
    rows = Allocations(office.database, office.clock_offset)
    with closing(rows), path.open("rb") as file, tempfile.TemporaryFile("w+") as kept:
        source = _File(office, region, path, supplement, tell, watch, _Faults(kept))
        key = source.key(file)
        before = rows.progress(key)
        done = Allocated(before, before)
        try:
            if not before.done and _is_sound(source, file, rows, key, done):
                _book(source, rows, key, done)
            _tell_refused(source, rows, key, done)
        except AlreadyBooked as others:
            done.earlier = others.earlier
        except DatabaseUnavailable as away:
            raise DatabaseUnavailable(f"{away}; {done.so_far}") from away
    return done


def _is_sound(
    source: _File,
    file: BufferedReader,
    rows: Allocations,
    key: FileKey,
    done: Allocated,
) -> bool:
    """Read and check the file, and tell its bad rows."""
    # What has begun comes to its end: it was checked when it began, and whose account is closed
    # since is then left out.
    begun = done.before.rows > 0
    if not begun:
        source.last_month = f"{first_of_next_month(source.office.today()):%Y-%m}"
    rows.stage(_blocks(_lines(source, file)))
    if source.key(file) != key:
        raise FileChanged
    rows.arrange(source.books, f"{source.region[:2]}%")
    problems = map(source.fault, rows.problems(source.books, begun=begun))
    for fault in heapq.merge(source.faults, problems, key=lambda one: one.line):
        done.faults += 1
        source.tell(fault)
    return not done.faults


def _book(source: _File, rows: Allocations, key: FileKey, done: Allocated) -> None:
    source.watch.booking(done.before.rows, rows.total)
    for booked in rows.book(key, GREATEST_BALANCE_FEN, supplement=source.supplement):
        done.booked_rows += booked.booked_rows
        source.watch.booked(booked.rows)
    done.now = rows.progress(key)


def _tell_refused(source: _File, rows: Allocations, key: FileKey, done: Allocated) -> None:
    if done.now.done:
        for refused in rows.refused(key):
            source.tell(source.fault(refused))


def _province(region: str) -> str:
    """A file's identity counts in the whole province, so that none is booked for a city again."""
    return f"{region[:2]}0000"


def _blocks(lines: Iterator[str]) -> Iterator[str]:
    while block := "".join(islice(lines, _BLOCK_ROWS)):
        yield block


def _lines(source: _File, file: BufferedReader) -> Iterator[str]:
    """The sound rows as COPY reads them; what is wrong with the others is kept."""
    sealer, plain, last_month = source.office.sealer, None, source.last_month
    for record in read_rows(file, COLUMNS, source.faults.keep, source.watch.read):
        cells = record.values
        plain = plain or re.compile("\t".join(PLAIN[column] for column in cells))
        named = bool(cells.get("account_id")) != bool(cells.get("certificate_number"))
        is_plain = plain.fullmatch("\t".join(cells.values())) and cells["month"] <= last_month
        try:
            if not named or not is_plain:
                cells = looked_at(record, last_month)
        except Unsound as unsound:
            for found in unsound.faults:
                source.faults.keep(found)
        else:
            yield f"{record.line}\t{copied(cells, sealer)}\n"


def looked_at(record: Record, last_month: str = _LAST_MONTH) -> dict[str, str]:
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
    month = record.text("month")
    if not _MONTH.fullmatch(month):
        record.fault("month", _MONTH_ZH)
    elif not _FIRST_MONTH <= month <= last_month:
        record.fault("month", _MONTH_RANGE_ZH.format(first=_FIRST_MONTH, last=last_month))
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
        "month": month,
        "account_id": account_id and str(UUID(account_id)),
        "certificate_number": number,
        "certificate_type": enum_name(types_pb2.CertificateType, certificate_type),
        "account_kind": account_kind,
        "kind": enum_name(pb.CreditKind, message.kind),
        "memo": message.memo.replace("\\", "\\\\"),
    }


def copied(cells: Mapping[str, str], sealer: Sealer) -> str:
    """Plain cells as COPY reads them: account or certificate, its kind, fen, kind, month, memo."""
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
    return f"{kind}\t{month}\t{memo or f'{year}年{int(number)}月{_MEMOS[kind]}'}"
