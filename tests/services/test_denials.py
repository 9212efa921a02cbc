"""What staff and platforms are refused is in the audit trail: at once, and however much it is."""

import asyncio
from typing import Any

import pytest

from gongji.v1 import account_pb2, settlement_pb2
from gongji.v1 import registry_pb2 as pb
from gongji_svc.domain.access import Caller, Role
from gongji_svc.services.contract import METHODS, Method, method_of
from gongji_svc.services.denials import Denial, Denials, record
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from tests.services.accounts import HOHHOT
from tests.services.driver import Driver
from tests.services.test_staff_reads import told, trail

AGENCY = Caller(Role.AGENCY, HOHHOT, "a-1", "10.0.0.7")
GET = method_of("AccountService", "GetAccount")
DENIED = b"... ACCESS_DENIED ..."


class Kept:
    """Denials with a clock of its own, and what they had kept."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.all: list[Denial] = []
        self.denials = Denials(self._keep, lambda: self.seconds)

    async def _keep(self, denial: Denial) -> None:
        self.all.append(denial)

    def look(
        self, caller: Caller = AGENCY, method: Method = GET, said: bytes = DENIED, times: int = 1
    ) -> None:
        """The same refusal so often."""
        for _ in range(times):
            asyncio.run(self.denials.look(caller, method, b"", said))

    @property
    def times(self) -> list[int]:
        """How many each record tells of."""
        return [one.times for one in self.all]


def test_the_first_the_tenth_and_the_hundredth_are_recorded() -> None:
    kept = Kept()
    kept.look(times=250)
    assert kept.times == [1, 10, 100]


def test_a_new_hour_begins_anew() -> None:
    kept = Kept()
    kept.look(times=5)
    kept.seconds = 3_601.0
    kept.look()
    assert kept.times == [1, 1]


def test_each_caller_and_each_rpc_has_a_count_of_its_own_wherever_it_calls_from() -> None:
    kept = Kept()
    kept.look()
    kept.look(Caller(Role.AGENCY, HOHHOT, "a-1", "10.0.0.8"))
    kept.look(Caller(Role.AGENCY, HOHHOT, "a-2"))
    kept.look(Caller(Role.COUNTER, HOHHOT, "a-1"))
    kept.look(method=method_of("AccountService", "ListAccounts"))
    assert kept.times == [1, 1, 1, 1]


def test_in_a_batch_each_item_counts() -> None:
    kept = Kept()
    batch = method_of("AccountService", "BatchCredit")
    kept.look(method=batch, said=DENIED * 7)
    kept.look(method=batch, said=DENIED * 7)
    assert kept.times == [7, 14]


def test_neither_citizens_nor_tills_nor_other_reasons_are_recorded() -> None:
    kept = Kept()
    kept.look(Caller(Role.CITIZEN, str(new_id(HOHHOT))))
    kept.look(Caller(Role.POS, "P1"))
    kept.look(said=b"INVALID_FIELD")
    assert kept.all == []


def test_a_flood_by_very_many_fills_no_memory() -> None:
    kept = Kept()
    for number in range(10_050):
        kept.look(Caller(Role.AGENCY, HOHHOT, f"a-{number}"))
    assert len(kept.all) == 10_000
    assert len(kept.denials._times) == 10_000


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def denied(driver: Driver, rpc: str, request: Any, reason: str = "ACCESS_DENIED") -> pb.AuditRecord:
    """The record of a call that was refused for the twelfth time."""
    (method,) = (one for one in METHODS if one.name == rpc)
    record(driver.office, Denial(AGENCY, method, request.SerializeToString(), reason, 12))
    (found,) = trail(driver)
    return found


def test_a_record_tells_who_what_from_where_and_how_often(driver: Driver) -> None:
    account_id = str(new_id(HOHHOT))
    found = denied(driver, "GetAccount", account_pb2.GetAccountRequest(account_id=account_id))
    assert (found.actor.actor, found.actor.subject, found.origin) == ("a-1", HOHHOT, "10.0.0.7")
    assert found.action == "gongji.v1.AccountService/GetAccount"
    assert (found.subject_kind, found.subject_id) == ("account", account_id)
    assert (found.reason, told(found)) == ("ACCESS_DENIED", {"refused": ("", "12")})
    assert not found.person_ids


@pytest.mark.parametrize(
    ("rpc", "request_"),
    [
        ("GetPerson", pb.GetPersonRequest(person_id="王小明")),
        ("GetPerson", pb.GetPersonRequest(name="王小明")),
        ("Settle", settlement_pb2.SettleRequest(request_id="5f0a3c7e-0000-8000-8000-000000000001")),
    ],
)
def test_what_a_request_says_that_is_no_id_of_ours_is_not_kept(
    driver: Driver, rpc: str, request_: Any
) -> None:
    found = denied(driver, rpc, request_, "PERSON_NOT_MATCHED")
    assert (found.subject_kind, found.subject_id) == ("region", HOHHOT)
    assert "王小明" not in str(found)


def test_bytes_that_are_no_request_are_recorded_too(driver: Driver) -> None:
    record(driver.office, Denial(AGENCY, GET, b"\xff", "ACCESS_DENIED", 1))
    assert len(trail(driver)) == 1


def test_what_cant_be_recorded_stays_refused(driver: Driver) -> None:
    nowhere = Caller(Role.AGENCY, "nowhere", "a-1")
    record(driver.office, Denial(nowhere, GET, b"", "ACCESS_DENIED", 1))
    assert trail(driver) == []
