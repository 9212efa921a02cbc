"""Every RPC, as every role, for the caller's own and for another's, against docs/access.md.

Rule: found by the contract's descriptors, judged by the page. Another's is a neighbour of the same
region where a caller acts for one person or place, and another region's where a caller acts for a
region; a missing one must be answered to the letter like another's.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from gongji.v1 import access_pb2
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.errors import Refusal
from gongji_svc.services import routes
from gongji_svc.services.access import check_role, grants_of
from gongji_svc.services.contract import METHODS, Method, method_of
from gongji_svc.services.status import code_of, status_of
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id, region_of
from tests.access import law
from tests.access.asked import BUILDERS, named_otherwise, request_of
from tests.access.side import Side
from tests.families import Families
from tests.services.applications import HOHHOT, TIELING
from tests.services.driver import Driver
from tests.services.premiums import driver_on

_TABLE = law.read()
_FOR_ONE = ("pos", "citizen")
_AS_CHILD = {"SetDeductionOrder"}  # the relative states it
_ACTOR = "matrix-1"
_NO_SUCH = "NO-SUCH-1"
_RECORDED_AS = {"BatchCredit": "Credit"}  # each item of a batch by itself
# What these make says who did; the trail need not say it again (docs/decisions/audit.md).
_SAID_BY_WHAT_IT_MAKES = {
    ("UploadDocument", "counter"),
    ("Settle", "platform"),
    ("BatchSettle", "platform"),
    ("RefundSettlement", "platform"),
    ("CancelSettlement", "platform"),
    ("CreateHold", "platform"),
    ("CaptureHold", "platform"),
    ("ReleaseHold", "platform"),
}

every_rpc = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
every_granted_cell = pytest.mark.parametrize(
    ("service", "rpc", "role"),
    [
        (service, rpc, role)
        for service, rpc, role in law.cells()
        if _TABLE[service, rpc][role].may != law.NEVER and rpc in BUILDERS
    ],
)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Iterator[Driver]:
    families = Families(shared_database)
    for province in ("150000", "210000"):
        families.item(province, "XA01")
    office = driver_on(shared_database)
    yield office
    office.close()


def answer(driver: Driver, role: str, subject: str, method: Method, request: Any) -> Any:
    """The answer; a Refusal is raised, also that of a batch's only item."""
    who: Any = (role, subject, method.service, method.name, request)
    if method.path in routes.UPLOADS:
        return driver.upload(*who, actor=_ACTOR)
    if method.path in routes.DOWNLOADS:
        return list(driver.download(*who, actor=_ACTOR))
    if method.path in routes.WATCHES:
        caller = Caller(Role(role), subject, _ACTOR)
        check_role(caller, method)
        return routes.begin_watch(driver.office, method, caller, request.SerializeToString())
    return driver.call(*who, actor=_ACTOR)


def told(driver: Driver, role: str, subject: str, method: Method, request: Any) -> Any:
    """The answer or, of a refusal, all that the caller is told: the status."""
    try:
        given = answer(driver, role, subject, method, request)
    except Refusal as refusal:
        status = status_of(refusal)
        assert status.code == code_of(refusal).value[0]
        return status
    results = getattr(given, "results", ())
    return results[0].error if results and results[0].HasField("error") else given


def sides(driver: Driver, role: str) -> tuple[Side, Side]:
    """The caller's, and another's."""
    return Side(driver, HOHHOT), Side(driver, HOHHOT if role in _FOR_ONE else TIELING)


def missing(request: Any, method: Method) -> Iterator[Any]:
    """The request, about what does not exist, by each field that may name it to anybody; of an
    upload, its first message names it.
    """
    if _is_list(request):
        yield from ([first, *request[1:]] for first in missing(request[0], method))
        return
    ids = (access_pb2.SUBJECT_PERSON, access_pb2.SUBJECT_OBJECT, access_pb2.SUBJECT_INSTITUTION)
    for path in {grant.field for grant in method.access.grants if grant.subject in ids}:
        values = _named(request, path)
        if values:
            yield named_otherwise(request, path, _unknown(values[0]))


def _named(request: Message, path: str) -> list[str]:
    found: list[Any] = [request]
    for name in path.split("."):
        found = [getattr(one, name) for one in found]
        found = [one for some in found for one in (some if _is_list(some) else [some])]
    return [one for one in found if isinstance(one, str) and one]


