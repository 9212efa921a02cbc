"""The software bill of materials lists all that runs, as it is locked."""

import json
import re
from collections.abc import Iterator
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.sbom import write


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bill") / "sbom.json"
    write(path)
    return path


def components(bill: Path) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in json.loads(bill.read_bytes())["components"]}


def installed() -> set[str]:
    """Everything installed here that gongji needs, and what that needs; normalized names."""
    seen: set[tuple[str, str]] = set()
    wanted = [("gongji", "")]
    while wanted:
        seen.add(wanted[-1])
        wanted += set(needed_by(*wanted.pop())) - seen
    return {name for name, _ in seen} - {"gongji"}


def needed_by(name: str, extra: str) -> Iterator[tuple[str, str]]:
    """What a distribution needs here, with each extra that it asks for."""
    for asked in map(Requirement, distribution(name).requires or ()):
        if asked.marker is None or asked.marker.evaluate({"extra": extra}):
            yield from ((normalized(asked.name), one) for one in {"", *asked.extras})


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_all_that_runs_here_is_in_the_bill_in_its_version(bill: Path) -> None:
    listed = components(bill)
    assert {name: one["version"] for name, one in listed.items() if name in installed()} == {
        name: version(name) for name in installed()
    }


def test_everything_in_the_bill_has_a_hash(bill: Path) -> None:
    for one in components(bill).values():
        (source,) = one["externalReferences"]
        assert source["hashes"], one["name"]


def test_the_bill_names_no_tool_of_the_developers(bill: Path) -> None:
    assert components(bill).keys().isdisjoint({"pytest", "atheris", "bandit", "mypy", "ruff"})


def test_the_same_lock_gives_the_same_bill(bill: Path, tmp_path: Path) -> None:
    write(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == bill.read_bytes()
