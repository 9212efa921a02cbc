"""`gongji audit`: whether the books are whole, and are what was sealed."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TaskID

from gongji_svc.commands import UsageError
from gongji_svc.config import Config
from gongji_svc.storage.audit_checks import Audit
from gongji_svc.storage.audit_result import AuditResult, result_beside, write_result
from gongji_svc.storage.database import Database


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to check, and what to compare it with."""
    parser.add_argument("what", nargs="?", choices=["verify"], help="the same as without")
    parser.add_argument(
        "--head",
        type=Path,
        metavar="FILE",
        help="a copy of the file of seals, and the result is not kept for `gongji status`; else "
        "the one of GONGJI_SEAL_FILE, where there is one",
    )
    parser.add_argument("--region", help="6 digits; else every region")
    parser.epilog = "What is checked: docs/decisions/seals.md. Exit status 1: something differs."


def run(args: argparse.Namespace, config: Config) -> int:
    """Check everything as it stands at one moment, and say what differs, a line each."""
    heads = _heads(args.head, config.seal_file)
    differences = False
    with Database.open(config) as database, _bar() as progress:
        audit = Audit(database, _Watcher(progress), args.region, heads)
        for finding in audit.run():
            differences |= not finding.is_note
            print("note:" if finding.is_note else "difference:", finding.what)
    print("checked", ", ".join(f"{number} {what}" for what, number in audit.checked.items()))
    print("something differs" if differences else "no difference")
    if args.head is None and (differences or args.region is None):
        _keep(config.seal_file, AuditResult(datetime.now(UTC), not differences))
    return 1 if differences else 0


def _keep(seal_file: Path | None, result: AuditResult) -> None:
    """Leave the result where `gongji work` and `gongji status` look for it, if they do here."""
    if seal_file is None or not seal_file.parent.is_dir():
        return
    try:
        write_result(result_beside(seal_file), result)
    except OSError as error:
        print(f"the result can't be kept: {error}", file=sys.stderr)


def _heads(named: Path | None, usual: Path | None) -> Path | None:
    """The file of seals to compare with; one that is named must be there."""
    if named is not None and not named.is_file():
        raise UsageError(f"--head {named}: there is no such file")
    return named or (usual if usual is not None and usual.is_file() else None)


def _bar() -> Progress:
    # A terminal gets the lines above the bar; a file gets them as they are.
    return Progress(
        console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()
    )


class _Watcher:
    """Shows the part that is checked as a bar."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def begin(self, part: str, entries: int | None) -> None:
        """Another bar."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(part, total=entries)

    def advance(self, entries: int) -> None:
        """Move the bar on."""
        if self._task is not None:
            self._progress.advance(self._task, entries)
