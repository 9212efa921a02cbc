"""Measures what waits in the database, once a minute, for whoever looks at `gongji work`.

Rule: every worker measures the same, so any one of them tells all; nobody else measures.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gongji_svc.services.office import Office
from gongji_svc.signals.catalogue import Figure
from gongji_svc.storage.audit_result import read_result
from gongji_svc.storage.figures import Measured, measure


@dataclass(slots=True)
class Measuring:
    """The figures as they were measured last, and the last audit."""

    audit_file: Path | None = None
    _last: Measured | None = None
    _is_up: bool = False

    def measure(self, office: Office) -> int:
        """A job: measure once; there is never more to do."""
        self._is_up = False
        oldest = None if self._last is None else self._last.oldest_unsealed
        with office.database.reader() as tx:
            self._last = measure(tx, office.clock_offset, oldest)
        self._is_up = True
        return 0

    def __iter__(self) -> Iterator[Figure]:
        """The figures as they are just now."""
        yield "gongji_database_up", {(): self._is_up}
        yield from self._last or ()
        result = None if self.audit_file is None else read_result(self.audit_file)
        if result is not None:
            yield "gongji_audit_ok", {(): result.is_whole}
            yield "gongji_audit_timestamp_seconds", {(): result.ended_at.timestamp()}
