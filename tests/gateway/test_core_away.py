"""The core is away, silent, or told twice: what the client hears, and what is tried again."""

import threading
import time

import grpc
import httpx
import pytest

from gongji.v1 import account_pb2
from gongji_svc.domain.limits import Limits
from tests import conftest
from tests.end_to_end.service import Service, free_address, running
from tests.gateway.browser import address_of, before, by
from tests.gateway.far_core import far_core

_SOMEBODY = "01a20169-da06-8000-8929-531779b71624"
_BY = by("citizen", _SOMEBODY)
_READ = f"/v1/persons/{_SOMEBODY}/accounts"
_ISSUE = f"/v1/persons/{_SOMEBODY}/credentials"


def silent(context: grpc.ServicerContext) -> bytes:
    """Says nothing while anybody waits."""
    while context.is_active():
        time.sleep(0.02)
    return b""


def away(context: grpc.ServicerContext) -> bytes:
    context.abort(grpc.StatusCode.UNAVAILABLE, "away")


def test_while_the_core_is_away_a_call_is_told_when_to_come_again() -> None:
    with before(free_address()) as client:
        answer = client.get(_READ, headers=_BY)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        problem = answer.json()
        assert (problem["reason"], problem["retry_after_seconds"]) == ("", 1)
        assert "同一请求编号" in problem["detail"]
        assert client.get("/healthz").status_code == 503
        assert client.get("/openapi.json").status_code == 200


def test_a_core_that_comes_back_is_found(test_server: conftest.TestServer) -> None:
    database = test_server.new_database(conftest.TEMPLATE)
    listen = free_address()
    with before(listen) as client:
        assert client.get("/healthz").status_code == 503
        with running(database, listen=listen):
            deadline = time.monotonic() + 20
            while client.get("/healthz").status_code != 200:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert client.get(_READ, headers=_BY).status_code in (200, 403)
    test_server.drop(database)


def test_however_many_ask_for_health_the_gateway_stays_well(
    test_server: conftest.TestServer,
) -> None:
    database = test_server.new_database(conftest.TEMPLATE)
    with (
        running(database, limits=Limits.parse("address_calls=4")) as service,
        before(address_of(service)) as client,
    ):
        assert {client.get("/healthz").status_code for _ in range(300)} == {200}
    test_server.drop(database)


def test_a_read_is_tried_again_until_the_core_is_there() -> None:
    told: list[int] = []

    def at_the_third_time(context: grpc.ServicerContext) -> bytes:
        told.append(1)
        if len(told) < 3:
            away(context)
        return account_pb2.ListAccountsResponse().SerializeToString()

    with far_core(at_the_third_time) as core, before(core.address) as client:
        answer = client.get(_READ, headers=_BY)
        assert (answer.status_code, answer.json()["accounts"]) == (200, [])
        assert core.calls["ListAccounts"] == 3


def test_what_may_not_be_sent_twice_is_sent_once() -> None:
    with far_core(away) as core, before(core.address) as client:
        assert client.post(_ISSUE, json={}, headers=_BY).status_code == 503
        assert core.calls["IssueCredential"] == 1


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.ABORTED])
def test_nothing_is_tried_again_that_the_core_has_answered(code: grpc.StatusCode) -> None:
    with far_core(lambda context: context.abort(code, "secret")) as core:
        with before(core.address) as client:
            answer = client.get(_READ, headers=_BY)
        assert core.calls["ListAccounts"] == 1
    assert answer.status_code in (409, 500)
    assert answer.json()["detail"]
    assert "secret" not in answer.text


def test_a_core_that_says_nothing_is_given_up_after_the_deadline() -> None:
    with far_core(silent) as core, before(core.address, seconds=0.5) as client:
        answer = client.get(_READ, headers=_BY)
        assert answer.status_code == 504
        assert (answer.json()["reason"], core.left.wait(5)) == ("", True)


def test_a_client_that_leaves_takes_its_call_with_it() -> None:
    with far_core(silent) as core, before(core.address) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.get(_READ, headers=_BY, timeout=0.5)
        assert core.left.wait(5)


def test_token_and_trace_are_passed_on_and_nothing_else() -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with far_core(lambda _: b"") as core, before(core.address) as client:
        client.get(
            _READ, headers={**_BY, "traceparent": trace, "cookie": "a=b", "x-role": "agency"}
        )
    assert core.metadata["authorization"] == _BY["authorization"]
    assert core.metadata["traceparent"] == trace
    assert {"cookie", "x-role"}.isdisjoint(core.metadata)


def test_many_at_once_share_one_connection(service: Service) -> None:
    answers: list[int] = []
    with before(address_of(service)) as client:

        def ask() -> None:
            answers.append(
                client.get("/v1/policies/150900", headers=by("agency", "150900")).status_code
            )

        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [200] * 20
