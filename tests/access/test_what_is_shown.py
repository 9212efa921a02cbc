"""What is hidden from those who may call: a donor's balance from relatives, people from tills, the
items from donors.

Rule: everything that the matrix can ask is asked, for one's own; the answer is searched as JSON, as
a client gets it.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.json_format import MessageToJson

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain.errors import Refusal
from gongji_svc.domain.money import yuan
from gongji_svc.services.contract import METHODS
from gongji_svc.storage.database import Database
from tests.access import law
from tests.access.asked import BUILDERS, request_of
from tests.access.side import Side
from tests.access.test_matrix import answer
from tests.families import Families
from tests.services import premiums
from tests.services.applications import HOHHOT
from tests.services.driver import Driver

_RICH_FEN = 7_654_321
_ITEM = "感冒灵颗粒"


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Iterator[Driver]:
    Families(shared_database).item("150000", "XA01")
    office = premiums.driver_on(shared_database)
    yield office
    office.close()


@pytest.fixture
def side(driver: Driver) -> Side:
    """A donor whose balance is like no other number."""
    side = Side(driver, HOHHOT)
    premiums.change(side.families, "accounts", side.donor.account_id, balance_fen=_RICH_FEN)
    return side


def answers(side: Side, role: str, subject: str) -> Iterator[tuple[str, str]]:
    """What the caller is answered to everything that the role may ask; also what is refused."""
    table = law.read()
    for method in METHODS:
        name = method.name
        if table[method.service, name][role].may == law.NEVER or name not in BUILDERS:
            continue
        try:
            given = answer(side.driver, role, subject, method, request_of(name, side, role))
        except Refusal as refusal:
            yield name, f"{refusal.message} {refusal.message_zh} {refusal.details}"
            continue
        for one in given if isinstance(given, list) else [given]:
            yield name, json_of(one)


def json_of(one: Any) -> str:
    """As a client gets it; of a watch nothing is sent yet."""
    return MessageToJson(one, ensure_ascii=False) if hasattr(one, "DESCRIPTOR") else ""


def amounts_of(side: Side) -> set[str]:
    """The donor's balance now, in all ways of writing it."""
    query = "SELECT balance_fen, balance_fen - held_fen FROM accounts WHERE id = %s"
    with side.families.database.connect() as tx:
        row: Any = tx.execute(query, [side.donor.account_id]).fetchone()
    return {text for fen in row for text in (str(fen), f"{fen / 100:.2f}", yuan(fen))}


def test_a_beneficiary_never_learns_a_donors_balance(side: Side) -> None:
    asked = 0
    for name, text in answers(side, "citizen", str(side.child)):
        asked += 1
        for amount in amounts_of(side) | {str(_RICH_FEN), yuan(_RICH_FEN)}:
            assert amount not in text, name
    assert asked > len(METHODS) // 4


def test_the_donor_does_so_the_search_would_find_it(side: Side) -> None:
    said = [text for _, text in answers(side, "citizen", str(side.donor))]
    assert any(str(_RICH_FEN) in text for text in said)


@pytest.mark.parametrize("role", ["pos", "platform"])
def test_a_till_learns_no_balance_and_no_donor(side: Side, role: str) -> None:
    for name, text in answers(side, role, side.subject(role)):
        for amount in amounts_of(side) | {str(_RICH_FEN), yuan(_RICH_FEN)}:
            assert amount not in text, name
        for secret in (side.donor.name, side.donor.certificate_number, side.donor.card_no):
            assert secret not in text, name
        if name != "GetHold":
            assert str(side.donor) not in text, name


def test_a_preview_tells_donors_as_one_sum(side: Side) -> None:
    other = side.families.person(HOHHOT, balance_fen=333)
    premiums.bind(side.families, other, side.child, rank=1)
    premiums.change(side.families, "bindings", side.family.binding_id, rank=2)
    request = request_of("PreviewSettlement", side, "pos")
    preview = side.driver.call(
        "pos", side.institution, "SettlementService", "PreviewSettlement", request
    )
    assert preview.breakdown.mutual_aid_pay_fen == request.total_fen == 1_000
    assert not re.search(r"\b(333|667|3\.33|6\.67)\b", json_of(preview))
    assert re.search(r"\b(333|3\.33)\b", json_of(settled(side)))


def settled(side: Side) -> pb.SettleResponse:
    """What the till is told when it settles the same: the legs."""
    request = request_of("Settle", side, "pos")
    answer: pb.SettleResponse = side.driver.call(
        "pos", side.institution, "SettlementService", "Settle", request
    )
    return answer


def test_a_donor_sees_the_leg_that_was_theirs_and_not_the_items(side: Side) -> None:
    side.settlement  # noqa: B018 - made before it is read
    items = {}
    for rpc in ("GetSettlement", "ListSettlements"):
        request = request_of(rpc, side, "citizen")
        if rpc == "ListSettlements":
            request.ClearField("person_id")
        for reader in (side.donor, side.child):
            if reader is side.child and rpc == "ListSettlements":
                continue
            seen = side.driver.call("citizen", reader, "SettlementService", rpc, request)
            items[rpc, reader] = _ITEM in json_of(seen)
    assert items == {
        ("GetSettlement", side.donor): False,
        ("GetSettlement", side.child): True,
        ("ListSettlements", side.donor): False,
    }
