"""`gongji load`: whole files, the same rows as by calls, and every bad row by line and field."""

import argparse
import io
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gongji.v1 import registry_pb2 as pb
from gongji_svc.cli import main
from gongji_svc.commands import load as command
from gongji_svc.config import Config
from gongji_svc.domain.errors import ConcurrentChange
from gongji_svc.services.loading import Loaded, load
from gongji_svc.services.loading_kinds import KINDS
from gongji_svc.services.rows import Fault
from gongji_svc.storage import people, tables
from gongji_svc.storage.database import Database
from gongji_svc.storage.people import PersonRow
from tests.families import KEYS
from tests.services.driver import Driver
from tests.services.test_registry_persons import day, enrolment, period, person, put

HOHHOT, ULANQAB, PROVINCE = "150100", "150900", "150000"
_PERSON = "certificate_number,name,insurance,region,person_type,from"


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database, on=date(2025, 3, 1))


def loaded(
    driver: Driver, kind: str, lines: Sequence[str], region: str = HOHHOT
) -> tuple[Loaded, list[tuple[int, str]]]:
    """What came of a file with these lines, and the lines and fields of its faults."""
    faults: list[Fault] = []
    file = io.BytesIO("\n".join(lines).encode())
    report = load(driver.office, KINDS[kind], file, region, faults.append, lambda _: None)
    assert report.faults == len(faults)
    return report, sorted((one.line, one.field) for one in faults)


def rows(database: Database, query: str) -> list[Any]:
    with database.connect() as tx:
        return tx.execute(query.encode()).fetchall()


def held(database: Database) -> dict[str, int]:
    """How many rows each table holds, of those that hold any."""
    counts = {
        name: len(rows(database, f"SELECT 1 FROM {name}"))  # noqa: S608 - our own names
        for name in tables.metadata.tables
    }
    return {name: count for name, count in counts.items() if count}


def opened(driver: Driver, database: Database, name: str) -> tuple[Any, Any]:
    """The one person of that name, sealed fields opened, without id and times."""
    sealer = driver.office.sealer
    for row in rows(database, "SELECT * FROM persons"):
        kept = PersonRow(*row)
        query = f"SELECT * FROM enrolments WHERE person_id = '{kept.id}'"  # noqa: S608 - an id
        record = people.registered_from(kept, rows(database, query), sealer)
        if record.person.name == name:
            return record.identity, record.person
    raise AssertionError(name)


def test_loaded_people_are_as_if_they_had_been_put(driver: Driver, database: Database) -> None:
    stated = person(
        enrolment(HOHHOT, period("2015-01-01", "2020-12-31"), period("2021-03-01")),
        enrolment(ULANQAB, period("2023-01-01", as_individual=True), insurance="LONG_TERM_CARE"),
        number="150199198001010013",
        name="甲",
        card_no="K1",
        identities=["DISABLED", "ORPHAN"],
        chronic_diseases=["DIABETES"],
        premium_years=[
            pb.PremiumYear(year=2024, kind=pb.PREMIUM_YEAR_KIND_REPAIRED, paid_on=day("2024-05-01"))
        ],
        referral_filings=[pb.ReferralFiling(region=ULANQAB, **{"from": day("2024-01-01")})],
    )
    put(driver, HOHHOT, stated)
    report, faults = loaded(
        driver,
        "persons",
        [
            "certificate_number,name,card_no,birth_date,insurance,region,person_type,from,to,"
            "as_individual,identities,chronic_diseases,premium_years,referral_filings",
            "150199198001010021,乙,K2,1980-01-01,EMPLOYEE,,ACTIVE,2015-01-01,2020-12-31,,"
            "DISABLED;ORPHAN,DIABETES,2024 2024-05-01 REPAIRED,150900 2024-01-01",
            "150199198001010021,,,,EMPLOYEE,,ACTIVE,2021-03-01,,,,,,",
            "150199198001010021,,,,LONG_TERM_CARE,150900,ACTIVE,2023-01-01,,1,,,,",
        ],
    )
    assert (report.rows, report.items, faults) == (3, 1, [])
    first, second = (opened(driver, database, name) for name in ("甲", "乙"))
    assert plain(first) == plain(second)
    assert held(database)["person_directory"] == 4


