"""A writer that can't be started again at once."""

import asyncio
import errno
import os
import signal
import subprocess
from typing import Any

import pytest

from gongji_svc.pipe import Settings
from gongji_svc.storage.database import Database
from gongji_svc.writer_process import WriterProcess
from tests.families import KEYS

_START = subprocess.Popen


@pytest.mark.timeout(60)
def test_a_writer_that_cannot_be_started_for_want_of_memory_is_tried_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[object] = []

    def start_at_the_third_time(*args: Any, **options: Any) -> object:
        tried.append(args)
        if len(tried) < 3:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return _START(*args, **options)

    async def run() -> None:
        changes: asyncio.Queue[bool] = asyncio.Queue()
        settings = Settings(database.runtime_url, 5, KEYS.dump(), 0.0)
        writer = WriterProcess(settings, lambda: changes.put_nowait(writer.ready), lambda _: None)
        await writer.start()
        assert await changes.get()
        assert writer._process is not None
        monkeypatch.setattr(subprocess, "Popen", start_at_the_third_time)
        os.kill(writer._process.pid, signal.SIGKILL)
        assert not await changes.get()
        assert await changes.get()
        await writer.close(20)

    asyncio.run(run())
    assert len(tried) == 3
