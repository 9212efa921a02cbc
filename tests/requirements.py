"""Makes docs/requirements.md: every numbered requirement with the tests that show it.

The rule: a test claims a requirement by `@pytest.mark.requirement("HOH-05")` and in no other way.
The markers are read from the source text (nothing is imported or run): they are plain strings.

    python -m tests.requirements            writes docs/requirements.md
    python -m tests.requirements --check    exits 1 and names what differs when it is stale
"""

from __future__ import annotations

import argparse
import ast
import difflib
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIST = Path("docs/requirements/requirements.toml")
PAGE = Path("docs/requirements.md")
SCREEN_LINES = 60

KINDS = ("rule", "information", "reading")

HEAD = """\
# Requirements and the tests that show them

Made by `make requirements` from `docs/requirements/requirements.toml` and the tests'
`requirement(...)` markers; never edited by hand. "L12" in a quotation is line 12 of the section's
document.
"""


class MarkerError(Exception):
    """A requirement list or a marker that cannot be trusted; the message says where."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One numbered requirement, as the list states it."""

    id: str
    kind: str
    text: str
    quote: str = ""
    why: str = ""
    reading: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise MarkerError(f"{self.id}: kind {self.kind!r} is none of {', '.join(KINDS)}")
        if bool(self.why) != (self.kind == "information"):
            raise MarkerError(f"{self.id}: information, and nothing else, says why")
        if bool(self.reading) != (self.kind == "reading"):
            raise MarkerError(f"{self.id}: a reading, and nothing else, names its row")


@dataclass(frozen=True, slots=True)
class Marker:
    """One requirement id cited by one test."""

    requirement: str
    test: str
    line: int


def load(path: Path) -> tuple[Mapping[str, str], Mapping[str, Requirement]]:
    """Read the list: section titles by prefix and requirements by id, both in the list's order."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    titles = {section["prefix"]: section["title"] for section in document["section"]}
    requirements: dict[str, Requirement] = {}
    for row in document["requirement"]:
        requirement = Requirement(**row)
        if requirement.id in requirements:
            raise MarkerError(f"{path}: {requirement.id} is listed twice")
        if requirement.id.split("-")[0] not in titles:
            raise MarkerError(f"{path}: {requirement.id} belongs to no section")
        requirements[requirement.id] = requirement
    return titles, requirements


def markers(tests: Path) -> list[Marker]:
    """Collect the markers of every test file below `tests`, in the order of path and line."""
    found: list[Marker] = []
    for path in sorted(tests.rglob("test_*.py")):
        name = path.relative_to(tests.parent).as_posix()
        block = ast.parse(path.read_text(encoding="utf-8"))
        found.extend(sorted(_in_block(block, name), key=lambda marker: marker.line))
    return found


def _in_block(block: ast.AST, name: str) -> Iterator[Marker]:
    """Markers below `block`; `name` is the pytest id of what encloses it."""
    for child in ast.iter_child_nodes(block):
        inner = name
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{name}::{child.name}"
        if _is_marker(child):
            yield from _of_call(child, name)
        else:
            yield from _in_block(child, inner)


def _is_marker(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "requirement"
        and isinstance(node.func.value, ast.Attribute)
        and node.func.value.attr == "mark"
    )


def _of_call(call: ast.AST, name: str) -> Iterator[Marker]:
    assert isinstance(call, ast.Call)
    for argument in call.args:
        if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
            raise MarkerError(f"{name}, line {call.lineno}: requirement ids are plain strings")
        yield Marker(argument.value, name, call.lineno)
    if call.keywords or not call.args:
        raise MarkerError(f"{name}, line {call.lineno}: requirement() takes ids and nothing else")


def page(
    titles: Mapping[str, str], requirements: Mapping[str, Requirement], found: Sequence[Marker]
) -> str:
    """The whole of docs/requirements.md."""
    shown: dict[str, list[str]] = {}
    for marker in found:
        if marker.requirement not in requirements:
            where = f"{marker.test}, line {marker.line}"
            raise MarkerError(f"{where}: {marker.requirement} is not a requirement of {LIST}")
        tests = shown.setdefault(marker.requirement, [])
        if marker.test not in tests:
            tests.append(marker.test)
    parts = [HEAD, _summary(titles, requirements, shown)]
    for prefix, title in titles.items():
        rows = [row for row in requirements.values() if row.id.split("-")[0] == prefix]
        lines = [f"## {title}\n", "| id | requirement | shown by |", "|---|---|---|"]
        lines += [_row(row, shown.get(row.id, [])) for row in rows]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _summary(
    titles: Mapping[str, str],
    requirements: Mapping[str, Requirement],
    shown: Mapping[str, Sequence[str]],
) -> str:
    lines = ["| section | rules | shown | not built yet |", "|---|---:|---:|---:|"]
    for prefix, title in titles.items():
        rules = [
            row.id
            for row in requirements.values()
            if row.kind == "rule" and row.id.split("-")[0] == prefix
        ]
        built = sum(1 for each in rules if each in shown)
        lines.append(f"| {title.split(':')[0]} | {len(rules)} | {built} | {len(rules) - built} |")
    return "\n".join(lines) + "\n"


def _row(row: Requirement, tests: Sequence[str]) -> str:
    text = _cell(row.text) + (f"<br>{_cell(row.quote)}" if row.quote else "")
    shown = [f"`{_cell(test)}`" for test in tests]
    if row.kind == "information":
        shown.append(f"information only: {_cell(row.why)}")
    if row.kind == "reading":
        shown.append(f"[reading](decisions/readings.md#{row.reading})")
    return f"| {row.id} | {text} | {'<br>'.join(shown) or 'not built yet'} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Write the page, or with --check say how it differs; 1 when stale or not to be trusted."""
    parser = argparse.ArgumentParser(prog="python -m tests.requirements", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when stale")
    check: bool = parser.parse_args(arguments).check
    try:
        titles, requirements = load(root / LIST)
        made = page(titles, requirements, markers(root / "tests"))
    except MarkerError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    target = root / PAGE
    if not check:
        target.write_text(made, encoding="utf-8")
        return 0
    there = target.read_text(encoding="utf-8") if target.exists() else ""
    if there == made:
        return 0
    sys.stderr.write(f"{PAGE} is stale; `make requirements` writes it anew:\n")
    difference = list(difflib.unified_diff(there.splitlines(), made.splitlines(), n=0, lineterm=""))
    sys.stderr.write("\n".join(difference[2 : 2 + SCREEN_LINES]) + "\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
