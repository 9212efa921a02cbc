"""CSV files made up: the right columns or wrong ones, cells that mean something or nothing.

Rule: half of what is made up is a file as an agency would send it; a quarter is any bytes.
"""

from gongji_svc.services.allocating import COLUMNS
from gongji_svc.services.loading_kinds import KINDS
from gongji_svc.services.rows import Columns
from tests.fuzz.choice import Choice, one_in, pick
from tests.fuzz.made_up import Known

ALLOCATIONS = "allocations"
_MOST_ROWS, _MOST_RAW, _MOST_CELL = 4, 2000, 30
_CELLS = (
    "", "ID_CARD", "150102197001010011", "王1", "1980-01-01", "2025-02-30", "0001-01-01", "2025-09",
    "9999-12-31", "EMPLOYEE", "RESIDENT", "ACTIVE", "NORMAL", "PAUSED", "150100", "150000",
    "999999", "GENERAL", "PHARMACY", "NONE", "A", "B", "1", "0", "100", "-1", "1.5", "10000",
    "999999999999", "1000000000000", "true", "ALLOCATION", "INTEREST", "a;b", ";", "\\", "\\N",
    "\\.", "\t", '"', "'", "a\0b", "\ufeff", "\u2028", "😀", "00000000-0000-8000-8000-000000000000",
)  # fmt: skip


def csv_file(choice: Choice, columns: Columns, known: Known) -> bytes:
    """The bytes of a file."""
    if one_in(choice, 4):
        return choice.raw(_MOST_RAW)
    left_out = choice.raw(len(columns.optional))
    header = [*columns.required]
    header += [name for name, bit in zip(columns.optional, left_out, strict=False) if bit % 2]
    if one_in(choice, 16):
        header.append(choice.text(_MOST_CELL))
    rows = [[_cell(choice, name, known) for name in header] for _ in range(_rows(choice))]
    return b"".join(_line(choice, row) for row in (header, *rows))


def _rows(choice: Choice) -> int:
    return choice.whole(1, _MOST_ROWS)


def _cell(choice: Choice, name: str, known: Known) -> str:
    how = choice.whole(0, 3)
    if how == 0:
        return choice.text(_MOST_CELL)
    if how == 1 and name in known:
        return pick(choice, known[name])
    return pick(choice, _CELLS)


def _line(choice: Choice, cells: list[str]) -> bytes:
    """Quoted where it must be; now and then not, or damaged."""
    if one_in(choice, 16):
        return ",".join(cells).encode() + choice.raw(4)
    quoted = (
        '"' + cell.replace('"', '""') + '"' if set(cell) & set(',"\r\n') else cell for cell in cells
    )
    return ",".join(quoted).encode() + b"\n"


def columns_of(kind: str) -> Columns:
    """The columns of a kind of file."""
    return COLUMNS if kind == ALLOCATIONS else KINDS[kind].columns
