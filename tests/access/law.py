"""The table of docs/access.md as data: who may call what, as the law has it.

Rule: the table is written by hand and says it for people; the tests compare the program with it,
never it with the program.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "access.md"
NEVER, OWN, ALL = "—", "own", "all"
NOTHING = "nothing"
DENIED = "ACCESS_DENIED"


@dataclass(frozen=True, slots=True)
class Cell:
    """What a role may: NEVER, OWN or ALL; and what is told of what is not its own, a reason of a
    refusal or NOTHING.
    """

    may: str
    else_: str = DENIED


def read() -> Mapping[tuple[str, str], Mapping[str, Cell]]:
    """The cells by (service, RPC), then by role."""
    table: dict[tuple[str, str], Mapping[str, Cell]] = {}
    service, roles = "", []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            service = line.removeprefix("## ").split("（")[0].strip()
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or set(line) <= set("|-: "):
            continue
        if cells[0] == "RPC":
            roles = cells[2:]
        elif cells[0].startswith("`") and roles:
            name = cells[0].strip("`")
            assert (service, name) not in table, f"{name} has two rows"
            table[service, name] = dict(zip(roles, map(_cell, cells[2:]), strict=True))
    return table


def _cell(text: str) -> Cell:
    may, _, else_ = text.partition(", else ")
    assert may in (NEVER, OWN, ALL), text
    return Cell(may, else_.strip("`") or DENIED)


def cells() -> Iterator[tuple[str, str, str]]:
    """Every (service, RPC, role)."""
    for (service, name), row in read().items():
        for role in row:
            yield service, name, role
