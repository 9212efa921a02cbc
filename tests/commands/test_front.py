"""A front as a program: what it says when its parent is gone, or its writer."""

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from bench.cpu import writers_of
from gongji_svc.pipe import Settings
from gongji_svc.server import FrontSettings
from gongji_svc.storage.database import Database
from tests.families import KEYS


def front(database: Database) -> "subprocess.Popen[bytes]":
    """A front that has its settings."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gongji_svc.server", "0"],
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
