"""A front as a program: what it says when its parent is gone, or its writer; how it ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.cpu import writers_of
from gongji_svc.pipe import Settings
from gongji_svc.server import FrontSettings
from gongji_svc.storage.database import Database
from tests.end_to_end.service import stopped, until
from tests.families import KEYS

_LONG_SECONDS = 60.0
_MODULE = ("-m", "gongji_svc.server", "0")
_OTHER_WRITERS = """
import sys
from gongji_svc import server
sys.executable = sys.argv[1]
server.main(0)
"""
# A writer that ends as soon as it hears its settings.
_DIES = f"""#!{sys.executable}
import socket, sys
socket.socket(fileno=int(sys.argv[-1])).recv(4)
"""
# What does not end by itself is killed at once.
_HASTY = """
from gongji_svc import forwarder, server
server._DRAIN_SECONDS = forwarder._HANG_UP_SECONDS = 0.0
server.main(0)
"""


def front(database: Database, *program: str) -> "subprocess.Popen[bytes]":
    """A front that has its settings."""
    process = subprocess.Popen(
        [sys.executable, *(program or _MODULE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    writer = Settings(database.runtime_url, 5, KEYS.dump(), 0.0)
    settings = FrontSettings("127.0.0.1:0", shares_port=False, token_key="", writer=writer)
    assert process.stdin is not None
    process.stdin.write(settings.dump())
    process.stdin.flush()
    return process


def ended(process: "subprocess.Popen[bytes]") -> list[dict[str, Any]]:
    """The lines of its log, when its parent has let it go; every one of them is JSON."""
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdin.close()
    process.stdout.close()
    with process, process.stderr as log:
        lines = [json.loads(line) for line in log]
    assert process.returncode == 0
    return lines


@pytest.mark.timeout(120)
def test_a_front_whose_parent_goes_while_it_starts_ends_without_a_fault(
    database: Database,
) -> None:
    lines = ended(front(database))
    assert {line["level"] for line in lines} == {"info"}
    assert lines[-1]["event"] == "drained, ending"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("told", ["by its parent's end", "by a signal"])
def test_a_front_whose_writers_die_as_they_start_ends_when_it_is_told(
    database: Database, tmp_path: Path, told: str
) -> None:
    writer = tmp_path / "writer"
    writer.write_text(_DIES)
    writer.chmod(0o700)
    with front(database, "-c", _OTHER_WRITERS, str(writer)) as process:
        assert process.stdin is not None and process.stderr is not None
        assert b"writer is gone" in process.stderr.readline()
        if told == "by a signal":
            process.terminate()
        else:
            process.stdin.close()
        assert _ends(process) == 0


@pytest.mark.timeout(120)
def test_a_front_leaves_no_writer_behind_that_never_became_ready(database: Database) -> None:
    with front(database, "-c", _HASTY) as process:
        until(lambda: len(writers_of([process.pid])) == 2, _LONG_SECONDS)
        writers = writers_of([process.pid])
        with stopped(writers):
            assert process.stdin is not None
            process.stdin.close()
            assert _ends(process) == 0
            assert not [writer for writer in writers if _is_there(writer)]


def _ends(process: "subprocess.Popen[bytes]") -> int:
    """How the front ended; when it does not, it is killed and the test fails."""
    try:
        return process.wait(_LONG_SECONDS)
    finally:
        process.kill()


def _is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.timeout(60)
def test_a_front_that_is_told_nothing_ends_without_a_fault() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gongji_svc.server", "0"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.timeout(120)
def test_a_writer_that_is_gone_is_told_with_how_it_ended(database: Database) -> None:
    process = front(database)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    os.kill(writers_of([process.pid])[0], signal.SIGKILL)
    gone = json.loads(next(line for line in process.stderr if b"writer is gone" in line))
    assert (gone["level"], gone["signal"], gone["says"]) == ("error", 9, "Killed")
    ended(process)
