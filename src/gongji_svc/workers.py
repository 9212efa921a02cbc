"""Runs fronts as child processes: starts them, watches them, ends them.

Rule: a front that dies is started again, and tried until it starts; all fronts listen on the same
port. A front ends when its standard input closes, so none outlives its parent.
"""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import structlog

_log = structlog.get_logger()

_PAUSE_SECONDS = 0.5
_STOP_SECONDS = 45.0  # longer than a front drains, less than an orchestrator waits


@dataclass(slots=True)
class Workers:
    """Some fronts with the same settings (`server.FrontSettings.dump()`)."""

    settings: bytes
    count: int
    ports: list[int] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _watchers: list[threading.Thread] = field(default_factory=list)
    _running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    _changing: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        try:
            for number in range(self.count):
                port = self._start(number)
                if port is None:
                    raise RuntimeError("a front did not start; its log says why")
                self.ports.append(port)
                watcher = threading.Thread(target=self._watch, args=(number,), daemon=True)
                self._watchers.append(watcher)
                watcher.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Let all fronts drain at once, and wait for them; who takes too long is killed."""
        self._stopping.set()
        with self._changing:
            running = list(self._running.values())
        for process in running:
            if process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):  # it ended before it had its settings
                    process.stdin.close()
        until = time.monotonic() + _STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def processes(self) -> Sequence[int]:
        """The process ids of the fronts."""
        return [process.pid for process in list(self._running.values())]

    def _start(self, number: int) -> int | None:
        """Start one front; its port, or None when it did not come up or all are to end."""
        with self._changing:
            if self._stopping.is_set():
                return None
            process = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
                [sys.executable, "-m", "gongji_svc.server", str(number)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is the parent's to hear
            )
            self._running[number] = process
            assert process.stdin is not None and process.stdout is not None  # noqa: S101 - both are pipes
            process.stdin.write(self.settings)
            process.stdin.flush()
        # It says its port when its writers are ready; whoever ends the fronts need not wait for it.
        line = process.stdout.readline()
        return int(line) if line.strip() else None

    def _watch(self, number: int) -> None:
        while True:
            self._running[number].wait()
            if self._stopping.wait(_PAUSE_SECONDS):
                return
            _log.error("a front is gone, starting another", front=number)
            try:
                self.ports[number] = self._start(number) or self.ports[number]
            except OSError as fault:  # want of memory, say, which ended the one before
                _log.error("no front can be started, trying again", front=number, error=repr(fault))
