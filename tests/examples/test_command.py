"""`gongji preview` for people: what it prints, and what its exit status says."""

import argparse
import json
from pathlib import Path

import pytest

from gongji_svc.commands import UsageError
from gongji_svc.commands.preview import add_arguments, run
from gongji_svc.config import Config

CASE = """
- id: T-1
  title: 个人负担50元
  kind: mutual_aid
  rules: {order: USER_PRIORITY}
  given: {own_balance_fen: 3000, visits: [{psn_part_fen: 5000}]}
  expect: {visits: [{own_account_fen: 3000, cash_fen: 2000, donors: {}}]}
"""


def command(folder: Path, text: str, *options: str, name: str = "cases.yaml") -> int:
    """Run `gongji preview` on a file of this text."""
    file = folder / name
    file.write_text(text, encoding="utf-8")
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args([str(file), *options]), Config(data_dir=folder))


def test_a_case_as_expected_is_printed_key_by_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(tmp_path, CASE) == 0
    printed = capsys.readouterr().out
    assert "T-1  个人负担50元" in printed
    assert "visits[0].own_account_fen: 3000" in printed
    assert printed.endswith("1 cases: 1 as expected, 0 otherwise, 0 not decided\n")


def test_a_case_that_comes_out_otherwise_is_shown_with_what_was_expected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(tmp_path, CASE.replace("cash_fen: 2000", "cash_fen: 1999")) == 1
    assert "! visits[0].cash_fen: expected 1999, not 2000" in capsys.readouterr().out


def test_a_case_that_cannot_be_read_is_named_and_the_others_are_decided(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = CASE.replace("T-1", "T-2").replace("psn_part_fen", "psn_share_fen")
    assert command(tmp_path, CASE + bad, "--json") == 2
    printed = capsys.readouterr()
    first, second = json.loads(printed.out)
    assert first["expect"]["visits"][0]["cash_fen"] == 2000
    assert second["error"].startswith("T-2: given.visits[0].psn_share_fen: unknown key")
    assert f"cases.yaml: {second['error']}" in printed.err


def test_a_json_file_reads_as_a_yaml_file_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = {
        "id": "T-3",
        "kind": "premium",
        "rules": {"fixed_wait_months": 3},
        "given": {"insurance_year": 2026, "missed_years": 1},
        "expect": {"benefit_from": "2026-04-01"},
    }
    assert command(tmp_path, json.dumps([case]), "--json", name="cases.json") == 0
    assert json.loads(capsys.readouterr().out) == [
        {"id": "T-3", "expect": {"wait_months": 3, "benefit_from": "2026-04-01"}}
    ]


@pytest.mark.parametrize(
    ("name", "text"), [("cases.yaml", "a: [1"), ("cases.json", "{"), ("cases.yaml", "a: 1")]
)
def test_a_file_that_cannot_be_read_is_the_users_to_put_right(
    name: str, text: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=name):
        command(tmp_path, text, name=name)


def test_a_file_that_is_not_there_is_the_users_to_put_right(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with pytest.raises(UsageError, match="No such file"):
        run(parser.parse_args([str(tmp_path / "none.yaml")]), Config(data_dir=tmp_path))
