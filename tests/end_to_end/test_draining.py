"""A front ends while others serve on: who watches its health loses no call. It ends itself, and in
time, although a writer of its own does not.

Rule: a client that watches health asks by its service config, `healthCheckConfig`; gRPC itself does
the rest.
"""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable

import grpc
import pytest

from bench.cpu import writers_of
from gongji.v1.registry_pb2 import GetPolicyRequest
from gongji.v1.registry_pb2_grpc import RegistryServiceStub
from gongji.v1.settlement_pb2 import SettleRequest
from gongji_svc.domain.limits import Limits
from gongji_svc.pipe import Settings
from gongji_svc.server import FrontSettings
from gongji_svc.storage.database import Database
from tests.end_to_end.purchases import ULANQAB
from tests.end_to_end.service import TOKEN_KEY, Service, free_address, metadata_of, stopped, until
from tests.families import KEYS
from tests.signals.scraped import scrape

_CALLERS = 6
_LONG_SECONDS = 60.0
_CONFIG = {"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}}
_UNLIMITED = Limits.parse("off")

# A client on a busy machine hears late of the end: it has more time to go elsewhere.
_PATIENT = """
from gongji_svc import server
server._TELL_SECONDS = 5.0
server.main(0)
"""


def patient(database: Database, metrics: str) -> subprocess.Popen[bytes]:
    """A front that says for long that it will end."""
    writer = Settings(database.runtime_url, 5, KEYS.dump(), 0.0)
    settings = FrontSettings(
        "127.0.0.1:0", False, TOKEN_KEY, writer, limits=_UNLIMITED, metrics=metrics
    )
    front = subprocess.Popen(
        [sys.executable, "-c", _PATIENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert front.stdin is not None
    front.stdin.write(settings.dump())
    front.stdin.flush()
    return front


def test_a_client_that_watches_health_loses_no_call_while_one_of_two_ends(
    database: Database, start: Callable[..., Service]
) -> None:
    heard: Counter[str] = Counter()
    over = threading.Event()
    metadata = metadata_of("agency", ULANQAB)

    def call(channel: grpc.Channel) -> None:
        while not over.is_set():
            try:
                RegistryServiceStub(channel).GetPolicy(
                    GetPolicyRequest(region=ULANQAB), metadata=metadata, timeout=20
                )
                heard["OK"] += 1
            except grpc.RpcError as error:
                heard[error.code().name] += 1

    metrics = free_address()
    options = (("grpc.service_config", json.dumps(_CONFIG)), ("grpc.enable_retries", 0))
    staying = start(limits=_UNLIMITED).workers.ports[0]
    with patient(database, metrics) as ending:
        assert ending.stdin is not None and ending.stdout is not None
        target = f"ipv4:127.0.0.1:{int(ending.stdout.readline())},127.0.0.1:{staying}"
        with grpc.insecure_channel(target, options) as channel:
            callers = [threading.Thread(target=call, args=(channel,)) for _ in range(_CALLERS)]
            for caller in callers:
                caller.start()
            answered = ("gongji_calls_total", "GetPolicy", "OK")
            until(lambda: scrape(metrics).get(answered, 0) > 50, _LONG_SECONDS)
            ending.stdin.close()
            assert ending.wait(_LONG_SECONDS) == 0
            enough = heard["OK"] + 100
            until(lambda: heard["OK"] > enough, _LONG_SECONDS)
            over.set()
            for caller in callers:
                caller.join()
    assert set(heard) == {"OK"}


@pytest.mark.timeout(180)
def test_a_front_ends_writers_that_stand_still_before_it_is_ended_itself(
    start: Callable[..., Service],
) -> None:
    metrics = free_address()
    service = start(metrics=metrics)
    (front,) = service.workers._running.values()
    writers = writers_of([front.pid])
    with stopped(writers):
        call = service.till("P1").begin(SettleRequest())
        until(lambda: scrape(metrics)["gongji_queued_calls",] == 1, _LONG_SECONDS)
        service.workers.stop()
        assert front.returncode == 0  # it was not killed
        for writer in writers:
            with pytest.raises(ProcessLookupError):
                os.kill(writer, 0)
    assert call.code() is not grpc.StatusCode.OK
