"""Commands of `gongji`, and what else works on a test's database, as programs of their own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gongji_svc.storage.database import Database
from tests.end_to_end.service import free_address
from tests.families import KEYS


@contextmanager
def gongji(
    database: Database, folder: Path, *arguments: str, **settings: str
) -> Iterator["subprocess.Popen[str]"]:
    """A command of its own process; whatever is left of it at the end is killed."""
    with program(database, folder, "-m", "gongji_svc.cli", *arguments, **settings) as process:
        yield process


@contextmanager
def program(
    database: Database, folder: Path, *arguments: str, **settings: str
) -> Iterator["subprocess.Popen[str]"]:
    """As `gongji`, of any program that Python is told of by these arguments."""
    keys = folder / "keys"
    keys.write_text(KEYS.dump())
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GONGJI_")}
    usual = {
        "GONGJI_DATABASE_URL": database.runtime_url,
        "GONGJI_MIGRATE_URL": database.owner_url,
        "GONGJI_DATA_DIR": str(folder),
        "GONGJI_DATA_KEY": str(keys),
        "GONGJI_GRPC_LISTEN": free_address(),
        "GONGJI_HTTP_LISTEN": free_address(),
        "GONGJI_WORKERS": "1",
    }
    with subprocess.Popen(
        [sys.executable, *arguments],
        env={**clean, **usual, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()
