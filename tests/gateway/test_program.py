"""The gateway as a program: it starts, says where it serves, and ends when it is told to."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.purchases import HOHHOT
from tests.end_to_end.service import Service
from tests.gateway.browser import address_of, by


@contextmanager
def gongji(*arguments: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own; it is ended at the end."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GONGJI_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "gongji_svc.cli", *arguments],
        env={**clean, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(
    service: Service, tmp_path: Path, ending: signal.Signals
) -> None:
    settings = {
        "GONGJI_DATA_DIR": str(tmp_path),
        "GONGJI_GRPC_LISTEN": address_of(service),
        "GONGJI_HTTP_LISTEN": "127.0.0.1:0",
    }
    with gongji("gateway", **settings) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        path = f"/v1/policies/{HOHHOT}"
        answer = httpx.get(f"{url}{path}?x=1", headers=by("agency", HOHHOT), trust_env=False)
        assert answer.status_code == 400
        process.send_signal(ending)
        _, logged = process.communicate(timeout=20)
    assert process.returncode == 0
    (line,) = (json.loads(one) for one in logged.splitlines())
    assert (line["method"], line["route"], line["status"]) == ("GET", "/v1/policies/{region}", 400)
    assert (line["process"], "x=1" in logged, HOHHOT in logged) == ("gateway", False, False)


@pytest.mark.parametrize("command", ["gateway", "up"])
def test_a_port_in_use_is_named_and_nothing_starts(tmp_path: Path, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        settings = {
            "GONGJI_DATA_DIR": str(tmp_path),
            "GONGJI_GRPC_LISTEN": "127.0.0.1:0",
            "GONGJI_HTTP_LISTEN": listen,
        }
        with gongji(command, **settings) as process:
            said, complained = process.communicate(timeout=60)
    assert (process.returncode, said) == (2, "")
    assert complained.startswith(f"gongji: GONGJI_HTTP_LISTEN: {listen} ")


def test_the_demo_believes_nobody_where_a_provider_is_set(tmp_path: Path) -> None:
    settings = {"GONGJI_DATA_DIR": str(tmp_path), "GONGJI_OIDC_ISSUER": "https://login.example"}
    with gongji("up", "--demo", **settings) as process:
        said, complained = process.communicate(timeout=60)
    assert (process.returncode, said) == (2, "")
    assert complained.startswith("gongji: GONGJI_OIDC_ISSUER: ")