def plain(record: tuple[Any, Any]) -> tuple[Any, ...]:
    """A record without what must differ between two people."""
    identity, known = record
    return (
        identity.certificate_type,
        known.birth_date,
        sorted(known.enrolments, key=lambda one: one.region),
        known.premium_years,
        known.identities,
        known.chronic_diseases,
        known.referral_filings,
    )


def test_a_person_who_is_known_is_stated_anew_and_keeps_the_id(
    driver: Driver, database: Database
) -> None:
    stated = person(enrolment(HOHHOT), number="150199198001010013", name="甲", card_no="K1")
    kept = put(driver, HOHHOT, stated).person
    lines = [f"{_PERSON},card_no", "150199198001010013,甲甲,RESIDENT,,RESIDENT,2024-01-01,K2"]
    assert loaded(driver, "persons", lines)[1] == []
    assert rows(database, "SELECT id::text FROM persons") == [(kept.person_id,)]
    assert rows(database, "SELECT insurance FROM enrolments") == [("RESIDENT",)]
    assert held(database)["person_directory"] == 2
    assert opened(driver, database, "甲甲")[0].card_no == "K2"


def test_a_guardian_may_stand_in_the_same_file_or_be_registered_before(
    driver: Driver, database: Database
) -> None:
    known = put(driver, HOHHOT, person(number="150199198001010013")).person.person_id
    lines = [
        "certificate_number,name,guardians",
        "150199198201010018,母,",
        "150199201505050013,子,150199198001010013;ID_CARD:150199198201010018",
    ]
    assert loaded(driver, "persons", lines)[1] == []
    mother, child = opened(driver, database, "母")[1], opened(driver, database, "子")[1]
    guardians = [str(one.guardian_id) for one in child.guardians]
    assert guardians == [known, str(mother.person_id)]


def test_a_guardian_may_stand_far_before_the_ward(driver: Driver, database: Database) -> None:
    between = [f"P{at:05d},某,," for at in range(1200)]
    lines = [
        "certificate_number,name,guardians,certificate_type",
        "150199198201010018,母,,",
        *(f"{line}PASSPORT" for line in between),
        "150199198201010026,子,150199198201010018,",
    ]
    lines[0] += ",birth_date"
    lines[1:] = [f"{line},1982-01-01" for line in lines[1:]]
    assert loaded(driver, "persons", lines)[1] == []
    assert opened(driver, database, "子")[1].guardians


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("150199198001010013,,EMPLOYEE,,ACTIVE,2015-01-01", (3, "name")),
        ("1501 99,甲,EMPLOYEE,,ACTIVE,2015-01-01", (3, "certificate_number")),
        ("150199198001010013,甲,SOMETHING,,ACTIVE,2015-01-01", (3, "insurance")),
        ("150199198001010013,甲,EMPLOYEE,1501,ACTIVE,2015-01-01", (3, "region")),
        ("150199198001010013,甲,EMPLOYEE,,ACTIVE,2015-02-30", (3, "from")),
        ("150199198001010013,甲,EMPLOYEE,,ACTIVE,", (3, "from")),
        ("150199198001010013,甲,EMPLOYEE,,,2015-01-01", (3, "person_type")),
        ("P1,甲,EMPLOYEE,,ACTIVE,2015-01-01", (3, "certificate_number")),
        ("150199198001010014,甲,EMPLOYEE,,ACTIVE,2015-01-01", (3, "certificate_number")),
        ("150199198001010013,甲,EMPLOYEE,,ACTIVE", (3, "(text)")),
        ("150199198001010013,甲\x00,EMPLOYEE,,ACTIVE,2015-01-01", (3, "name")),
        ('150199198001010013,"甲,EMPLOYEE,,ACTIVE,2015-01-01', (3, "(text)")),
    ],
)
def test_a_bad_row_is_named_by_line_and_field_and_nothing_is_written(
    driver: Driver, database: Database, line: str, place: tuple[int, str]
) -> None:
    good = "150199198201010018,乙,EMPLOYEE,,ACTIVE,2015-01-01"
    assert loaded(driver, "persons", [_PERSON, good, line])[1] == [place]
    assert held(database) == {}


