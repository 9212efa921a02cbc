"""The settings' page: no setting is known only to who reads the code."""

import re
from pathlib import Path

import pytest

from gongji_svc import config

_PAGE = (Path(__file__).parents[1] / "docs" / "settings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(config._KNOWN))
def test_the_page_has_a_row_for_each_setting(name: str) -> None:
    rows = [line for line in _PAGE.splitlines() if line.startswith(f"| `{name}` |")]
    assert [line.count("|") for line in rows] == [5]


def test_the_page_names_no_setting_that_is_unknown() -> None:
    named = set(re.findall(r"GONGJI_[A-Z_]*[A-Z]", _PAGE))
    assert named == config._KNOWN
