"""The contract keeps its own conventions: services, request ids, pages, names of values."""

from enum import StrEnum

import pytest
from google.protobuf.descriptor import MethodDescriptor

from gongji.buf.validate import validate_pb2
from gongji_svc.domain import terms
from gongji_svc.domain.errors import refusals
from tests.contract.descriptors import enums, files, methods, value_names

SERVICES = {
    "RegistryService",
    "BindingService",
    "AccountService",
    "SettlementService",
    "ClearingService",
    "PaymentService",
}
REQUEST_ID = "^[A-Za-z0-9._:-]{1,64}$"
REQUEST_ID_OR_NONE = "^[A-Za-z0-9._:-]{0,64}$"  # a Put is repeatable by nature

TERMS = [term for term in vars(terms).values() if isinstance(term, type) and term is not StrEnum]


def named(prefix: str) -> list[MethodDescriptor]:
    return [method for method in methods() if method.name.startswith(prefix)]


def by_name(method: MethodDescriptor) -> str:
    return method.name


def test_the_package_has_its_six_services() -> None:
    assert {name for file in files() for name in file.services_by_name} == SERVICES


@pytest.mark.parametrize("method", methods(), ids=by_name)
def test_every_request_id_has_its_rule(method: MethodDescriptor) -> None:
    field = method.input_type.fields_by_name.get("request_id")
    if field is None:
        return
    allowed = {REQUEST_ID, REQUEST_ID_OR_NONE} if "Put" in method.name else {REQUEST_ID}
    assert field.GetOptions().Extensions[validate_pb2.field].string.pattern in allowed


@pytest.mark.parametrize("method", methods(), ids=by_name)
def test_what_can_be_repeated_tells_a_replay(method: MethodDescriptor) -> None:
    lookup = method.name.startswith("Get")  # finds by request_id, repeats nothing
    if "request_id" in method.input_type.fields_by_name and not lookup:
        assert "replayed" in method.output_type.fields_by_name


@pytest.mark.parametrize("method", named("List"), ids=by_name)
def test_every_list_comes_in_pages(method: MethodDescriptor) -> None:
    size = method.input_type.fields_by_name["page_size"]
    rule = size.GetOptions().Extensions[validate_pb2.field].int32
    assert (rule.gte, rule.lte) == (0, 1000)
    assert "page_token" in method.input_type.fields_by_name
    assert "next_page_token" in method.output_type.fields_by_name


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.__name__)
def test_a_word_of_the_domain_has_the_same_values_in_the_contract(term: type[StrEnum]) -> None:
    enum = enums().get(term.__name__)
    if enum is None:
        return  # a word the contract has no need of
    assert value_names(enum) == {value.value for value in term}


def test_every_refusal_has_its_reason_in_the_contract() -> None:
    assert value_names(enums()["ErrorReason"]) == {*refusals(), "INTERNAL"}
