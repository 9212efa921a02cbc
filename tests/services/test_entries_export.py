"""ExportEntries: the entries as a table that a spreadsheet opens."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from gongji.v1 import account_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.journal import EntryKind
from gongji_svc.services.entry_csv import HEADINGS, KIND_ZH
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.families import Families, Made
from tests.services.accounts import HOHHOT, SERVICE, TIELING, account_of, credit, crediting
from tests.services.driver import Driver
from tests.services.entries import account_with, all_entries, booked

MEBIBYTE = 1 << 20
COUNTERPARTY, MEMO, SEQ = (HEADINGS.index(one) for one in ("对方", "备注", "序号"))
ASTRAL = "\N{CJK UNIFIED IDEOGRAPH-20000}"


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Iterator[Driver]:
    office = Driver(shared_database)
    yield office
    office.close()


@pytest.fixture
def owner(families: Families) -> Made:
    return families.person(HOHHOT)


def pieces(
    driver: Driver, role: str, subject: object, account_id: object, **fields: Any
) -> Iterator[bytes]:
    """The table as it comes."""
    request = pb.ExportEntriesRequest(account_id=str(account_id), **fields)
    for piece in driver.download(role, subject, SERVICE, "ExportEntries", request):
        yield piece.chunk


def table(driver: Driver, owner: Made, account_id: object, **fields: Any) -> list[list[str]]:
    """The rows below the headings, as a spreadsheet reads them."""
    content = b"".join(pieces(driver, "citizen", owner, account_id, **fields))
    headings, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert tuple(headings) == HEADINGS
    return rows


def test_the_table_begins_with_a_byte_order_mark_and_chinese_headings(
    driver: Driver, families: Families, owner: Made
) -> None:
    account_id = account_with(families, owner)
    [only] = pieces(driver, "citizen", owner, account_id)
    assert only.startswith(b"\xef\xbb\xbf" + "发生时间,类别,金额（元）,余额（元）,".encode())
    assert only.endswith(b"\r\n")
    assert only.count(b"\r\n") == 1


def test_a_row_tells_what_the_list_tells_in_yuan_and_shanghai_time(
    driver: Driver, families: Families, owner: Made
) -> None:
    code, child = families.institution(HOHHOT), families.person(HOHHOT, name="王小明")
    settlement_id, binding_id = new_id(HOHHOT), new_id(HOHHOT)
    purchase = {
        "kind": "SETTLEMENT_MUTUAL_AID",
        "amount_fen": -123_456,
        "counterparty": code,
        "beneficiary_id": child.person_id,
        "source_id": settlement_id,
        "binding_id": binding_id,
        "occurred_at": datetime(2025, 12, 31, 16, 0, 1, tzinfo=UTC),
        "recorded_at": datetime(2025, 12, 31, 16, 0, 2, 999_999, tzinfo=UTC),
    }
    account_id = account_of(owner, families, HOHHOT)
    _, row = booked(families, account_id, [{"amount_fen": 1_000_000_005}, purchase])
    newest, _ = table(driver, owner, account_id)
    assert newest == [
        "2026-01-01 00:00:01",
        "共济支付",
        "-1234.56",
        "9998765.49",
        "王**",
        f"机构{code}",
        "",
        "2026-01-01 00:00:02",
        "2",
        str(settlement_id),
        str(binding_id),
        str(row.journal_id),
    ]


def test_every_kind_of_entry_has_its_word(driver: Driver, families: Families, owner: Made) -> None:
    account_id = account_with(families, owner, *({"kind": kind.value} for kind in EntryKind))
    words = [row[1] for row in table(driver, owner, account_id, ascending=True)]
    assert words == [KIND_ZH[kind] for kind in EntryKind]
    assert len(set(words)) == len(pb.EntryKind.keys()) - 1


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1", "-1", "@SUM(A1)", "＝1+1", "＋1", "－1", "＠A"),
        *(" =1+1", "\u3000=1", "\u200b=1", "\ufeff=1"),
    ],
)
def test_what_people_wrote_is_no_formula(
    driver: Driver, families: Families, owner: Made, text: str
) -> None:
    account_id = account_with(families, owner, {"memo": text})
    [row] = table(driver, owner, account_id)
    assert row[MEMO] == f"'{text}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\u202e=1\u2066+1", "'=1+1"),
        ("划入\u202e元09.1\u202c", "划入元09.1"),
        ("\u200f\u061c划入", "划入"),
        ("一\t二\r\n三\u2028四\x7f", "一二三四"),
    ],
)
def test_what_turns_or_breaks_text_is_left_out(
    driver: Driver, families: Families, owner: Made, text: str, shown: str
) -> None:
    account_id = account_with(families, owner, {"memo": text})
    [row] = table(driver, owner, account_id)
    assert row[MEMO] == shown


def test_the_name_of_an_institution_is_no_formula(
    driver: Driver, families: Families, owner: Made
) -> None:
    name = '=HYPERLINK("http://example.org","药店")'
    institution = (HOHHOT, "P15010077777", name, "PHARMACY", "NONE", "ACTIVE", datetime.now(UTC))
    families.write(("institutions", institution))
    purchase = {"kind": "SETTLEMENT_OWN", "counterparty": "P15010077777"}
    account_id = account_with(families, owner, purchase)
    [row] = table(driver, owner, account_id)
    assert row[COUNTERPARTY] == f"'{name}"


@pytest.mark.parametrize("text", ['他说"好",就划入', "a,b;c", "2025=1", "5月-6月", "'"])
def test_other_text_comes_as_it_was_written(
    driver: Driver, families: Families, owner: Made, text: str
) -> None:
    account_id = account_with(families, owner, {"memo": text})
    [row] = table(driver, owner, account_id)
    assert row[MEMO] == text


def test_filters_and_order_are_those_of_the_list(
    driver: Driver, families: Families, owner: Made
) -> None:
    child = families.person(HOHHOT)
    paid = {"kind": "SETTLEMENT_MUTUAL_AID", "beneficiary_id": child.person_id}
    account_id = account_with(families, owner, {}, paid, {"kind": "INTEREST"}, paid, paid)
    entries = all_entries(driver, "citizen", owner, account_id)
    chosen: list[dict[str, Any]] = [
        {},
        {"ascending": True},
        {"kinds": [pb.ENTRY_KIND_INTEREST, pb.ENTRY_KIND_ALLOCATION]},
        {"beneficiary_id": str(child), "occurred_to": entries[0].occurred_at},
        {"occurred_from": entries[1].occurred_at},
    ]
    for fields in chosen:
        listed = all_entries(driver, "citizen", owner, account_id, **fields)
        rows = table(driver, owner, account_id, **fields)
        assert [row[SEQ] for row in rows] == [str(entry.seq) for entry in listed]


def test_a_long_table_comes_in_pieces_of_whole_rows_none_above_a_mebibyte(
    driver: Driver, families: Families, owner: Made
) -> None:
    code = families.institution(HOHHOT)
    with families.database.connect() as tx:
        tx.execute(
            "UPDATE institutions SET name = %s WHERE institution_code = %s", [ASTRAL * 200, code]
        )
    longest = {"kind": "SETTLEMENT_OWN", "counterparty": code, "memo": ASTRAL * 550}
    account_id = account_with(families, owner, *([longest] * 1_100))
    came = list(pieces(driver, "citizen", owner, account_id))
    assert len(came) > 2
    assert all(len(piece) <= MEBIBYTE and piece.endswith(b"\r\n") for piece in came)
    rows = csv.reader(io.StringIO(b"".join(came).decode("utf-8-sig"), newline=""))
    assert [row[SEQ] for row in rows] == ["序号", *map(str, range(1_100, 0, -1))]


def test_a_piece_is_read_when_it_is_asked_for(
    driver: Driver, families: Families, owner: Made
) -> None:
    account_id = account_with(families, owner, *([{}] * 600))
    stream = pieces(driver, "citizen", owner, account_id, ascending=True)
    begun = next(stream) + next(stream)
    credit(driver, crediting(account_id, request_id="c-meanwhile"))
    lines = (begun + b"".join(stream)).decode("utf-8-sig").splitlines()
    assert [line.split(",")[SEQ] for line in lines[1:]] == [str(seq) for seq in range(1, 602)]


def test_the_table_is_for_those_who_see_the_list(
    driver: Driver, families: Families, owner: Made
) -> None:
    account_id = account_with(families, owner, {}, pool_region=TIELING)
    for role, subject in (("citizen", owner), ("agency", HOHHOT), ("agency", TIELING)):
        assert len(list(pieces(driver, role, subject, account_id))) == 2


def test_a_stranger_gets_no_byte_and_learns_nothing(
    driver: Driver, families: Families, owner: Made
) -> None:
    account_id = account_with(families, owner, {})
    for subject in (families.person(HOHHOT), owner):
        named = account_id if subject is not owner else new_id(HOHHOT)
        with pytest.raises(errors.AccessDenied):
            next(pieces(driver, "citizen", subject, named))