def _is_list(value: Any) -> bool:
    return not isinstance(value, str | Message)


def _unknown(name: str) -> str:
    try:
        return str(new_id(region_of(UUID(name))))
    except ValueError:
        return _NO_SUCH


def test_every_rpc_has_a_row_and_every_row_an_rpc() -> None:
    assert set(_TABLE) == {(method.service, method.name) for method in METHODS}


def test_every_row_has_a_cell_for_every_role() -> None:
    for row in _TABLE.values():
        assert set(row) == {role.value for role in Role}


@every_rpc
def test_the_contract_grants_what_the_page_says(method: Method) -> None:
    for role, cell in _TABLE[method.service, method.name].items():
        granted = any(grants_of(Caller(Role(role), ""), method))
        assert granted == (cell.may != law.NEVER), role


@every_rpc
def test_who_may_not_call_is_denied_whatever_the_request_says(
    driver: Driver, method: Method
) -> None:
    for role, cell in _TABLE[method.service, method.name].items():
        if cell.may == law.NEVER:
            for subject in (HOHHOT, str(new_id(HOHHOT)), "P15010000001"):
                status = told(driver, role, subject, method, method.request())
                assert law.DENIED in str(status), role


@every_rpc
def test_what_is_not_served_yet_says_so_to_whoever_may_call_it(
    driver: Driver, method: Method
) -> None:
    if method.name in BUILDERS:
        return
    for role, cell in _TABLE[method.service, method.name].items():
        if cell.may != law.NEVER:
            assert "NOT_BUILT" in str(told(driver, role, HOHHOT, method, method.request())), role


@every_granted_cell
def test_one_gets_what_is_ones_own_and_nobody_elses(
    driver: Driver, service: str, rpc: str, role: str
) -> None:
    cell, method = _TABLE[service, rpc][role], method_of(service, rpc)
    mine, others = sides(driver, role)
    subject = mine.subject(role, as_child=rpc in _AS_CHILD)
    before = records(driver, role, method)
    refused = told(driver, role, subject, method, request_of(rpc, others, role))
    if cell.may == law.ALL:
        assert not isinstance(refused, Status), refused
    elif cell.else_ == law.NOTHING:
        assert not refused.ListFields()
    else:
        assert isinstance(refused, Status), refused
        assert cell.else_ in str(refused)
        assert records(driver, role, method) == before
    own = told(driver, role, subject, method, request_of(rpc, mine, role))
    assert not isinstance(own, Status), own


@every_granted_cell
def test_a_stranger_cant_tell_a_missing_thing_from_anothers(
    driver: Driver, service: str, rpc: str, role: str
) -> None:
    cell, method = _TABLE[service, rpc][role], method_of(service, rpc)
    if cell.may == law.ALL or cell.else_ == law.NOTHING:
        return
    mine, others = sides(driver, role)
    subject = mine.subject(role, as_child=rpc in _AS_CHILD)
    request = request_of(rpc, others, role)
    refused = told(driver, role, subject, method, request)
    for unknown in missing(request, method):
        assert told(driver, role, subject, method, unknown) == refused


@every_granted_cell
def test_what_staff_do_and_read_is_in_the_trail_of_their_region(
    driver: Driver, service: str, rpc: str, role: str
) -> None:
    method = method_of(service, rpc)
    mine, _ = sides(driver, role)
    request, before = request_of(rpc, mine, role), records(driver, role, method)
    subject = mine.subject(role, as_child=rpc in _AS_CHILD)
    assert not isinstance(told(driver, role, subject, method, request), Status)
    public = _TABLE[service, rpc]["citizen"].may == law.ALL
    if role in _FOR_ONE or public or (rpc, role) in _SAID_BY_WHAT_IT_MAKES:
        return
    assert records(driver, role, method) > before


def records(driver: Driver, role: str, method: Method) -> int:
    """How often the trail of the region says that such a caller did this."""
    query = """SELECT count(*) FROM audit_records
               WHERE region = %s AND role = %s AND actor = %s AND action = %s"""
    name = _RECORDED_AS.get(method.name, method.name)
    named = [HOHHOT, role, _ACTOR, f"gongji.v1.{method.service}/{name}"]
    with driver.office.database.connect() as tx:
        (found,) = tx.execute(query, named).fetchone() or (0,)
    return int(str(found))
