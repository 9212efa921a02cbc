"""Tells the fronts that there may be new entries, beside the writer's work.

Rule: hints are sent by a thread and a connection of their own, at most ten a second however many
batches there are. A hint that can't be sent is dropped: whoever watches looks by itself in time.
"""

import threading
import time

import psycopg
import structlog

from gongji_svc.storage.database import Database, DatabaseUnavailable
from gongji_svc.storage.entry_watch import send_hint
from gongji_svc.storage.statements import Tx

_log = structlog.get_logger()

_PAUSE_SECONDS = 0.1
_PAUSE_AFTER_FAILURE_SECONDS = 1.0


class Hints:
    """Sends hints for as long as the process runs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Tx | None = None
        self._wanted = threading.Event()
        threading.Thread(target=self._work, name="hints", daemon=True).start()

    def want(self) -> None:
        """Have a hint sent soon; costs the caller next to nothing."""
        self._wanted.set()

    def _work(self) -> None:
        while self._wanted.wait():
            self._wanted.clear()
            try:
                send_hint(self._open())
            except (psycopg.Error, DatabaseUnavailable) as lost:
                _log.warning("a hint of new entries is lost", error=repr(lost))
                time.sleep(_PAUSE_AFTER_FAILURE_SECONDS)
            time.sleep(_PAUSE_SECONDS)

    def _open(self) -> Tx:
        if self._connection is None or self._connection.closed:
            self._connection = self._database.connect()
            self._connection.autocommit = True
        return self._connection
