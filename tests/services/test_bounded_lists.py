"""No answer without an end: every list of the contract has pages, found from the descriptors."""

from typing import Any

import pytest

from gongji.buf.validate import validate_pb2
from gongji_svc.services.contract import METHODS, Method
from gongji_svc.services.paging import DEFAULT_PAGE_SIZE, size_of

_MOST = 1000
_LISTS = [method for method in METHODS if "page_size" in method.request.DESCRIPTOR.fields_by_name]
# What repeats without pages, and what bounds it.
_BOUNDED_OTHERWISE = {
    "BatchPutPersons": "as many as were sent",
    "BatchCredit": "as many as were sent",
    "BatchSettle": "as many as were sent",
    "PutCatalogItems": "as many as were sent",
    "SetDeductionOrder": "the donors of one person, whom the policy bounds",
    "ExplainUsability": "the bindings of one person",
    "PreviewSettlement": "what there is to say of one bill",
    "QuotePremium": "what there is to say of one premium",
    "CountSettlements": "1500 stretches of time",
    "ListPolicies": "the regions that this installation has rules for",
    "ListAccounts": "the accounts of one person",
    "ResolveRiskSignal": "the evidence of one signal",
    "CloseWindow": "one window of one region",
    "GetWindow": "one window of one region",
    "ReconcileTotals": "one institution's totals of one day",
    "ReconcileDetails": "as many as were sent, and those of one day",
}


@pytest.mark.parametrize("method", _LISTS, ids=lambda method: method.name)
def test_a_page_has_a_greatest_size_and_a_smaller_one_by_default(method: Method) -> None:
    field = method.request.DESCRIPTOR.fields_by_name["page_size"]
    rules: Any = field.GetOptions().Extensions[validate_pb2.field]
    assert rules.int32.HasField("lte")
    assert DEFAULT_PAGE_SIZE <= rules.int32.lte <= _MOST
    assert size_of(method.request()) == DEFAULT_PAGE_SIZE
    assert "next_page_token" in method.response.DESCRIPTOR.fields_by_name


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_what_repeats_in_an_answer_has_pages_or_another_bound(method: Method) -> None:
    if method in _LISTS or method.server_streaming or method.name in _BOUNDED_OTHERWISE:
        return
    assert [field.name for field in method.response.DESCRIPTOR.fields if _repeats(field)] == []


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_what_repeats_in_a_request_has_a_greatest_number(method: Method) -> None:
    unbounded = [field.name for field in method.request.DESCRIPTOR.fields if _is_unbounded(field)]
    assert unbounded == []


def _repeats(field: Any) -> bool:
    return bool(field.is_repeated)


def _is_unbounded(field: Any) -> bool:
    rules: Any = field.GetOptions().Extensions[validate_pb2.field]
    once_each = field.enum_type is not None and rules.repeated.unique
    return _repeats(field) and not (once_each or rules.repeated.HasField("max_items"))
