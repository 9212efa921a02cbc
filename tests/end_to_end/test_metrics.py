"""A running service tells of itself: figures that add up, lines that lead from a call to its batch,
and nothing of anybody.
"""

import json
import signal
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from gateway.app import Settings, make_app
from gateway.tls import Tls
from gongji.v1 import registry_pb2
from gongji.v1.registry_pb2_grpc import RegistryServiceStub
from gongji_svc.commands.gateway import listening
from gongji_svc.config import Address
from gongji_svc.domain.access import Caller, Role
from gongji_svc.services.entrance import TlsFiles
from gongji_svc.services.identity import development_key, issue_token
from gongji_svc.services.provider import Provider
from gongji_svc.signals.catalogue import CATALOGUE
from gongji_svc.signals.requests import Requests
from gongji_svc.storage.database import Database
from tests.authority import AUDIENCE, ISSUER, Authority, Signer, key_set, put
from tests.commands.program import gongji
from tests.end_to_end.purchases import ULANQAB, at_work, purchase
from tests.end_to_end.service import Service, Till, free_address, metadata_of, opened, until
from tests.signals.scraped import families, health, scrape

_TRACE = "0af7651916cd43dd8448eb211c80319c"
_OF_THE_ENTRANCE = (
    ("gongji_certificate_not_after_timestamp_seconds",),
    ("gongji_crl_next_update_timestamp_seconds",),
    ("gongji_jwks_read_timestamp_seconds",),
)
_SAID = (("traceparent", f"00-{_TRACE}-b7ad6b7169203331-00"),)


def test_a_front_tells_of_calls_refusals_and_batches(start: Callable[..., Service]) -> None:
    address = free_address()
    service = start(metrics=address)
    made = at_work(service.database)
    code, patient = made.institution(ULANQAB), made.person(ULANQAB, balance_fen=1_000_000)
    till = service.till(code)
    for _ in range(3):
        till.settle(purchase(code, patient))
    with pytest.raises(grpc.RpcError):
        service.till(made.institution(ULANQAB)).settle(purchase(code, patient))
    told = scrape(address)
    assert told["gongji_calls_total", "Settle", "OK"] == 3
    assert told["gongji_calls_total", "Settle", "PERMISSION_DENIED"] == 1
    assert told["gongji_refusals_total", "ACCESS_DENIED"] == 1
    assert told["gongji_call_duration_seconds_count", "Settle"] == 4
    assert told["gongji_batch_size_sum",] == 3
    batches = told["gongji_batch_size_count",]
    assert 1 <= batches <= 3
    for name in ("batch_duration", "queue_wait", "lock_wait", "commit"):
        assert told[f"gongji_{name}_seconds_count",] == batches
    assert told["gongji_in_flight_calls",] == told["gongji_queued_calls",] == 0
    assert told["gongji_writer_ready",] == 2
    assert told["gongji_database_connections", "in_use"] == 0
    assert families(address) == {one.name for one in CATALOGUE.values() if one.process == "serve"}
    assert told.keys().isdisjoint(_OF_THE_ENTRANCE)


def test_a_front_behind_tls_tells_until_when_it_lets_callers_in(
    start: Callable[..., Service], tmp_path: Path
) -> None:
    clients, servers, began = Authority("Tills"), Authority("Servers"), time.time()
    own, due = servers.issue(), datetime.now(UTC).replace(microsecond=0) + timedelta(days=7)
    names = ("server.pem", "server.key", "clients.pem", "revoked.pem", "jwks.json")
    contents = (own.pem, own.key, clients.pem, clients.list(due=due), key_set(Signer("1").public))
    files = [str(put(tmp_path / name, kept)) for name, kept in zip(names, contents, strict=True)]
    address, gateway = free_address(), clients.issue("gongji:gateway")
    start(
        metrics=address,
        tls=TlsFiles(*files[:4]),
        provider=Provider(files[4], ISSUER, AUDIENCE),
        credentials=grpc.ssl_channel_credentials(servers.pem, gateway.key, gateway.pem),
    )
    until_when, next_list, read_at = _OF_THE_ENTRANCE
    told = scrape(address)
    assert told[until_when] == own.certificate.not_valid_after_utc.timestamp()
    assert told[next_list] == due.timestamp()
    assert began <= told[read_at] <= time.time()
    new = servers.issue(lifetime=timedelta(days=90))
    put(tmp_path / "server.pem", new.pem)
    put(tmp_path / "server.key", new.key)
    renewed = new.certificate.not_valid_after_utc.timestamp()
    until(lambda: scrape(address)[until_when] == renewed)
    until(lambda: scrape(address)[read_at] > told[read_at])


def test_a_gateway_tells_when_the_certificate_that_it_shows_ends(tmp_path: Path) -> None:
    authority, requests = Authority(), Requests()
    first, second = (authority.issue(lifetime=timedelta(days=days)) for days in (30, 90))
    tls = Tls(*(tmp_path / name for name in ("servers.pem", "own.pem", "own.key")))
    for path, kept in zip(tls.files, (authority.pem, first.pem, first.key), strict=True):
        put(path, kept)

    def told() -> object:
        return dict(requests)["gongji_gateway_certificate_not_after_timestamp_seconds"]

    assert told() == {}
    app = make_app(Settings(core="127.0.0.1:1", tls=tls), signals=requests)
    assert told() == {(): first.certificate.not_valid_after_utc.timestamp()}
    with listening(app, Address("127.0.0.1", 0)):
        for path, kept in zip(tls.files[1:], (second.pem, second.key), strict=True):
            put(path, kept)
        until(lambda: told() == {(): second.certificate.not_valid_after_utc.timestamp()})


