"""Every worked example comes out to the fen, in the pure code and through `gongji preview`."""

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from gongji_svc.domain.preview import decide

HERE = Path(__file__).parent
FILES = ["worked-examples.yaml", "gongji.yaml"]


def cases(name: str) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = yaml.safe_load((HERE / name).read_text(encoding="utf-8"))
    return loaded


CASES = [case for name in FILES for case in cases(name)]


def expected(value: Any, got: Any, place: str = "") -> Any:
    """What came out, cut down to the keys that are expected; who pays is compared whole."""
    if isinstance(value, date):
        return got
    if isinstance(value, Mapping) and isinstance(got, Mapping) and place != "donors":
        return {key: expected(inner, got.get(key), key) for key, inner in value.items()}
    if isinstance(value, list) and isinstance(got, list) and len(value) == len(got):
        return [expected(inner, each) for inner, each in zip(value, got, strict=True)]
    return got


def as_json(value: Any) -> Any:
    """A case's expectation as JSON writes it: dates as texts."""
    return json.loads(json.dumps(value, default=str))


@pytest.mark.requirement("NAT-09", "TIL-30", "PRE-05", "RF-01")
@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_worked_example_comes_out_to_the_fen(case: dict[str, Any]) -> None:
    expect = as_json(case["expect"])
    assert expected(expect, as_json(decide(case, case["id"]))) == expect


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_the_fen_of_every_visit_add_up(case: dict[str, Any]) -> None:
    for visit in decide(case, case["id"]).get("visits", []):
        donors = sum(visit["donors"].values())
        assert visit["acct_mulaid_pay_fen"] == donors
        assert visit["acct_pay_fen"] == visit["own_account_fen"] + donors
        assert visit["psn_part_fen"] == visit["acct_pay_fen"] + visit["cash_fen"]
        if "total_fen" in visit:
            assert visit["total_fen"] == visit["fund_fen"] + visit["psn_part_fen"]


@pytest.mark.parametrize("name", FILES)
def test_the_command_prints_every_case_of_a_file(name: str) -> None:
    command = [sys.executable, "-m", "gongji_svc.cli", "preview", str(HERE / name), "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
    for case, printed in zip(cases(name), json.loads(ran.stdout), strict=True):
        assert printed["id"] == case["id"]
        expect = as_json(case["expect"])
        assert expected(expect, printed["expect"]) == expect
