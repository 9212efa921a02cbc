"""The core's probes, as its manifest has them, against a core that runs."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import grpc
import httpx
import pytest

from bench.cpu import writers_of
from gongji.v1.settlement_pb2 import SettleRequest
from gongji_svc.config import Address
from gongji_svc.services.entrance import TlsFiles
from gongji_svc.signals.port import Port, turning
from tests.authority import Authority, put
from tests.end_to_end.conftest import start
from tests.end_to_end.service import Service, free_address, health, opened, stopped, until
from tests.k8s.overlays import ALL
from tests.signals.scraped import scrape

__all__ = ["start"]  # the fixture

(_CORE,) = (one for one in ALL if one.container["args"] == ["serve"])
_WELL = (200, "ok\n")
_finds_writers = pytest.mark.skipif(
    not Path("/proc").exists(), reason="finding a writer needs Linux's /proc"
)


def probed(address: str, kind: str) -> tuple[int, str]:
    """What one of the core's probes is told."""
    get = _CORE.container[kind]["httpGet"]
    assert get["port"] == "metrics"
    answer = httpx.get(f"http://{address}{get['path']}", timeout=10, trust_env=False)
    return answer.status_code, answer.text


def test_a_core_that_serves_has_started_is_ready_and_lives(start: Callable[..., Service]) -> None:
    address = free_address()
    start(metrics=address)
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert probed(address, kind) == _WELL


def test_a_certificate_that_cannot_be_read_makes_no_core_unready(
    start: Callable[..., Service], tmp_path: Path
) -> None:
    authority, address = Authority("Installation"), free_address()
    own = authority.issue()
    contents = {"tls.crt": own.pem, "tls.key": own.key, "ca.crt": authority.pem}
    tls = TlsFiles(*(str(put(tmp_path / name, kept)) for name, kept in contents.items()))
    credentials = grpc.ssl_channel_credentials(authority.pem, own.key, own.pem)
    service = start(tls=tls, credentials=credentials, metrics=address)
    put(tmp_path / "tls.crt", b"no certificate")
    for _ in range(2):  # a new connection each time: the file is looked at again
        with opened(f"127.0.0.1:{service.workers.ports[0]}", credentials) as channel:
            assert health(channel) == 1
    assert probed(address, "readinessProbe") == probed(address, "livenessProbe") == _WELL


@_finds_writers
def test_a_core_without_a_writer_lives_and_is_not_ready(start: Callable[..., Service]) -> None:
    address = free_address()
    (front,) = start(metrics=address).workers.processes()
    for writer in writers_of([front]):
        os.kill(writer, signal.SIGKILL)
    until(lambda: probed(address, "readinessProbe") == (503, "there is no writer\n"))
    assert probed(address, "livenessProbe") == _WELL


@_finds_writers
def test_a_core_that_is_told_to_end_lives_and_is_not_ready(start: Callable[..., Service]) -> None:
    address = free_address()
    service = start(metrics=address)
    ending = threading.Thread(target=service.workers.stop)
    with stopped(writers_of(service.workers.processes())):
        last = service.till("P1").begin(SettleRequest())  # it does not end before the answer
        until(lambda: scrape(address)["gongji_queued_calls",] == 1)
        ending.start()
        until(lambda: probed(address, "readinessProbe") == (503, "it takes no calls\n"))
        assert probed(address, "livenessProbe") == _WELL
    ending.join()
    assert last.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_core_whose_loop_stands_still_does_not_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gongji_svc.signals.port._TURN_SECONDS", 0.05)
    loop, held = asyncio.new_event_loop(), threading.Event()
    turns = threading.Thread(target=loop.run_forever)
    turns.start()
    address = free_address()
    with Port(Address.parse(address), [], stands_still=turning(loop)):
        until(lambda: probed(address, "livenessProbe") == _WELL)
        loop.call_soon_threadsafe(held.wait)
        until(lambda: probed(address, "livenessProbe") == (503, "it stands still\n"))
        held.set()
        until(lambda: probed(address, "livenessProbe") == _WELL)
    loop.call_soon_threadsafe(loop.stop)
    turns.join()
    loop.close()
