"""The settings' page: no setting is known only to who reads the code."""

import re
from dataclasses import Field, fields
from pathlib import Path

import pytest

from gongji_svc import config
from gongji_svc.domain.limits import Limits

_PAGE = (Path(__file__).parents[1] / "docs" / "settings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(config._KNOWN))
def test_the_page_has_a_row_for_each_setting(name: str) -> None:
    rows = [line for line in _PAGE.splitlines() if line.startswith(f"| `{name}` |")]
    assert [line.count("|") for line in rows] == [5]


@pytest.mark.parametrize("field", fields(Limits), ids=lambda field: field.name)
def test_the_page_tells_each_limit(field: Field[int]) -> None:
    (row,) = (
        line for line in _PAGE.splitlines() if f"`{field.name}`" in line and "|---" not in line
    )
    names = re.findall(r"`([a-z_]+)`", row.split("|")[1])
    numbers = [number.strip() for number in row.split("|")[3].split(",")]
    assert numbers[names.index(field.name)] == str(field.default)


def test_the_page_names_no_setting_that_is_unknown() -> None:
    named = set(re.findall(r"GONGJI_[A-Z_]*[A-Z]", _PAGE))
    assert named == config._KNOWN
