"""docs/security.md: each promise names tests that there are, and each list is whole."""

import ast
import re
from pathlib import Path

import pytest

_TESTS = Path(__file__).parent
_PAGE = _TESTS.parent / "docs" / "security.md"
_NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
_PROMISES = "| promise | tests |"


def rows(heading: str) -> list[list[str]]:
    """The cells of the tables that begin with this line."""
    found: list[list[str]] = []
    within = False
    for line in _PAGE.read_text(encoding="utf-8").splitlines():
        within = line == heading or (within and line.startswith("|"))
        if within and line != heading and not set(line) <= set("|-"):
            found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def written_in(file: str) -> set[str]:
    tree = ast.parse((_TESTS / file).read_text(encoding="utf-8"))
    return {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}


def test_every_test_that_the_page_names_is_there() -> None:
    named = _NAMED.findall(_PAGE.read_text(encoding="utf-8"))
    assert named
    missing = [f"{file}::{name}" for file, name in named if name not in written_in(file)]
    assert missing == []


def test_every_promise_names_a_test() -> None:
    promises = rows(_PROMISES)
    assert promises
    assert [promise for promise, tests in promises if not _NAMED.search(tests)] == []


@pytest.mark.parametrize(
    ("heading", "first", "expected"),
    [
        ("| risk | here | left to the operator |", r"API\d+", [f"API{n}" for n in range(1, 11)]),
        (
            "| control | here | left to the operator |",
            r"8\.1\.4\.\d+",
            [f"8.1.4.{n}" for n in range(1, 12)],
        ),
    ],
)
def test_every_row_of_a_standard_is_answered(heading: str, first: str, expected: list[str]) -> None:
    numbers = [re.match(first, row[0]) for row in rows(heading)]
    assert [one.group() for one in numbers if one] == expected


def test_every_role_stands_in_the_table_of_threats() -> None:
    told = " ".join(
        row[0]
        for row in rows("| who | what they could try | what stands against it | what is left |")
    )
    for role in ("patient", "donor", "beneficiary", "guardian", "counter", "reviewer", "agency"):
        assert role in told
    for role in ("tax", "auditor", "till", "platform", "gateway", "worker", "database", "thief"):
        assert role in told
