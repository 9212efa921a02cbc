"""What stops a service from starting, and tokens that no call would accept."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gongji_svc.commands.serve import check_port_free
from gongji_svc.config import Address, Config


def gongji(data_dir: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(data_dir), "GONGJI_DATA_DIR": str(data_dir)}
    return subprocess.run(
        [sys.executable, "-m", "gongji_svc.cli", *arguments],
        env={**environment, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("command", ["up", "serve"])
def test_a_port_in_use_is_named_and_nothing_starts(reachable_path: Path, command: str) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        key_file = reachable_path / "keys"
        key_file.write_text(f"index {'0' * 64}\ndata 1 {'0' * 32}\n")
        done = gongji(
            reachable_path, command, GONGJI_GRPC_LISTEN=listen, GONGJI_DATA_KEY=str(key_file)
        )
    assert done.returncode == 2
    assert listen in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_whose_last_service_has_just_ended_is_free(reachable_path: Path) -> None:
    with socket.socket() as ended:
        ended.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ended.bind(("127.0.0.1", 0))
        ended.listen()
        port = ended.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            ended.accept()[0].close()
            client.recv(1)
    check_port_free(Config(reachable_path, grpc_listen=Address("127.0.0.1", port)))


@pytest.mark.parametrize(
    ("role", "subject", "lifetime"),
    [
        ("citizen", "not-an-id", "60"),
        ("agency", "15", "60"),
        ("platform", "city", "60"),
        ("pos", "", "60"),
        ("pos", "P1", "0"),
        ("pos", "P1", "99999999999"),
    ],
)
def test_a_token_that_no_call_would_accept_is_not_made(
    reachable_path: Path, role: str, subject: str, lifetime: str
) -> None:
    arguments = ("--role", role, "--subject", subject, "--lifetime-seconds", lifetime)
    done = gongji(reachable_path, "token", *arguments)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_folder_that_cannot_be_used_is_one_sentence(reachable_path: Path) -> None:
    done = gongji(reachable_path / "file", "token", "--role", "pos", "--subject", "P1")
    assert done.returncode == 0
    (reachable_path / "plain").write_text("")
    done = gongji(reachable_path / "plain" / "below", "token", "--role", "pos", "--subject", "P1")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
