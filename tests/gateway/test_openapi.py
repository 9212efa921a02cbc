"""The OpenAPI document: sound, complete, and as strict as the contract."""

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate
from protovalidate import Validator
from schemathesis import Case, GenerationMode

from gateway.openapi import document
from gateway.rpcs import ROUTES, Route, Shape
from gateway.transcoding import read_request
from tests.contract.test_routes import RULES, routes

_DOCUMENT: dict[str, Any] = json.loads(json.dumps(document()))
_OPERATIONS = {
    (verb.upper(), path): operation
    for path, operations in _DOCUMENT["paths"].items()
    for verb, operation in operations.items()
}
# JSON schema can't say how large a number may be that is written as a string, nor how long a time.
_NOT_SAID = ("int64.", "duration.")
_SCHEMA = schemathesis.openapi.from_dict(_DOCUMENT)
_VALIDATOR = Validator()


def test_the_document_is_openapi() -> None:
    validate(_DOCUMENT)
    assert _DOCUMENT["openapi"].startswith("3.1.")


def test_the_routes_are_those_of_the_contract() -> None:
    stated = {
        (verb.upper(), path, method.full_name)
        for method, rule in RULES.items()
        for verb, path in routes(rule)
    }
    built = {(one.verb, one.template, one.descriptor.full_name) for one in ROUTES}
    assert built == stated
    assert set(_OPERATIONS) == {(verb, path) for verb, path, _ in stated}


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does() -> None:
    names = [operation["operationId"] for operation in _OPERATIONS.values()]
    assert len(names) == len(set(names))
    assert all(operation["summary"] for operation in _OPERATIONS.values())


def test_every_field_is_explained() -> None:
    for name, schema in _DOCUMENT["components"]["schemas"].items():
        for field, told in schema["properties"].items():
            is_ours = name != "Problem" and not name.startswith("google.")
            assert not is_ours or told.get("description"), (name, field)


def test_every_answer_may_be_a_problem_and_each_is_told() -> None:
    for operation in _OPERATIONS.values():
        statuses = set(operation["responses"])
        assert {"200", "400", "401", "403", "404", "405", "429", "500", "503", "504"} <= statuses


@pytest.mark.parametrize(
    "route",
    [one for one in ROUTES if one.shape is not Shape.UPLOAD],
    ids=lambda one: f"{one.verb} {one.template}",
)
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_what_the_document_calls_sound_breaks_no_rule(route: Route, data: st.DataObject) -> None:
    operation = _SCHEMA[route.template][route.verb]
    case: Case[Any] = data.draw(operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    said = case.as_transport_kwargs(base_url="http://gateway")
    query = [
        (name, str(text))
        for name, value in (said.get("params") or {}).items()
        for text in (value if isinstance(value, list) else [value])
    ]
    body = json.dumps(said["json"]).encode() if route.takes_json else b""
    path = {name: str(value) for name, value in (case.path_parameters or {}).items()}
    message = read_request(route, path, query, body)
    broken = [one.proto.rule_id for one in _VALIDATOR.collect_violations(message)]
    assert [rule for rule in broken if not rule.startswith(_NOT_SAID)] == []
