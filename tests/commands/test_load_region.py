"""`gongji load` for a region without rules: told once as the option, else by its column."""

from datetime import date
from pathlib import Path

import pytest

from gongji_svc.cli import main
from gongji_svc.storage.database import Database
from tests.commands.test_load import held, loaded
from tests.families import KEYS, Families
from tests.services.driver import Driver

HOHHOT, NOWHERE = "150100", "999999"
PERSON = ["certificate_number,name,home_region", "150199198001010013,甲,"]
INSTITUTION = ["institution_code,name,kind,region", "P1,药店,PHARMACY,"]
PRICE = [
    "catalog_code,name,catalog_class,account_payable,effective_from,region",
    "X1,甲药,A,1,2024-01-01,",
]


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database, on=date(2025, 3, 1))


@pytest.mark.parametrize(
    ("kind", "lines", "column"),
    [
        ("persons", PERSON, "home_region"),
        ("institutions", INSTITUTION, "region"),
        ("catalog", PRICE, "region"),
    ],
)
def test_a_row_of_a_region_without_rules_is_told_by_the_column_that_says_so(
    driver: Driver, database: Database, kind: str, lines: list[str], column: str
) -> None:
    named = [lines[0], lines[1] + NOWHERE]
    assert loaded(driver, kind, named)[1] == [(2, column)]
    assert held(database) == {}
    assert loaded(driver, kind, lines)[1] == []


def test_an_account_in_the_books_of_a_region_without_rules_is_told(
    driver: Driver, database: Database
) -> None:
    owner = Families(database).person(NOWHERE, home=HOHHOT)
    lines = ["certificate_number,region", f"{owner.certificate_number},{NOWHERE}"]
    assert loaded(driver, "accounts", lines)[1] == [(2, "region")]
    assert "accounts" not in held(database)


def test_an_enrolment_in_a_region_without_rules_is_loaded(
    driver: Driver, database: Database
) -> None:
    lines = [
        "certificate_number,name,insurance,region,person_type,from",
        f"150199198001010013,甲,EMPLOYEE,{NOWHERE},ACTIVE,2015-01-01",
    ]
    assert loaded(driver, "persons", lines)[1] == []
    assert held(database)["enrolments"] == 1


@pytest.mark.parametrize(
    ("kind", "lines"), [("persons", PERSON), ("institutions", INSTITUTION), ("catalog", PRICE)]
)
def test_a_region_option_without_rules_is_told_once_and_nothing_is_loaded(
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    lines: list[str],
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("\n".join([*lines, lines[1].replace("1", "2", 1)]), encoding="utf-8")
    (tmp_path / "keys").write_text(KEYS.dump())
    monkeypatch.setenv("GONGJI_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("GONGJI_DATABASE_URL", database.runtime_url)
    monkeypatch.setenv("GONGJI_DATA_KEY", str(tmp_path / "keys"))
    assert main(["load", kind, str(file), "--region", NOWHERE]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"--region {NOWHERE}" in told
    assert held(database) == {}
