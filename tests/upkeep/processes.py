"""Processes that work with rules of a test's own, and how one is killed in the middle.

Rule: the middle of a transaction is told by the database: the process waits, in it, for a table
that the test has locked.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg

from gongji_svc import regions
from gongji_svc.storage.database import Database
from tests.commands.program import program
from tests.end_to_end.service import until
from tests.services.rules import SINCE
from tests.upkeep import working

Process = subprocess.Popen[str]

_SECONDS = 60
_WAITING = """SELECT EXISTS (SELECT FROM pg_locks
              WHERE NOT granted AND relation = to_regclass(%s)
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"""


def rules_in(folder: Path, stated: Mapping[str, Mapping[str, object]]) -> Path:
    """A folder with the files of all regions, where some state more since SINCE: by region, values
    by their places ("order.kind").
    """
    shutil.copytree(regions.DIRECTORY, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for region, values in stated.items():
        with (folder / f"{region}.toml").open("a", encoding="utf-8") as file:
            file.write(f"\n[[block]]\neffective_from = {SINCE}\n")
            for place, value in values.items():
                said = f'{{ value = {json.dumps(value)}, source = "test" }}'
                file.write(f"{place} = {said}\n")
    return folder


def worker(
    database: Database, folder: Path, rules: Path, *how: str, **settings: str
) -> AbstractContextManager[Process]:
    """A process that works with these rules; --once: until nothing is due."""
    return program(database, folder, str(working.__file__), str(rules), *how, **settings)


def kill_when(process: Process, true: Callable[[], bool]) -> None:
    """Kill it as soon as something has happened."""
    until(true, _SECONDS)
    process.kill()
    process.wait()


@contextmanager
def unwritable(database: Database, table: str) -> Iterator[Callable[[], bool]]:
    """Until the end of the block nobody writes to a table; answers whether somebody waits to."""
    with psycopg.connect(database.owner_url or "") as holding, database.connect() as looking:
        looking.autocommit = True
        holding.execute(f"LOCK TABLE {table} IN SHARE MODE".encode())

        def waited_for() -> bool:
            return looking.execute(_WAITING, [table]).fetchone() == (True,)

        yield waited_for
        holding.rollback()
