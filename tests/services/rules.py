"""The regions' rules with some values replaced, for what no region's file states today.

Rule: a replaced value goes through the same checks as a region's file, and everything else stays as
the files say.
"""

import tomllib
from collections.abc import Mapping
from datetime import date
from typing import Any

from gongji_svc import regions
from gongji_svc.domain.policy_document import check_document, check_parents
from gongji_svc.domain.rulebook import Rulebook
from gongji_svc.storage.database import Database
from tests.services.driver import Driver

SINCE = date(2025, 1, 2)  # the day after the last block of the files


def rules_with(region: str, values: Mapping[str, object]) -> Rulebook:
    """The rules of all regions; from SINCE `region` has other values, named by their places
    ("order.kind").
    """
    paths = sorted(regions.DIRECTORY.glob("*.toml"))
    files = {path.name: tomllib.loads(path.read_text(encoding="utf-8")) for path in paths}
    files[f"{region}.toml"]["block"].append(_block(values))
    return Rulebook(check_parents(check_document(name, data) for name, data in files.items()))


def driver_with(
    database: Database, region: str, values: Mapping[str, object], on: date | None = None
) -> Driver:
    """The service on one database where `region` has other values."""
    driver = Driver(database, on=on)
    driver.office.rulebook = rules_with(region, values)
    return driver


def _block(values: Mapping[str, object]) -> dict[str, Any]:
    block: dict[str, Any] = {"effective_from": SINCE}
    for place, value in values.items():
        group, _, key = place.partition(".")
        block.setdefault(group, {})[key] = {"value": value, "source": f"test {place}"}
    return block
