"""Every RPC over the wire, as every role, for what is another's: called, repeated, mixed with one's
own, or named in a field beside it.

Rule: found by the contract's descriptors, judged by docs/access.md, as tests/access does in the
process; here a caller has a token and a connection, and nothing else.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from gongji.v1 import account_pb2, binding_pb2, registry_pb2, settlement_pb2
from gongji_svc.domain.access import Role
from gongji_svc.services import routes
from gongji_svc.services.contract import Method, method_of
from gongji_svc.storage.ids import new_id, region_of
from tests import conftest
from tests.access import law
from tests.access.asked import BUILDERS, request_of
from tests.access.side import Side
from tests.access.test_matrix import missing
from tests.end_to_end.intruder import World, reason_of, world
from tests.end_to_end.service import until
from tests.services import accounts, holds
from tests.services.applications import HOHHOT, TIELING

_TABLE = law.read()
_AS_CHILD = {"SetDeductionOrder"}
_DENIED = "ACCESS_DENIED"


@pytest.fixture(scope="module")
def here(test_server: conftest.TestServer) -> Iterator[World]:
    database = test_server.new_database(conftest.TEMPLATE)
    with world(database) as made:
        yield made
    test_server.drop(database)


def granted(role: str) -> Iterator[tuple[Method, law.Cell]]:
    """What the role may call at all, of what can be asked."""
    for (service, rpc), row in _TABLE.items():
        if row[role].may != law.NEVER and rpc in BUILDERS:
            yield method_of(service, rpc), row[role]


every_role = pytest.mark.parametrize("role", [role.value for role in Role])


@every_role
def test_nobody_gets_at_what_is_anothers(here: World, role: str) -> None:
    mine, others = here.side(), here.others(role)
    for method, cell in granted(role):
        if cell.may == law.ALL:
            continue
        subject = mine.subject(role, as_child=method.name in _AS_CHILD)
        request = request_of(method.name, others, role)
        told = here.told(role, subject, method, request)
        if cell.else_ == law.NOTHING:
            assert not told.ListFields(), method.name
            continue
        assert reason_of(told) == cell.else_, method.name
        for unknown in missing(request, method):
            assert here.told(role, subject, method, unknown) == told, method.name


@every_role
def test_nobody_calls_what_the_role_may_not(here: World, role: str) -> None:
    subject = here.side().subject(role)
    for (service, rpc), row in _TABLE.items():
        if row[role].may == law.NEVER:
            method = method_of(service, rpc)
            told = here.told(role, subject, method, method.request())
            assert reason_of(told) == _DENIED, rpc


def repeaters(here: World, role: str, method: Method, mine: Side) -> Iterator[tuple[str, str]]:
    """Who else may call the method at all: another of the role, and each other role's of both
    sides. A platform acts for its tills and shares their requests.
    """
    yield role, here.others(role).subject(role)
    for other, cell in _TABLE[method.service, method.name].items():
        if other != role and cell.may != law.NEVER and {role, other} != {"pos", "platform"}:
            yield other, mine.subject(other)
            yield other, here.others(other).subject(other)


@every_role
def test_nobody_is_told_the_answer_to_anothers_request_by_repeating_it(
    here: World, role: str
) -> None:
    for method, _ in granted(role):
        if method.path not in routes.COMMANDS:
            continue
        mine = here.side()
        request = request_of(method.name, mine, role)
        subject = mine.subject(role, as_child=method.name in _AS_CHILD)
        own = here.told(role, subject, method, request)
        assert not isinstance(own, Status), (method.name, own)
        for other, stranger in repeaters(here, role, method, mine):
            told = here.told(other, stranger, method, request)
            replayed = not isinstance(told, Status) and getattr(told, "replayed", False)
            assert not replayed, (method.name, other)


def mixed(here: World, role: str, service: str, rpc: str) -> list[Any]:
    """The results of a batch of one's own, another's and one's own."""
    mine, others = here.side(), here.others(role)
    request, *more = (request_of(rpc, side, role) for side in (mine, others, mine))
    ((field, items),) = request.ListFields()
    for one in more:
        items.extend(getattr(one, field.name))
    return list(here.told(role, mine.subject(role), method_of(service, rpc), request).results)


@pytest.mark.parametrize(
    ("role", "service", "rpc"),
    [
        ("agency", "RegistryService", "BatchPutPersons"),
        ("agency", "AccountService", "BatchCredit"),
        ("platform", "SettlementService", "BatchSettle"),
    ],
)
def test_in_a_batch_anothers_item_is_refused_and_ones_own_are_not(
    here: World, role: str, service: str, rpc: str
) -> None:
    first, second, third = mixed(here, role, service, rpc)
    assert reason_of(second.error) == _DENIED
    assert not first.HasField("error"), first.error
    assert not third.HasField("error"), third.error


