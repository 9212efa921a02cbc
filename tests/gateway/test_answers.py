"""What a client of the gateway is answered, by a running service: results, problems, headers."""

from uuid import uuid4

import httpx
import pytest

from gateway.rpcs import ROUTES, Route
from tests.end_to_end.purchases import HOHHOT, ULANQAB
from tests.families import Families
from tests.gateway.browser import by

_NOBODY = "01a20169-da06-8000-8929-531779b71624"
_PROBLEM = "application/problem+json"


def address(route: Route) -> str:
    """The route's path, with something in the place of each field."""
    path = route.template
    for name in route.path_fields:
        path = path.replace(f"{{{name}}}", HOHHOT if name == "region" else _NOBODY)
    return path


def test_an_answer_is_json_of_the_contract(client: httpx.Client, families: Families) -> None:
    owner = families.person(HOHHOT, balance_fen=123_456)
    answer = client.get(f"/v1/persons/{owner}/accounts", headers=by("citizen", owner))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["cache-control"] == "no-store"
    (account,) = answer.json()["accounts"]
    assert account["account_id"] == str(owner.account_id)
    assert account["balance_fen"] == "123456"


def test_a_refusal_is_a_problem_with_reason_and_text_in_chinese(client: httpx.Client) -> None:
    answer = client.get(f"/v1/accounts/{_NOBODY}", headers=by("citizen", _NOBODY))
    assert (answer.status_code, answer.headers["content-type"]) == (403, _PROBLEM)
    problem = answer.json()
    assert (problem["status"], problem["reason"]) == (403, "ACCESS_DENIED")
    assert "权限" in problem["detail"]
    assert problem["detail_en"]


def test_fields_that_break_a_rule_are_named(client: httpx.Client) -> None:
    body = {"request_id": "r 1", "reason": "x" * 501}
    answer = client.post(f"/v1/bindings/{_NOBODY}:end", json=body, headers=by("citizen", _NOBODY))
    problem = answer.json()
    assert (answer.status_code, problem["reason"]) == (400, "INVALID_FIELD")
    assert {one["field"] for one in problem["fields"]} == {"request_id", "reason"}
    assert all(one["description"] for one in problem["fields"])


def test_the_same_request_again_gets_the_first_answer(
    client: httpx.Client, families: Families
) -> None:
    donor, relative = families.person(HOHHOT, balance_fen=1), families.person(HOHHOT)
    binding = families.bind(donor, relative)
    body = {
        "request_id": uuid4().hex,
        "limits": {"per_settlement_fen": "100"},
        "update_mask": "limits",
    }
    answers = [
        client.patch(f"/v1/bindings/{binding}", json=body, headers=by("citizen", donor))
        for _ in range(2)
    ]
    assert [one.status_code for one in answers] == [200, 200], answers[0].text
    assert [one.json()["replayed"] for one in answers] == [False, True]
    assert answers[0].json()["binding"] == answers[1].json()["binding"]


@pytest.mark.parametrize("route", ROUTES, ids=lambda one: f"{one.verb} {one.template}")
def test_each_route_is_there_and_asks_who_calls(client: httpx.Client, route: Route) -> None:
    answer = client.request(route.verb, address(route))
    assert (answer.status_code, answer.headers["content-type"]) == (401, _PROBLEM)
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_token_of_nobody_is_refused(client: httpx.Client) -> None:
    for token in (b"Bearer nobody", b"Bearer \xe9", b"Basic eDp4", b"x" * 5000):
        answer = client.get("/v1/policies/150900", headers=[(b"authorization", token)])
        assert (answer.status_code, answer.json()["reason"]) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("verb", ["HEAD", "OPTIONS", "DELETE", "TRACE", "BREW"])
def test_another_method_is_refused_and_the_right_ones_are_named(
    client: httpx.Client, verb: str
) -> None:
    answer = client.request(verb, "/v1/bindings", headers=by("citizen", _NOBODY))
    assert answer.status_code == 405
    assert answer.headers["content-type"] == _PROBLEM
    assert set(answer.headers["allow"].split(", ")) == {"GET", "POST"}


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", f"/v1/bindings/{_NOBODY}:review"),
        ("DELETE", f"/v1/bindings/{_NOBODY}"),
        ("POST", "/healthz"),
        ("PUT", "/openapi.json"),
        ("POST", "/"),
    ],
)
def test_a_method_that_another_address_has_is_refused_here(
    client: httpx.Client, verb: str, path: str
) -> None:
    answer = client.request(verb, path)
    assert (answer.status_code, answer.json()["reason"]) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/v1/nothing",
        "/v1/bindings/",
        "/nothing",
        "/%00",
        "/..%2fapp.py",
        "/" + "a" * 500,
    ],
)
def test_what_is_not_there_is_a_problem(client: httpx.Client, path: str) -> None:
    answer = client.get(path, headers=by("citizen", _NOBODY))
    assert (answer.status_code, answer.headers["content-type"]) == (404, _PROBLEM)
    assert answer.json()["reason"] == "NOT_FOUND"


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_is_not_sent_as_json_is_refused(client: httpx.Client, media_type: str) -> None:
    headers = {**by("citizen", _NOBODY), "content-type": media_type}
    answer = client.post("/v1/bindings", content=b"{}", headers=headers)
    assert answer.status_code == 415


def test_pages_and_answers_carry_the_security_headers(client: httpx.Client) -> None:
    for path in ("/api.html", "/openapi.json", "/v1/policies", "/nothing"):
        headers = client.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers


def test_health_says_that_the_core_is_there(client: httpx.Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok")


def test_a_trace_that_no_header_can_carry_does_not_stop_a_call(client: httpx.Client) -> None:
    headers = {**by("agency", ULANQAB), "traceparent": "0-1-", "tracestate": "x" * 600}
    assert client.get(f"/v1/policies/{ULANQAB}", headers=headers).status_code == 200


def test_the_page_that_shows_the_interface_asks_nobody_else(client: httpx.Client) -> None:
    for path in ("/api.html", "/api.js", "/api.css"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "://" not in answer.text
        assert "<script>" not in answer.text
        assert "style=" not in answer.text
