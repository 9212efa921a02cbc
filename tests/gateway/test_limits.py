"""How much, how often and how slowly: what is over a limit is refused, and others go on."""

import socket
import time
from dataclasses import dataclass

import httpx
import pytest

from gateway import connections, limits
from gateway.limits import MOST_JSON_BYTES
from tests.end_to_end.purchases import HOHHOT
from tests.end_to_end.service import Service, until
from tests.families import Families
from tests.gateway.browser import address_of, before, by

_SOMEBODY = "01a20169-da06-8000-8929-531779b71624"
_BY = by("citizen", _SOMEBODY)
_JSON = {**_BY, "content-type": "application/json"}


def connect(client: httpx.Client) -> socket.socket:
    """A connection on which nothing is said yet."""
    return socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=10)


def test_a_body_that_is_too_large_is_refused(client: httpx.Client) -> None:
    for content in (b" " * (MOST_JSON_BYTES + 1), (b" " * 65_536 for _ in range(40))):
        answer = client.post("/v1/bindings", content=content, headers=_JSON)
        assert (answer.status_code, answer.json()["status"]) == (413, 413)


def test_a_body_of_the_greatest_size_is_read(client: httpx.Client) -> None:
    answer = client.post("/v1/bindings", content=b"{}".rjust(MOST_JSON_BYTES), headers=_JSON)
    assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_FIELD")


def test_a_body_that_does_not_come_is_given_up(service: Service) -> None:
    with before(address_of(service), body_seconds=0.3) as client, connect(client) as slow:
        head = "POST /v1/bindings HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        token = f"authorization: {_BY['authorization']}\r\n"
        slow.sendall(f"{head}{token}content-length: 9\r\n\r\n{{".encode())
        assert slow.recv(100).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "said", [b"", b"GET / HTTP/1.1\r\nho", b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nGET"]
)
def test_a_connection_on_which_no_request_begins_is_closed(
    service: Service, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(connections, "_HEAD_SECONDS", 0.3)
    with before(address_of(service)) as client, connect(client) as slow:
        slow.sendall(said)
        while slow.recv(4096):
            pass


def test_a_connection_that_is_used_stays_open(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_HEAD_SECONDS", 5.0)
    with before(address_of(service)) as client, connect(client) as busy:
        for _ in range(12):  # longer than that, and never nearly so long without a request
            busy.sendall(b"GET /session-config HTTP/1.1\r\nhost: x\r\n\r\n")
            assert busy.recv(4096).startswith(b"HTTP/1.1 200 ")
            time.sleep(0.5)


@dataclass(slots=True)
class Clock:
    """Time that passes only when a test says so."""

    now: float = 0.0

    def monotonic(self) -> float:
        """As the time module's."""
        return self.now


def test_who_calls_too_often_is_told_when_to_come_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(limits, "time", clock)
    with before(address_of(service), calls_per_second=1.0, burst=3) as client:
        answers = [client.get("/v1/policies", headers=_BY) for _ in range(5)]
        assert [one.status_code == 429 for one in answers] == [False, False, False, True, True]
        problem = answers[-1].json()
        assert (problem["reason"], answers[-1].headers["retry-after"]) == ("RATE_LIMITED", "1")
        assert client.get("/openapi.json").status_code == 200  # pages are not counted
        clock.now += 1.0  # as it was told
        answers = [client.get("/v1/policies", headers=_BY) for _ in range(2)]
        assert [one.status_code == 429 for one in answers] == [False, True]


def test_a_stream_counts_as_a_call_under_way_until_it_ends(
    service: Service, families: Families
) -> None:
    owner = families.person(HOHHOT, balance_fen=0)
    address = f"/v1/accounts/{owner.account_id}/entries:watch"
    headers = by("citizen", owner)
    with before(address_of(service), at_once=1) as client:
        with client.stream("GET", address, headers=headers) as stream:
            assert stream.status_code == 200
            answer = client.get("/v1/policies", headers=_BY)
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
            assert client.get("/session-config").status_code == 200  # not a call
        until(lambda: client.get("/v1/policies", headers=_BY).status_code != 429, 20)


def test_one_address_does_not_use_up_the_calls_of_another(service: Service) -> None:
    with before(address_of(service), calls_per_second=0.1, burst=1) as client:
        statuses = [
            client.get("/v1/policies", headers={**_BY, "x-forwarded-for": address}).status_code
            == 429
            for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1")
        ]
    assert statuses == [False, False, True]


def test_who_finds_no_place_is_told_to_come_again_and_others_are_served(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_MOST_CONNECTIONS", 1)
    with before(address_of(service)) as client, connect(client) as there:
        head = b"GET /session-config HTTP/1.1\r\nhost: x\r\n\r\n"
        there.sendall(head)
        assert there.recv(4096).startswith(b"HTTP/1.1 200 ")
        answer = client.get("/v1/policies", headers=_BY)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["connection"] == "close"
        assert answer.json()["status"] == 503
        there.sendall(head)
        assert there.recv(4096).startswith(b"HTTP/1.1 200 ")