def test_a_tills_batch_with_another_institutions_bill_is_refused_whole(here: World) -> None:
    mine, others = here.side(), here.others("pos")
    method = method_of("SettlementService", "BatchSettle")
    bills = [mine.purchase(), others.purchase()]
    request = settlement_pb2.BatchSettleRequest(settlements=bills)
    assert reason_of(here.told("pos", mine.institution, method, request)) == _DENIED


# --- fields beside the one that names whose it is


def _create_binding(mine: Side, others: Side) -> Any:
    request = request_of("CreateBinding", mine, "citizen")
    request.document_ids[0] = others.document_id("citizen")
    return request


def _deduction_order(mine: Side, others: Side) -> Any:
    request = request_of("SetDeductionOrder", mine, "citizen")
    request.binding_ids[0] = others.binding_id
    return request


def _close(mine: Side, others: Side) -> Message:
    return account_pb2.CloseAccountRequest(
        request_id=str(new_id(HOHHOT)),
        account_id=mine.account_id,
        reason="转移",
        transfer_to_account_id=others.account_id,
    )


def _suspense(mine: Side, others: Side) -> Message:
    return account_pb2.ResolveSuspenseRequest(
        request_id=str(new_id(HOHHOT)),
        suspense_id=mine.suspense_id,
        transfer_to_account_id=others.account_id,
        reason="转移",
    )


def _hold_for(mine: Side, others: Side) -> Message:
    return holds.holding(mine.account_id, others.child, institution_code=mine.institution)


def _hold_on(mine: Side, others: Side) -> Message:
    return holds.holding(others.account_id, mine.child, institution_code=mine.institution)


def _settle_by_hold(mine: Side, others: Side) -> Message:
    request = mine.purchase()
    request.hold_ids.append(others.hold_id)
    return request


def _settle_by_binding(mine: Side, others: Side) -> Message:
    request = mine.purchase()
    request.chosen_binding_id = others.binding_id
    return request


def _settle_for(mine: Side, others: Side) -> Message:
    request = mine.purchase()
    request.person_id = str(others.child)
    return request


def _preview_by_hold(mine: Side, others: Side) -> Any:
    request = request_of("PreviewSettlement", mine, "pos")
    request.hold_ids.append(others.hold_id)
    return request


def _pay_for(mine: Side, others: Side) -> Any:
    request = request_of("PayPremium", mine, "citizen")
    request.beneficiary_id = str(others.child)
    return request


def _quote(_: Side, others: Side) -> Any:
    return request_of("QuotePremium", others, "citizen")


def _bindings(mine: Side, others: Side) -> Message:
    return binding_pb2.ListBindingsRequest(
        donor_id=str(mine.donor), beneficiary_id=str(others.child)
    )


def _settlements(mine: Side, others: Side) -> Message:
    return settlement_pb2.ListSettlementsRequest(
        person_id=str(mine.child), donor_id=str(others.donor)
    )


Beside = Callable[[Side, Side], Any]
_BESIDE: Mapping[str, tuple[str, str, Beside]] = {
    "CreateBinding.document_ids": ("BindingService", "citizen", _create_binding),
    "SetDeductionOrder.binding_ids": ("BindingService", "citizen", _deduction_order),
    "CloseAccount.transfer_to_account_id": ("AccountService", "agency", _close),
    "ResolveSuspense.transfer_to_account_id": ("AccountService", "agency", _suspense),
    "CreateHold.beneficiary_id": ("AccountService", "pos", _hold_for),
    "CreateHold.account_id": ("AccountService", "pos", _hold_on),
    "Settle.hold_ids": ("SettlementService", "pos", _settle_by_hold),
    "Settle.chosen_binding_id": ("SettlementService", "pos", _settle_by_binding),
    "Settle.person_id": ("SettlementService", "pos", _settle_for),
    "PreviewSettlement.hold_ids": ("SettlementService", "pos", _preview_by_hold),
    "PayPremium.beneficiary_id": ("PaymentService", "citizen", _pay_for),
    "QuotePremium.beneficiary_id": ("PaymentService", "citizen", _quote),
}


def _with_nobody(request: Any, path: str) -> Any:
    """The same request, where the field names what does not exist."""
    copy = type(request)()
    copy.CopyFrom(request)
    name = path.partition(".")[2]
    value = getattr(copy, name)
    if isinstance(value, str):
        setattr(copy, name, _nobody(value))
    else:
        value[0] = _nobody(value[0])
    return copy


