"""The file of seals, outside the database: a line a block, so that nobody can rewrite the database
unseen.

Rule: the file has every block of every region, in order; it is only appended to, by one process at
a time, and a block's line is written after the block's commit. What is missing, or was torn by a
crash, is written at the next occasion.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

import sqlalchemy

from gongji_svc.storage.seals import Block, blocks_after

_BLOCKS_AT_ONCE = 1000
_OWN = partial(os.open, mode=0o600)  # of a new file: its owner may open it to others


@dataclass(frozen=True, slots=True)
class Head:
    """A line of the file: the hash that a block had when it was sealed."""

    line: int
    region: str
    block_no: int
    hash: bytes


def read_heads(path: Path, size_bytes: int) -> Iterator[Head | int]:
    """The lines within the first `size_bytes` of a file; of one that can't be read, its number."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if file.tell() > size_bytes:
                return
            yield _head(line, number) or number


def _head(line: bytes, number: int) -> Head | None:
    try:
        said = json.loads(line)
        return Head(number, said["region"], int(said["block_no"]), bytes.fromhex(said["hash"]))
    except (ValueError, KeyError, TypeError):
        return None


def _line(block: Block) -> bytes:
    said = {
        "region": block.region,
        "block_no": block.block_no,
        "hash": block.hash.hex(),
        "entries": block.entry_count,
        "sealed_at": block.sealed_at.isoformat(),
    }
    return json.dumps(said).encode() + b"\n"


@dataclass(slots=True)
class SealFile:
    """The file as one process knows it."""

    path: Path
    _last: dict[str, int] = field(default_factory=dict)  # the last block of each region
    _known_bytes: int = 0
    _inode: int = 0

    def catch_up(self, tx: sqlalchemy.Connection, region: str) -> int:
        """Append the blocks of a region that the file has not; durable when this returns. How
        many; OSError where the file can't be written.
        """
        told = 0
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a+b", opener=_OWN) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._read_on(file)
            while blocks := blocks_after(tx, region, self._last.get(region, 0), _BLOCKS_AT_ONCE):
                file.write(b"".join(map(_line, blocks)))
                file.flush()
                os.fsync(file.fileno())
                self._last[region] = blocks[-1].block_no
                told += len(blocks)
            self._known_bytes = file.tell()
        return told

    def _read_on(self, file: IO[bytes]) -> None:
        """Take in what others appended; from the start when it is another file than it was."""
        found = os.fstat(file.fileno())
        if found.st_ino != self._inode or found.st_size < self._known_bytes:
            self._inode, self._known_bytes = found.st_ino, 0
            self._last.clear()
        file.seek(self._known_bytes)
        line = b"\n"
        for line in file:
            head = _head(line, 0)
            if head is not None:
                self._last[head.region] = max(head.block_no, self._last.get(head.region, 0))
        if not line.endswith(b"\n"):
            file.write(b"\n")  # torn: its block is written again