def test_a_fault_between_rows_of_one_person_stands_on_its_own_line(driver: Driver) -> None:
    lines = [
        _PERSON,
        "150199198001010013,甲,EMPLOYEE,,ACTIVE,2015-01-01",
        "150199198001010013,乙,EMPLOYEE,,ACTIVE,2016-01-01",
        "150199198201010018,丙,EMPLOYEE,,ACTIVE,2015-01-01",
        "150199198201010018,,EMPLOYEE,,ACTIVE,2016-01-01",
    ]
    assert loaded(driver, "persons", lines)[1] == [(3, "name"), (5, "from")]


def test_every_bad_row_is_told(driver: Driver) -> None:
    lines = [_PERSON, *(f"P{at},甲,EMPLOYEE,,ACTIVE,2015-01-01" for at in range(2500))]
    report, faults = loaded(driver, "persons", lines)
    assert report.faults == 2500
    assert faults[-1] == (2501, "certificate_number")


@pytest.mark.parametrize("apart", [0, 1500])
def test_a_certificate_or_card_that_stands_twice_is_told(driver: Driver, apart: int) -> None:
    between = [f"P{at:05d},某,PASSPORT,1980-01-01,C{at}" for at in range(apart)]
    lines = [
        "certificate_number,name,certificate_type,birth_date,card_no",
        "150199198001010013,甲,,,K1",
        "150199198201010018,乙,,,K2",
        *between,
        "150199198001010013,甲,,,K1",
        "150199199001010018,丙,,,K2",
    ]
    last = len(lines)
    expected = [(last - 1, "certificate_number"), (last, "card_no")]
    assert loaded(driver, "persons", lines)[1] == expected


def test_a_certificate_or_card_of_somebody_else_is_told(driver: Driver) -> None:
    put(driver, HOHHOT, person(number="150199198001010013", card_no="K1"))
    lines = ["certificate_number,name,card_no", "150199198201010018,乙,K1"]
    assert loaded(driver, "persons", lines)[1] == [(2, "card_no")]


def test_a_person_of_another_region_is_not_restated(driver: Driver) -> None:
    put(driver, ULANQAB, person(enrolment(ULANQAB), number="150199198001010013"))
    lines = ["certificate_number,name", "150199198001010013,王小明"]
    assert loaded(driver, "persons", lines)[1] == [(2, "region")]


def test_a_home_region_is_needed(driver: Driver) -> None:
    lines = ["certificate_number,name", "150199198001010013,甲"]
    assert loaded(driver, "persons", lines, region="")[1] == [(2, "home_region")]


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("certificate_number", "name"),
        ("certificate_number,name,phone", "phone"),
        ("certificate_number,name,name", "name"),
        ("", "certificate_number"),
    ],
)
def test_a_header_that_is_wrong_is_told_by_column(driver: Driver, header: str, field: str) -> None:
    assert (1, field) in loaded(driver, "persons", [header, "1,甲,"])[1]


@pytest.mark.parametrize("header", ["certificate_number,\rname", 'certificate_number,"name'])
def test_a_header_that_is_no_csv_is_told(driver: Driver, header: str) -> None:
    ((line, field),) = loaded(driver, "persons", [header])[1]
    assert (line, field) == (1, "(text)")


def test_a_file_of_a_spreadsheet_is_read(driver: Driver, database: Database) -> None:
    text = "\ufeffcertificate_number,name\r\n\r\n150199198001010013, 甲 \r\n"
    loaded(driver, "persons", [text])
    assert opened(driver, database, "甲")


def test_text_that_is_not_utf8_is_told_by_line(driver: Driver) -> None:
    faults: list[Fault] = []
    file = io.BytesIO("certificate_number,name\n150199198001010013,甲\n".encode("gb18030"))
    load(driver.office, KINDS["persons"], file, HOHHOT, faults.append, lambda _: None)
    assert [one.line for one in faults] == [2]


