"""Messages to JSON and back: every message of the contract, and what is refused by name."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.problems import BadField
from gateway.rpcs import ROUTES, Route
from gateway.schemas import messages_below
from gateway.transcoding import parse, read_request, to_json

_DEPTH = 3
_MOST_FEN = 10**18 - 1  # as many digits as the document has
_TEXT = st.text(max_size=8)
_SCALARS: Mapping[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_STRING: _TEXT,
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=8),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: st.integers(-_MOST_FEN, _MOST_FEN),
}
_WELL_KNOWN: Mapping[str, Mapping[str, st.SearchStrategy[Any]]] = {
    "google.protobuf.Timestamp": {
        "seconds": st.integers(-62_135_596_800, 253_402_300_799),
        "nanos": st.integers(0, 999_999_999),
    },
    "google.protobuf.Duration": {"seconds": st.integers(0, 10**9)},
    "google.protobuf.FieldMask": {
        "paths": st.lists(st.sampled_from(["limits", "uses", "effective_to"]), max_size=3)
    },
}
_MESSAGES = {
    found.full_name: found
    for route in ROUTES
    for descriptor in (route.takes, route.gives)
    for found in messages_below(descriptor)
}


def field_values(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        one: st.SearchStrategy[Any] = messages(field.message_type, depth - 1)
    elif field.enum_type is not None:
        one = st.sampled_from([value.number for value in field.enum_type.values])
    else:
        one = _SCALARS[field.type]
    return st.lists(one, max_size=2) if field.is_repeated else one


@st.composite
def messages(draw: st.DrawFn, descriptor: Descriptor, depth: int = _DEPTH) -> Message:
    """Any message of a type, a few levels deep; of a oneof at most one field."""
    kind = message_factory.GetMessageClass(descriptor)
    known = _WELL_KNOWN.get(descriptor.full_name)
    if known is not None:
        return kind(**{name: draw(values) for name, values in known.items()})
    chosen: dict[str, Any] = {}
    taken: set[str] = set()
    for field in descriptor.fields:
        oneof = field.containing_oneof
        is_too_deep = field.message_type is not None and depth == 0
        if is_too_deep or (oneof is not None and oneof.name in taken) or not draw(st.booleans()):
            continue
        taken.add(oneof.name if oneof is not None else "")
        chosen[field.name] = draw(field_values(field, depth))
    return kind(**chosen)


@pytest.mark.parametrize("name", sorted(_MESSAGES))
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_a_message_comes_back_from_json_as_it_was(name: str, data: st.DataObject) -> None:
    descriptor = _MESSAGES[name]
    message = data.draw(messages(descriptor))
    said = json.loads(json.dumps(to_json(message)))
    assert parse(type(message)(), descriptor, said) == message


# --- what is refused, and by which name


def route_of(name: str) -> Route:
    return next(one for one in ROUTES if one.name == name and one.first)


def refused(name: str, body: str, query: tuple[tuple[str, str], ...] = ()) -> BadField:
    route = route_of(name)
    path = dict.fromkeys(route.path_fields, "x")
    with pytest.raises(BadField) as caught:
        read_request(route, path, query, body.encode("utf-8", "surrogatepass"))
    return caught.value


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"nobody": 1}', "nobody"),
        ('{"donorId": "x"}', "donorId"),
        ('{"donor_id": null}', "donor_id"),
        ('{"donor_id": 7}', "donor_id"),
        ('{"donor_id": "\\ud800"}', "donor_id"),
        ('{"relation": 1}', "relation"),
        ('{"relation": "COUSIN"}', "relation"),
        ('{"uses": "USE_MEDICAL"}', "uses"),
        ('{"uses": ["USE_MEDICAL", "FUN"]}', "uses[1]"),
        ('{"beneficiary": []}', "beneficiary"),
        ('{"beneficiary": {"certificate": {"numbers": "1"}}}', "beneficiary.certificate.numbers"),
        ('{"effective_from": {"year": "2026"}}', "effective_from.year"),
        ('{"effective_from": {"year": 2026.5}}', "effective_from.year"),
        ('{"effective_from": {"year": 99999999999}}', "effective_from.year"),
        ('{"effective_from": {"year": true}}', "effective_from.year"),
        ('{"commitment": {"accepted_at": "yesterday"}}', "commitment.accepted_at"),
        ('{"limits": {"per_year_fen": 9007199254740993}}', "limits.per_year_fen"),
        ('{"limits": {"per_year_fen": 100.5}}', "limits.per_year_fen"),
        ('{"limits": {"per_year_fen": true}}', "limits.per_year_fen"),
        ('{"validate_only": "true"}', "validate_only"),
    ],
)
def test_a_field_that_does_not_fit_is_refused_by_name(body: str, field: str) -> None:
    assert refused("CreateBinding", body).fields[0]["field"] == field


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "1",
        "{",
        "\x00",
        '{"donor_id": NaN}',
        '{"donor_id": "a", "donor_id": "b"}',
        "[" * 9999,
    ],
)
def test_a_body_that_is_no_json_object_is_refused(body: str) -> None:
    assert refused("CreateBinding", body).status == 400


def test_what_path_and_body_say_differently_is_refused() -> None:
    assert refused("EndBinding", '{"binding_id": "y"}').fields[0]["field"] == "binding_id"


def test_a_query_beside_a_body_is_refused() -> None:
    assert refused("EndBinding", "{}", (("reason", "x"),)).status == 400


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ((("nobody", "1"),), "nobody"),
        ((("donor_id", "a"), ("donor_id", "b")), "donor_id"),
        ((("donor_id.x", "a"),), "donor_id.x"),
        ((("page_size", "many"),), "page_size"),
        ((("page_size", ""),), "page_size"),
        ((("states", "BINDING_STATE_ACTIVE"), ("states", "NONE")), "states[1]"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused_by_name(
    query: tuple[tuple[str, str], ...], field: str
) -> None:
    assert refused("ListBindings", "", query).fields[0]["field"] == field


def test_a_query_says_lists_numbers_and_parts_of_messages() -> None:
    route = route_of("ListBindings")
    query = [
        ("states", "BINDING_STATE_ACTIVE"),
        ("states", "BINDING_STATE_ENDED"),
        ("page_size", "7"),
    ]
    assert to_json(read_request(route, {}, query, b"")) | {"page_size": 7} == {
        "donor_id": "",
        "beneficiary_id": "",
        "states": ["BINDING_STATE_ACTIVE", "BINDING_STATE_ENDED"],
        "page_size": 7,
        "page_token": "",
    }
    dated = read_request(
        route_of("GetPolicy"), {"region": "150100"}, [("on_date.year", "2026")], b""
    )
    assert to_json(dated)["on_date"]["year"] == 2026
