"""Files that are read again when they change, without a restart.

Rule: what can't be used as a whole is told in the log and not taken: what was last right goes on.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import structlog

_log = structlog.get_logger()

T = TypeVar("T")
Stamp = tuple[int, int, int] | None


class Unusable(Exception):
    """What a file or an address holds can't be used; the message names it and says why."""


class Watched(Generic[T]):
    """What `read` makes of these files: `current`, and when they were last seen to hold it, in Unix
    seconds: `good_at`. The first reading may raise Unusable.
    """

    def __init__(self, paths: Sequence[Path], read: Callable[[], T]) -> None:
        self._paths = paths
        self._read = read
        self._seen = self._stamps()
        self.current = read()
        self._is_good = True
        self.good_at = time.time()

    def look(self) -> None:
        """Read again if a file is another than when it was last read."""
        stamps = self._stamps()
        if stamps != self._seen:
            self._seen = stamps
            self._is_good = self._take()
        if self._is_good:
            self.good_at = time.time()

    def _take(self) -> bool:
        files = [str(path) for path in self._paths]
        try:
            self.current = self._read()
        except Unusable as wrong:
            _log.error("a changed file is not used", files=files, why=str(wrong))
            return False
        _log.info("a changed file is used", files=files)
        return True

    def _stamps(self) -> list[Stamp]:
        return [_stamp(path) for path in self._paths]


def content(path: Path) -> bytes:
    """All of a file; Unusable when it can't be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unusable(f"{path} can't be read: {error.strerror}") from error


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
