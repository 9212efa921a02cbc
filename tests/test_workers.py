"""Fronts that can't be started again at once, or do not come up; small programs stand for them."""

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from gongji_svc.workers import Workers
from tests.end_to_end.service import until

_START = subprocess.Popen
_LONG_SECONDS = 60.0
_SERVES = "import sys; sys.stdin.readline(); print({port}, flush=True); sys.stdin.read()"
_NEVER_SERVES = "import sys; sys.stdin.read()"

Start = Callable[..., "subprocess.Popen[bytes]"]


def program(source: str) -> Start:
    """Starts a program in place of a front."""
    return lambda _, **options: _START([sys.executable, "-c", source], **options)


def no_memory(*_: Any, **__: Any) -> "subprocess.Popen[bytes]":
    raise OSError(errno.ENOMEM, "Cannot allocate memory")


def gone_at_once(_: object, **options: Any) -> "subprocess.Popen[bytes]":
    """A front that has ended before it is told its settings."""
    process = program("")(None, **options)
    process.wait()
    return process


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[Start]:
    """What comes of each start of a front, one after the other."""
    coming: list[Start] = []
    monkeypatch.setattr(
        subprocess, "Popen", lambda *args, **options: coming.pop(0)(*args, **options)
    )
    return coming


@pytest.mark.timeout(120)
@pytest.mark.parametrize("fails", [no_memory, gone_at_once])
def test_a_front_that_cannot_be_started_is_tried_again(starts: list[Start], fails: Start) -> None:
    starts += [program(_SERVES.format(port=1)), fails, fails, program(_SERVES.format(port=2))]
    with Workers(b"settings\n", 1) as workers:
        assert workers.ports == [1]
        os.kill(workers.processes()[0], signal.SIGKILL)
        until(lambda: workers.ports == [2], _LONG_SECONDS)
    assert not starts


@pytest.mark.timeout(120)
def test_fronts_end_although_one_does_not_come_up_again(starts: list[Start]) -> None:
    starts += [program(_SERVES.format(port=port)) for port in (1, 2)] + [program(_NEVER_SERVES)]
    with Workers(b"settings\n", 2) as workers:
        first = workers.processes()[0]
        os.kill(first, signal.SIGKILL)
        until(lambda: workers.processes()[0] != first, _LONG_SECONDS)
        ending = threading.Thread(target=workers.stop, daemon=True)
        ending.start()
        try:
            ending.join(_LONG_SECONDS)
            assert not ending.is_alive()
        finally:
            for process in workers.processes() if ending.is_alive() else ():
                os.kill(process, signal.SIGKILL)


@pytest.mark.timeout(120)
def test_fronts_end_when_another_cannot_be_started(starts: list[Start]) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def first(*args: Any, **options: Any) -> "subprocess.Popen[bytes]":
        started.append(program(_SERVES.format(port=1))(*args, **options))
        return started[0]

    starts += [first, no_memory]
    with pytest.raises(OSError, match="Cannot allocate"), Workers(b"settings\n", 2):
        pass
    assert started[0].returncode == 0
