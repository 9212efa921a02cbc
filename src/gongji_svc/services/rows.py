"""Rows of a CSV file, and what stands in their cells.

Rule: UTF-8, a header row, cells without blanks around them; an empty cell says nothing. Whatever is
wrong is a fault with its line and column, and reading goes on.
"""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, BinaryIO

from google.protobuf.message import Message
from google.type.date_pb2 import Date

from gongji_svc.domain.errors import InvalidField, Violation
from gongji_svc.services import messages

_TEXT = "(text)"
_BOM = "\ufeff"
_PROGRESS_LINES = 500
_SUBSCRIPT = re.compile(r"\[\d+\]")
_FLAGS = {"": False, "0": False, "false": False, "1": True, "true": True}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where; a header's faults stand on line 1."""

    line: int
    field: str
    message_zh: str


class Unsound(Exception):
    """Rows that say nothing that could be decided."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns a file must have, and those it may have."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


@dataclass(slots=True)
class Record:
    """One row; its line is the file's last line of it. Faults are collected while it is read."""

    line: int
    values: dict[str, str]
    faults: list[Fault] = field(default_factory=list)

    def text(self, column: str) -> str:
        """The cell's text."""
        return self.values.get(column, "")

    def words(self, column: str) -> list[str]:
        """The cell's parts, which ";" separates."""
        return [part.strip() for part in self.text(column).split(";") if part.strip()]

    def word(self, column: str, enum: Any, prefix: str, default: str = "") -> Any:
        """One of a contract enum's names, without its prefix."""
        name = self.text(column).upper() or default
        if f"{prefix}{name}" in enum.keys():  # noqa: SIM118 - not a dict
            return enum.Value(f"{prefix}{name}")
        known = "、".join(one.removeprefix(prefix) for one in enum.keys()[1:])
        self.fault(column, f"取值应为{known}之一")
        return 0

    def day(self, column: str) -> Date | None:
        """A day, None where the cell is empty."""
        text = self.text(column)
        return self.day_in(column, text) if text else None

    def day_in(self, column: str, text: str) -> Date | None:
        """The day that a text says."""
        try:
            day = date.fromisoformat(text)
        except ValueError:
            self.fault(column, "日期应写作2024-01-31的形式")
            return None
        return Date(year=day.year, month=day.month, day=day.day)

    def whole(self, column: str) -> int:
        """A whole number; an empty cell is 0."""
        text = self.text(column) or "0"
        if text.isascii() and text.isdigit() and len(text) < 19:
            return int(text)
        self.fault(column, "应为不带符号的整数")
        return 0

    def flag(self, column: str) -> bool:
        """1 or true, 0 or false; an empty cell is no."""
        text = self.text(column).lower()
        if text not in _FLAGS:
            self.fault(column, "应为1或0")
        return _FLAGS.get(text, False)

    def fault(self, column: str, message_zh: str) -> None:
        """Note that a cell is wrong."""
        self.faults.append(Fault(self.line, column, message_zh))


@dataclass(frozen=True, slots=True)
class Sheet:
    """The rows that one item is made of, and where in them the fields of its message stand.

    `lines` names the line of a repeated field's element, `columns` the column of a field that is
    not called the same.
    """

    records: Sequence[Record]
    lines: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def line(self) -> int:
        """The item's first line."""
        return self.records[0].line

    def check(self, message: Message) -> None:
        """Unsound when a cell can't be read or the message breaks a rule of the contract."""
        faults = [one for record in self.records for one in record.faults]
        if faults:
            raise Unsound(faults)
        try:
            messages.check(message)
        except InvalidField as invalid:
            raise Unsound([self.fault(one) for one in invalid.violations]) from invalid

    def fault(self, violation: Violation) -> Fault:
        """A field that is wrong, by line and column."""
        path = violation.field.removeprefix("person.").removeprefix("item.")
        element = max((one for one in self.lines if path.startswith(one)), key=len, default="")
        rest = path[len(element) :].lstrip(".")
        plain = _SUBSCRIPT.sub("", rest if element else path)
        column = self.columns.get(plain, plain.partition(".")[0])
        return Fault(self.lines.get(element, self.line), column, violation.message_zh)


def read_rows(
    file: BinaryIO,
    columns: Columns,
    fault: Callable[[Fault], None],
    progress: Callable[[int], None],
) -> Iterator[Record]:
    """The rows of a file whose header names the right columns; empty rows are passed over."""
    reader = csv.reader(_lines(file, fault, progress), strict=True)
    try:
        header = [name.strip().removeprefix(_BOM) for name in next(reader, [])]
        faults = list(_header_faults(header, columns))
        for found in faults:
            fault(found)
        if not faults:
            yield from _records(reader, header, fault)
    except csv.Error as broken:
        fault(Fault(reader.line_num, _TEXT, f"不是完整的CSV：{broken}"))


def _lines(
    file: BinaryIO, fault: Callable[[Fault], None], progress: Callable[[int], None]
) -> Iterator[str]:
    read_bytes = 0
    for number, line in enumerate(file, 1):
        read_bytes += len(line)
        if number % _PROGRESS_LINES == 0:
            progress(read_bytes)
            read_bytes = 0
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError:
            fault(Fault(number, _TEXT, "不是UTF-8编码，请转换后重新导入"))
            yield "\n"


def _header_faults(header: list[str], columns: Columns) -> Iterator[Fault]:
    known = (*columns.required, *columns.optional)
    for name in columns.required:
        if name not in header:
            yield Fault(1, name, "缺少此列")
    for at, name in enumerate(header):
        if name not in known:
            yield Fault(1, name, f"没有此列，可用的列：{'、'.join(known)}")
        elif name in header[:at]:
            yield Fault(1, name, "此列出现两次")


def _records(reader: Any, header: list[str], fault: Callable[[Fault], None]) -> Iterator[Record]:
    for cells in reader:
        if not "".join(cells).strip():
            continue
        if len(cells) != len(header):
            problem = f"有{len(cells)}列，应为{len(header)}列"
            fault(Fault(reader.line_num, _TEXT, problem))
            continue
        values = dict(zip(header, map(str.strip, cells), strict=True))
        yield Record(reader.line_num, values)