def test_what_watches_is_a_stream_and_no_call_in_flight(start: Callable[..., Service]) -> None:
    from gongji.v1 import account_pb2
    from gongji.v1.account_pb2_grpc import AccountServiceStub

    address = free_address()
    service = start(metrics=address)
    made = at_work(service.database)
    person = made.person(ULANQAB, balance_fen=100)
    watching = AccountServiceStub(service.channel).WatchAccount(
        account_pb2.WatchAccountRequest(account_id=str(person.account_id)),
        metadata=metadata_of("citizen", person.person_id),
    )
    until(lambda: scrape(address)["gongji_open_streams",] == 1)
    assert scrape(address)["gongji_in_flight_calls",] == 0
    watching.cancel()
    until(lambda: scrape(address)["gongji_open_streams",] == 0)


def test_a_call_whose_deadline_passes_while_it_waits_for_a_lock_counts_as_late(
    start: Callable[..., Service],
) -> None:
    address = free_address()
    service = start(metrics=address)
    made = at_work(service.database)
    code, patient = made.institution(ULANQAB), made.person(ULANQAB, balance_fen=1_000_000)
    till = service.till(code)
    till.settle(purchase(code, patient))

    def counted(code: str) -> float:
        return scrape(address).get(("gongji_calls_total", "Settle", code), 0)

    with service.database.connect() as other:
        other.execute("SELECT 1 FROM accounts FOR UPDATE")
        for _ in range(10):  # one that was slow to come counts as cancelled: then another is sent
            late = till.begin(purchase(code, patient), 2.0)
            assert late.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            until(lambda: scrape(address)["gongji_in_flight_calls",] == 0)
            if counted("DEADLINE_EXCEEDED"):
                break
        late_ones, cancelled = counted("DEADLINE_EXCEEDED"), counted("CANCELLED")
        left = till.begin(purchase(code, patient))
        until(lambda: scrape(address)["gongji_in_flight_calls",] == 1)
        left.cancel()
        until(lambda: scrape(address)["gongji_in_flight_calls",] == 0)
    told = scrape(address)
    assert told["gongji_calls_total", "Settle", "DEADLINE_EXCEEDED"] == late_ones >= 1
    assert told["gongji_refusals_total", "DEADLINE_PASSED"] == late_ones
    assert told["gongji_calls_total", "Settle", "CANCELLED"] >= cancelled + 1


def test_each_front_has_a_port_of_its_own(start: Callable[..., Service]) -> None:
    host, _, first = free_address().rpartition(":")
    with socket.create_server((host, 0)) as probe:
        first = str(probe.getsockname()[1])
    service = start(fronts=2, metrics=f"{host}:{first}")
    for number, channel in enumerate(service.channels):
        RegistryServiceStub(channel).GetPolicy(
            registry_pb2.GetPolicyRequest(region=ULANQAB),
            metadata=metadata_of("agency", ULANQAB),
            timeout=10,
        )
        told = scrape(f"{host}:{int(first) + number}")
        assert told["gongji_writer_ready",] == 2
        assert told["gongji_calls_total", "GetPolicy", "OK"] == 1


def test_a_front_is_well_while_it_has_a_writer(start: Callable[..., Service]) -> None:
    import os

    from bench.cpu import writers_of

    address = free_address()
    service = start(metrics=address)
    assert (health(address).status_code, health(address).text) == (200, "ok\n")
    (front,) = service.workers.processes()
    for writer in writers_of([front]):
        os.kill(writer, signal.SIGKILL)
    until(lambda: health(address).status_code == 503)
    assert health(address).text == "there is no writer\n"
    until(lambda: health(address).status_code == 200, 30)


def test_the_port_has_nothing_else(start: Callable[..., Service]) -> None:
    address = free_address()
    start(metrics=address)
    assert httpx.get(f"http://{address}/", trust_env=False).status_code == 404
    assert httpx.post(f"http://{address}/metrics", trust_env=False).status_code == 501


def test_a_call_is_followed_into_its_batch_by_its_trace(database: Database, tmp_path: Path) -> None:
    made = at_work(database)
    code, patient = made.institution(ULANQAB), made.person(ULANQAB, balance_fen=1_000_000)
    grpc_address = free_address()
    with gongji(database, tmp_path, "serve", GONGJI_GRPC_LISTEN=grpc_address) as process:
        assert process.stdout is not None
        process.stdout.readline()
        token = issue_token(development_key(tmp_path), Caller(Role.POS, code), 60)
        metadata = (("authorization", f"Bearer {token}"), *_SAID)
        with opened(grpc_address) as channel:
            Till(channel, metadata).settle(purchase(code, patient))
            Till(channel, metadata[:1]).settle(purchase(code, patient))
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    lines: list[dict[str, Any]] = [json.loads(line) for line in errors.splitlines()]
    first, second = (line for line in lines if line["event"] == "call")
    assert (first["trace"], first["process"]) == (_TRACE, "front")
    assert second["trace"] != _TRACE
    batches = [line for line in lines if line["event"] == "batch"]
    assert [line["traces"] for line in batches] == [[_TRACE], [second["trace"]]]
    assert [(line["batch"], line["process"]) for line in batches] == [(1, "writer"), (2, "writer")]
    assert all({"timestamp", "level", "process"} <= line.keys() for line in lines)
    ending = [line["event"] for line in lines if line["process"] == "front"][-2:]
    assert ending == ["told to end, draining", "drained, ending"]
    for secret in (patient.name, patient.certificate_number, patient.card_no, code):
        assert secret not in errors
