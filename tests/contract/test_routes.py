"""The HTTP routes that the gateway builds from the contract."""

import re

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import MethodDescriptor

from tests.contract.descriptors import field_at, methods


def http_rules() -> dict[MethodDescriptor, http_pb2.HttpRule]:
    """The HTTP rule of each RPC that has one."""
    options = {method: method.GetOptions().ListFields() for method in methods()}
    name = annotations_pb2.http.full_name
    return {m: rule for m, stated in options.items() for f, rule in stated if f.full_name == name}


RULES = http_rules()


def routes(rule: http_pb2.HttpRule) -> list[tuple[str, str]]:
    """Verb and path of a rule and of its additional bindings."""
    verb = rule.WhichOneof("pattern") or ""
    further = (route for binding in rule.additional_bindings for route in routes(binding))
    return [(verb, getattr(rule, verb)), *further]


def all_routes() -> list[tuple[MethodDescriptor, str, str]]:
    return [(method, verb, path) for method, rule in RULES.items() for verb, path in routes(rule)]


def test_every_path_stands_below_the_version() -> None:
    assert all(path.startswith("/v1/") for _, _, path in all_routes())


def test_every_variable_of_a_path_is_a_field_of_the_request() -> None:
    for method, _, path in all_routes():
        for variable in re.findall(r"{([^}=]+)", path):
            assert field_at(method.input_type, variable) is not None, (method.full_name, path)


def test_no_two_calls_share_a_route() -> None:
    shapes = [(verb, re.sub(r"{[^}]*}", "{}", path)) for _, verb, path in all_routes()]
    assert len(shapes) == len(set(shapes))


def test_only_what_changes_something_has_a_body() -> None:
    for method, rule in RULES.items():
        reads = rule.WhichOneof("pattern") in ("get", "delete")
        assert bool(rule.body) != reads, method.full_name