def _nobody(named: str) -> str:
    return str(new_id(region_of(UUID(named))))


@pytest.mark.parametrize("path", _BESIDE)
def test_a_field_beside_tells_nothing_of_what_is_anothers(here: World, path: str) -> None:
    service, role, build = _BESIDE[path]
    method = method_of(service, path.partition(".")[0])
    mine, others = here.side(), here.others(role)
    subject = mine.subject(role, as_child=method.name in _AS_CHILD)
    request = build(mine, others)
    told = here.told(role, subject, method, request)
    assert isinstance(told, Status), told
    unknown = here.told(role, subject, method, _with_nobody(request, path))
    assert reason_of(unknown) == reason_of(told)
    assert unknown == told


@pytest.mark.parametrize(
    ("rpc", "build"), [("ListBindings", _bindings), ("ListSettlements", _settlements)]
)
def test_of_two_people_named_in_a_list_only_what_is_both_ones_own_is_told(
    here: World, rpc: str, build: Beside
) -> None:
    mine, others = here.side(), here.others("citizen")
    assert mine.settlement.legs
    assert others.settlement.legs
    service = "BindingService" if "Bindings" in rpc else "SettlementService"
    told = here.told("citizen", mine.donor, method_of(service, rpc), build(mine, others))
    if isinstance(told, Status):
        assert reason_of(told) == _DENIED
    else:
        assert not told.ListFields()


def test_a_page_token_of_another_opens_nothing(here: World) -> None:
    others, mine = here.others("agency"), here.side()
    for _ in range(2):
        accounts.account_of(others.donor, others.families, TIELING, state="CLOSED")
    method = method_of("AccountService", "ListAccounts")
    request = account_pb2.ListAccountsRequest(person_id=str(others.donor), page_size=1)
    token = here.told("agency", TIELING, method, request).next_page_token
    assert token
    request.page_token = token
    assert reason_of(here.told("agency", HOHHOT, method, request)) == _DENIED
    request.person_id = str(mine.donor)
    assert reason_of(here.told("agency", HOHHOT, method, request)) == "PAGE_TOKEN_INVALID"


# --- what staff are refused is in the trail


def denials(here: World, actor: str, region: str) -> set[tuple[str, str]]:
    """What was recorded of refusals: the RPC, and what it named."""
    query = """SELECT action, subject_id FROM audit_records
               WHERE region = %s AND actor = %s AND reason = 'ACCESS_DENIED'"""
    with here.service.database.connect() as tx:
        rows = tx.execute(query, [region, actor]).fetchall()
    return {(str(action).rpartition("/")[2], str(named)) for action, named in rows}


def test_what_staff_are_refused_is_in_the_trail_of_their_region(here: World) -> None:
    region, others = "150900", here.side(TIELING)
    reads = method_of("AccountService", "GetAccount")
    told = here.told(
        "agency", region, reads, account_pb2.GetAccountRequest(account_id=others.account_id)
    )
    assert reason_of(told) == _DENIED
    for service, rpc in (
        ("AccountService", "FreezeAccount"),  # decided in the writer
        ("AccountService", "BatchCredit"),  # in an answer that is none
        ("AccountService", "ExportEntries"),  # in a stream
    ):
        method = method_of(service, rpc)
        told = here.told("agency", region, method, request_of(rpc, others, "agency"))
        assert reason_of(told) == _DENIED
    trail = method_of("RegistryService", "ListAuditRecords")
    told = here.told("agency", region, trail, registry_pb2.ListAuditRecordsRequest())
    assert reason_of(told) == _DENIED
    expected = {
        ("GetAccount", others.account_id),
        ("FreezeAccount", others.account_id),
        ("BatchCredit", region),
        ("ExportEntries", others.account_id),
        ("ListAuditRecords", region),
    }
    until(lambda: expected <= denials(here, "clerk-1", region))


def test_a_citizen_or_till_that_is_refused_is_not_in_the_trail(here: World) -> None:
    mine, others = here.side(), here.others("citizen")
    method = method_of("AccountService", "GetAccount")
    request = account_pb2.GetAccountRequest(account_id=others.account_id)
    assert reason_of(here.told("citizen", mine.donor, method, request)) == _DENIED
    with here.service.database.connect() as tx:
        query = """SELECT FROM audit_records
                   WHERE role IN ('citizen', 'pos') AND reason = 'ACCESS_DENIED'"""
        assert tx.execute(query).rowcount == 0
