"""A front ends while others serve on: who watches its health loses no call.

Rule: such a client asks by its service config, `healthCheckConfig`; gRPC itself does the rest.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable

import grpc

from gongji.v1.registry_pb2 import GetPolicyRequest
from gongji.v1.registry_pb2_grpc import RegistryServiceStub
from gongji_svc.domain.limits import Limits
from tests.end_to_end.purchases import ULANQAB
from tests.end_to_end.service import Service, metadata_of, until

_CALLERS = 6
_LONG_SECONDS = 60.0
_CONFIG = {"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}}


def test_a_client_that_watches_health_loses_no_call_while_one_of_two_ends(
    start: Callable[..., Service],
) -> None:
    services = [start(limits=Limits.parse("off")) for _ in range(2)]
    ports = [service.workers.ports[0] for service in services]
    target = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)
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

    options = (("grpc.service_config", json.dumps(_CONFIG)), ("grpc.enable_retries", 0))
    with grpc.insecure_channel(target, options) as channel:
        callers = [threading.Thread(target=call, args=(channel,)) for _ in range(_CALLERS)]
        for caller in callers:
            caller.start()
        until(lambda: heard["OK"] > 100, _LONG_SECONDS)
        services[0].workers.stop()
        enough = heard["OK"] + 100
        until(lambda: heard["OK"] > enough, _LONG_SECONDS)
        over.set()
        for caller in callers:
            caller.join()
    assert set(heard) == {"OK"}
