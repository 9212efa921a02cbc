"""The program `gongji`: commands, exit status and what it says when something is wrong."""

import os
import subprocess
import sys
from pathlib import Path

from gongji_svc.cli import COMMANDS
from gongji_svc.storage.database import Database


def gongji(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GONGJI_")}
    return subprocess.run(
        [sys.executable, "-m", "gongji_svc.cli", *arguments],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_help_lists_every_command() -> None:
    done = gongji("--help")
    assert done.returncode == 0
    assert all(f"    {command} " in done.stdout for command in COMMANDS)


def test_every_command_explains_its_arguments() -> None:
    for command in COMMANDS:
        done = gongji(command, "--help")
        assert (done.returncode, done.stderr) == (0, ""), command


def test_an_unknown_command_is_the_users_error() -> None:
    assert gongji("settle-everything").returncode == 2


def test_a_wrong_setting_is_one_line_and_no_stack() -> None:
    done = gongji("status", GONGJI_WORKERS="many")
    assert done.returncode == 2
    assert done.stderr.startswith("gongji: GONGJI_WORKERS: ")
    assert done.stderr.count("\n") == 1


def test_a_database_out_of_reach_is_one_line_and_no_stack() -> None:
    done = gongji("status", GONGJI_DATABASE_URL="postgresql://127.0.0.1:1/x")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_a_folder_that_cant_be_used_is_one_line_and_no_stack(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    done = gongji("token", "--role", "audit", "--subject", "150100", GONGJI_DATA_DIR=str(loop))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert str(loop) in done.stderr


def test_status_on_an_empty_folder_starts_the_embedded_database_and_names_the_remedy(
    reachable_path: Path,
) -> None:
    done = gongji("status", GONGJI_DATA_DIR=str(reachable_path))
    assert done.returncode == 1
    assert "embedded, PostgreSQL 18" in done.stdout
    assert "gongji migrate" in done.stdout


def test_migrate_brings_the_schema_and_status_counts_its_rows(empty_database: Database) -> None:
    addresses = {
        "GONGJI_DATABASE_URL": empty_database.runtime_url,
        "GONGJI_MIGRATE_URL": empty_database.owner_url,
    }
    migrated = gongji("migrate", **addresses)
    assert (migrated.returncode, migrated.stderr) == (0, "")
    done = gongji("status", **addresses)
    assert done.returncode == 0
    assert "persons" in done.stdout
