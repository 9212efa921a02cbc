"""The headers that protect a browser, on every kind of answer that the gateway gives.

Rule: TLS is the proxy's before the gateway, so that one says Strict-Transport-Security.
"""

from collections.abc import Iterator

import httpx
import pytest

from tests.end_to_end.service import Service
from tests.families import Families, Made
from tests.gateway.browser import address_of, before, by

ELSEWHERE = {"origin": "https://thief.example"}


@pytest.fixture
def owner(families: Families) -> Made:
    return families.person("150900", balance_fen=700)


def answers(client: httpx.Client, owner: Made) -> Iterator[httpx.Response]:
    """An answer of each kind: pages, what the contract answers, and what is refused on the way."""
    mine, account = by("citizen", owner), f"/v1/accounts/{owner.account_id}"
    yield client.get("/")
    yield client.get("/session-config")
    yield client.get("/openapi.json")
    yield client.get("/healthz")
    yield client.get(account, headers=mine)
    yield client.get(f"{account}/entries:export", headers=mine)
    yield client.get(account, headers=by("citizen", "0199e3a5-7c00-8000-8024-a50000000003"))
    yield client.get(account)
    yield client.get("/nothing")
    yield client.get("/v1/nothing")
    yield client.request("TRACE", account)
    yield client.put(account)
    yield client.post("/v1/persons:find", content=b"<x/>", headers={"content-type": "text/xml"})
    yield client.post("/v1/persons:find", content=b"{" * (2 << 20), headers=mine)
    with client.stream("GET", f"{account}/entries:watch", headers=mine) as watched:
        yield watched


def test_every_answer_carries_them(client: httpx.Client, owner: Made) -> None:
    statuses = set()
    for answer in answers(client, owner):
        statuses.add(answer.status_code)
        policy = answer.headers["content-security-policy"]
        for said in ("default-src 'self'", "object-src 'none'", "frame-ancestors 'none'"):
            assert said in policy, answer
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert not {"server", "x-powered-by", "set-cookie"} & set(answer.headers)
    assert {200, 401, 403, 404, 405} <= statuses


def test_what_is_somebodys_is_kept_by_no_cache(client: httpx.Client, owner: Made) -> None:
    account = f"/v1/accounts/{owner.account_id}"
    for path in (account, f"{account}/entries", f"{account}/entries:export"):
        answer = client.get(path, headers=by("citizen", owner))
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
    assert client.get(account).headers["cache-control"] == "no-store"


def test_pages_of_elsewhere_are_let_read_nothing(client: httpx.Client, owner: Made) -> None:
    path = f"/v1/accounts/{owner.account_id}"
    asks = {**ELSEWHERE, "access-control-request-method": "GET"}
    for answer in (
        client.get(path, headers={**by("citizen", owner), **ELSEWHERE}),
        client.options(path, headers=asks),
        client.get("/session-config", headers=ELSEWHERE),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_who_calls_too_often_is_answered_with_them_too(service: Service) -> None:
    with before(address_of(service), calls_per_second=0.1, burst=1) as client:
        first, second = (client.get("/v1/policies") for _ in range(2))
    assert (first.status_code, second.status_code) == (401, 429)
    assert "default-src 'self'" in second.headers["content-security-policy"]