def test_institutions_are_loaded_and_loaded_again(driver: Driver, database: Database) -> None:
    header = "institution_code,name,kind,level,region,status"
    first = [header, "P1,药店,PHARMACY,,,", "H1,医院,HOSPITAL,TERTIARY,150900,ACTIVE"]
    assert loaded(driver, "institutions", first)[1] == []
    again = [header, "P1,药店,PHARMACY,,,SUSPENDED"]
    assert loaded(driver, "institutions", again)[1] == []
    query = "SELECT institution_code, region, level, status FROM institutions ORDER BY 1"
    assert rows(database, query) == [
        ("H1", "150900", "TERTIARY", "ACTIVE"),
        ("P1", HOHHOT, "NONE", "SUSPENDED"),
    ]
    elsewhere = [header, "P1,药店,PHARMACY,,150900,"]
    assert loaded(driver, "institutions", elsewhere)[1] == [(2, "region")]


def test_the_catalogue_is_loaded(driver: Driver, database: Database) -> None:
    lines = [
        "catalog_code,name,catalog_class,self_pay_bp,price_ceiling_yuan,account_payable,"
        "effective_from,region",
        "X1,甲药,A,,,1,2024-01-01,",
        "X2,乙药,B,1000,12.5,1,2024-01-01,150100",
        "X3,丙药,C,0,,0,2024-01-01,",
    ]
    assert loaded(driver, "catalog", lines, region=PROVINCE)[1] == []
    query = "SELECT catalog_code, region, price_ceiling_micro_yuan FROM catalog_items ORDER BY 1"
    assert rows(database, query) == [
        ("X1", PROVINCE, None),
        ("X2", HOHHOT, 12_500_000),
        ("X3", PROVINCE, None),
    ]
    bad = [lines[0], "X1,甲药,A,1000,,1,2024-01-01,", "X2,乙药,B,1000,1.1234567,1,2024-01-01,"]
    faults = loaded(driver, "catalog", bad, region=PROVINCE)[1]
    assert faults == [(2, "self_pay_bp"), (3, "price_ceiling_yuan")]
    large = [lines[0], "X1,甲药,B,2147483648,,1,2024-01-01,"]  # than the message holds
    assert loaded(driver, "catalog", large, region=PROVINCE)[1] == [(2, "self_pay_bp")]


def test_what_others_changed_meanwhile_stops_the_load(driver: Driver, database: Database) -> None:
    stated = person(enrolment(HOHHOT), number="150199198001010013", name="甲")
    put(driver, HOHHOT, stated)

    def change(_: int) -> None:
        stated.name = "乙"
        put(driver, HOHHOT, stated)

    header = "certificate_number,name,certificate_type,birth_date"
    after = (f"P{at:05d},某,PASSPORT,1980-01-01" for at in range(2000))
    text = "\n".join([header, "150199198001010013,丙,,", *after])
    file = io.BytesIO(text.encode())
    changes = iter([lambda _: None, lambda _: None, change])  # the third after the first chunk
    with pytest.raises(ConcurrentChange):
        load(
            driver.office,
            KINDS["persons"],
            file,
            HOHHOT,
            lambda fault: pytest.fail(str(fault)),
            lambda n: next(changes, lambda _: None)(n),
        )
    assert held(database)["persons"] == 1


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(words)


@pytest.fixture
def config(database: Database, tmp_path: Path) -> Config:
    (tmp_path / "keys").write_text(KEYS.dump())
    return Config(
        data_dir=tmp_path, database_url=database.runtime_url, data_key=str(tmp_path / "keys")
    )


def test_the_command_prints_the_rate(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "p.csv"
    text = "certificate_number,name,home_region\n150199198001010013,甲,150100\n"
    file.write_text(text, encoding="utf-8")
    assert command.run(arguments("persons", str(file)), config) == 0
    assert "1 row in" in capsys.readouterr().out


def test_the_command_names_bad_rows_and_exits_with_1(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "p.csv"
    file.write_text("certificate_number,name\n150199198001010013,\n", encoding="utf-8")
    assert command.run(arguments("persons", str(file), "--region", HOHHOT), config) == 1
    told = capsys.readouterr().err
    assert f"{file}:2: name: " in told
    assert "nothing was loaded: 1 fault\n" in told


def test_a_region_that_is_none_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["load", "persons", str(tmp_path / "p.csv"), "--region", "Hohhot"])
    assert ended.value.code == 2
