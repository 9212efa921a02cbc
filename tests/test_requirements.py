"""The page of requirements is what the list and the tests' markers say, or its check fails."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.requirements import LIST, PAGE, ROOT, load, main

REQUIREMENTS = """
[[section]]
prefix = "HOH"
title = "Hohhot"

[[requirement]]
id = "HOH-05"
kind = "rule"
text = "At most 6."
quote = "L30「6名」"

[[requirement]]
id = "HOH-06"
kind = "information"
text = "A word."
why = "nothing to execute"
"""


def project(folder: Path, test: str, requirements: str = REQUIREMENTS) -> Path:
    """A project of one test file and one list."""
    (folder / LIST).parent.mkdir(parents=True)
    (folder / LIST).write_text(requirements, encoding="utf-8")
    (folder / "tests").mkdir()
    (folder / "tests/test_one.py").write_text(test, encoding="utf-8")
    return folder


MARKED = """
import pytest

@pytest.mark.requirement("HOH-05")
def test_the_seventh_is_refused():
    pass
"""


def test_a_marked_test_is_named_beside_its_requirement(tmp_path: Path) -> None:
    root = project(tmp_path, MARKED)
    assert main([], root) == 0
    page = (root / PAGE).read_text(encoding="utf-8")
    assert "| `tests/test_one.py::test_the_seventh_is_refused` |" in page
    assert "information only: nothing to execute" in page


def test_an_unmarked_requirement_is_not_built_yet(tmp_path: Path) -> None:
    root = project(tmp_path, "")
    main([], root)
    assert "not built yet" in (root / PAGE).read_text(encoding="utf-8")


def test_markers_of_classes_parameters_and_modules_count(tmp_path: Path) -> None:
    test = """
import pytest
pytestmark = pytest.mark.requirement("HOH-06")

@pytest.mark.requirement("HOH-05")
class TestLimits:
    @pytest.mark.parametrize("n", [pytest.param(7, marks=pytest.mark.requirement("HOH-05"))])
    def test_more(self, n):
        pass
"""
    root = project(tmp_path, test)
    main([], root)
    page = (root / PAGE).read_text(encoding="utf-8")
    assert "`tests/test_one.py::TestLimits`<br>`tests/test_one.py::TestLimits::test_more`" in page
    assert "`tests/test_one.py`<br>information only" in page


def test_a_stale_page_is_named_with_what_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = project(tmp_path, "")
    main([], root)
    (root / "tests/test_one.py").write_text(MARKED, encoding="utf-8")
    assert main(["--check"], root) == 1
    said = capsys.readouterr().err
    assert "make requirements" in said
    assert "+| HOH-05 |" in said


def test_a_fresh_page_passes_the_check(tmp_path: Path) -> None:
    root = project(tmp_path, MARKED)
    main([], root)
    assert main(["--check"], root) == 0


def test_a_marker_of_an_unknown_requirement_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = project(tmp_path, MARKED.replace("HOH-05", "HOH-99"))
    assert main([], root) == 1
    assert "test_the_seventh_is_refused, line 4: HOH-99" in capsys.readouterr().err


@pytest.mark.parametrize("call", ["(ID)", "()", '("HOH-05", why="x")'])
def test_a_marker_that_cannot_be_read_is_an_error(
    call: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = project(tmp_path, MARKED.replace('("HOH-05")', call))
    assert main([], root) == 1
    assert "line 4" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('kind = "rule"', 'kind = "law"', "HOH-05: kind 'law'"),
        ('why = "nothing to execute"', "", "says why"),
        ("HOH-06", "HOH-05", "listed twice"),
        ('id = "HOH-06"', 'id = "ULQ-06"', "no section"),
        ('quote = "L30「6名」"', 'reading = "x"', "names its row"),
    ],
)
def test_a_bad_list_is_an_error_that_names_the_row(
    old: str, new: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = project(tmp_path, MARKED, REQUIREMENTS.replace(old, new))
    assert main([], root) == 1
    assert said in capsys.readouterr().err


def test_the_list_is_complete_and_numbered_without_gaps() -> None:
    _, requirements = load(ROOT / LIST)
    rules = {"HOH": 30, "ULQ": 35, "TIL": 38, "NAT": 11, "PRE": 8, "RF": 8}
    numbered = [f"{prefix}-{n:02}" for prefix, last in rules.items() for n in range(1, last + 1)]
    unclear = {"HOH": 5, "ULQ": 4, "TIL": 7}
    readings = [f"{prefix}-D{n}" for prefix, last in unclear.items() for n in range(1, last + 1)]
    assert sorted(requirements) == sorted(numbered + readings)


def rows_of_the_readings() -> set[str]:
    text = (ROOT / "docs/decisions/readings.md").read_text(encoding="utf-8")
    anchors = re.findall(r'<a id="([^"]+)"></a>', text)
    assert len(anchors) == len(set(anchors))
    return set(anchors)


def test_every_reading_of_the_list_is_a_row_of_the_readings() -> None:
    _, requirements = load(ROOT / LIST)
    listed = {row.reading for row in requirements.values() if row.reading}
    assert listed <= rows_of_the_readings()


def test_every_reading_that_is_cited_anywhere_is_a_row_of_the_readings() -> None:
    cited: dict[str, str] = {}
    for folder in ("src", "proto", "docs", "gateway", "tests/examples"):
        for path in (ROOT / folder).rglob("*.*"):
            if path.suffix in {".py", ".toml", ".proto", ".md", ".yaml"}:
                text = path.read_text(encoding="utf-8")
                cited |= dict.fromkeys(re.findall(r"readings\.md#([\w-]+)", text), path.name)
    rows = rows_of_the_readings()
    assert {row: where for row, where in cited.items() if row not in rows} == {}


@pytest.mark.parametrize("prefix", ["HOH", "ULQ", "TIL"])
def test_every_quotation_cites_a_line_that_says_something(prefix: str) -> None:
    titles, requirements = load(ROOT / LIST)
    document = ROOT / titles[prefix].split(": ")[1]
    lines = document.read_text(encoding="utf-8").splitlines()
    for row in requirements.values():
        if row.id.startswith(prefix) and row.kind != "reading":
            cited = re.findall(r"L(\d+)「", row.quote)
            assert cited, row.id
            assert all(lines[int(number) - 1].strip() for number in cited), row.id
