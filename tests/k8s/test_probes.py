"""The core's probe, against a core that runs."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckResponse

from gongji_svc.services.entrance import TlsFiles
from tests.authority import Authority, put
from tests.end_to_end.conftest import start
from tests.end_to_end.service import Service, free_address
from tests.k8s.overlays import FOLDER

__all__ = ["start"]  # the fixture

_PROBE = FOLDER / "base" / "probes" / "serving.py"


def probed(port: int | str, *arguments: str, tls: TlsFiles | None = None) -> tuple[int, str]:
    """Exit status and complaint of the probe in a pod that serves on this port."""
    settings = {"GONGJI_GRPC_LISTEN": f"0.0.0.0:{port}"}
    if tls is not None:
        settings |= {"GONGJI_TLS_CERT": tls.certificate, "GONGJI_TLS_KEY": tls.key}
    done = subprocess.run(
        [sys.executable, str(_PROBE), *arguments],
        env={**os.environ, **settings},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stderr


def test_a_core_that_serves_is_ready_and_lives(start: Callable[..., Service]) -> None:
    (port,) = start().workers.ports
    assert probed(port) == probed(port, "--answers") == (0, "")


def test_it_is_asked_through_mutual_tls_with_its_own_certificate(
    start: Callable[..., Service], tmp_path: Path
) -> None:
    authority = Authority("Installation")
    own = authority.issue()
    put(tmp_path / "ca.crt", authority.pem)
    put(tmp_path / "tls.crt", own.pem)
    put(tmp_path / "tls.key", own.key)
    tls = TlsFiles(*(str(tmp_path / name) for name in ("tls.crt", "tls.key", "ca.crt")))
    credentials = grpc.ssl_channel_credentials(authority.pem, own.key, own.pem)
    (port,) = start(tls=tls, credentials=credentials).workers.ports
    assert probed(port, tls=tls) == (0, "")
    assert probed(port)[0] == 1  # in plain text


def test_where_nothing_listens_nothing_lives() -> None:
    port = free_address().rpartition(":")[2]
    assert probed(port, "--answers") == (1, "the core does not answer: UNAVAILABLE\n")


def test_a_core_that_says_it_does_not_serve_lives_and_is_not_ready() -> None:
    with ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads)
        said = health.HealthServicer()
        said.set("", HealthCheckResponse.NOT_SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(said, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        complaint = "the core answers, and does not serve\n"
        assert probed(port) == (1, complaint)
        assert probed(port, "--answers") == (0, complaint)
        server.stop(None).wait()
