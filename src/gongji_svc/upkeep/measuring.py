"""Measures what waits in the database, once a minute, for whoever looks at `gongji work`.

Rule: every worker measures the same, so any one of them tells all; nobody else measures.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gongji_svc.services.office import Office
from gongji_svc.signals.catalogue import Figure
from gongji_svc.storage.audit_result import read_result
from gongji_svc.storage.figures import Measured, measure
from gongji_svc.storage.keycheck import KeyCheck, known_data_keys


@dataclass(slots=True)
class Measuring:
    """The figures as they were measured last, which data keys are needed, and the last audit."""

    audit_file: Path | None = None
    _last: Measured | None = None
    _data_keys: Mapping[int, KeyCheck] = field(default_factory=dict)
    _is_up: bool = False

    def measure(self, office: Office) -> int:
        """A job: measure once; there is never more to do."""
        self._is_up = False
        oldest = None if self._last is None else self._last.oldest_unsealed
        with office.database.reader() as tx:
            self._last = measure(tx, office.clock_offset, oldest)
            self._data_keys = known_data_keys(tx)
        self._is_up = True
        return 0

    def __iter__(self) -> Iterator[Figure]:
        """The figures as they are just now."""
        yield "gongji_database_up", {(): self._is_up}
        yield from self._last or ()
        keys = self._data_keys.items()
        yield "gongji_data_key_needed", {(str(one),): not kept.is_retired for one, kept in keys}
        result = None if self.audit_file is None else read_result(self.audit_file)
        if result is not None:
            yield "gongji_audit_ok", {(): result.is_whole}
            yield "gongji_audit_timestamp_seconds", {(): result.ended_at.timestamp()}
