"""The page of the benchmarks: each command writes its own part and no other."""

from pathlib import Path

from bench.report import replace_part


def test_a_part_takes_the_place_of_the_one_with_its_heading(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    for part in ("# Purchases\n\n## Rates\n\n1\n", "# Loads\n\n2\n", "# Purchases\n\n3\n"):
        replace_part(page, part)
    assert page.read_text() == "# Purchases\n\n3\n\n# Loads\n\n2\n"
