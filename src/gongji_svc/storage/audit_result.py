"""What the last `gongji audit` came to, in a file beside the file of seals.

Rule: an audit only reads the database, which may be a standby, so its result lies outside. An audit
of one region that finds nothing says nothing of the others and is not kept; nor is one against
another file of seals, which speaks of that file.
"""

import contextlib
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

_NAME = "audit.json"


@dataclass(frozen=True, slots=True)
class AuditResult:
    """When the last audit ended, and whether it found no difference."""

    ended_at: datetime
    is_whole: bool


def result_beside(seal_file: Path) -> Path:
    """Where the result lies."""
    return seal_file.with_name(_NAME)


def write_result(path: Path, result: AuditResult) -> None:
    """Replace the result; OSError where it can't be written."""
    told = {"ended_at": result.ended_at.isoformat(), "ok": result.is_whole}
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        beside.write_text(json.dumps(told) + "\n")
        beside.replace(path)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def read_result(path: Path) -> AuditResult | None:
    """The result; None where there is none that can be read."""
    try:
        told = json.loads(path.read_text())
        return AuditResult(datetime.fromisoformat(told["ended_at"]), bool(told["ok"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
