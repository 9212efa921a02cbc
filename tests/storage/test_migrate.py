"""Migrations: safe from many processes, what tables.py describes, checked at start."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from gongji_svc.storage import migrate, tables
from gongji_svc.storage.database import Database
from gongji_svc.storage.migrate import SchemaMismatch

_MIGRATE = """
import sys
from gongji_svc.storage import migrate
migrate.migrate(sys.argv[1], runtime_role=sys.argv[2])
"""

_CATALOGUE = """
SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
UNION ALL
SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT attrelid::regclass || ' ' || attname || ' ' || format_type(atttypid, atttypmod)
    || ' ' || attnotnull || ' ' || coalesce(reloptions::text, '')
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
    AND attnum > 0 AND relname <> 'alembic_version'
EXCEPT
SELECT indexdef FROM pg_indexes WHERE tablename = 'alembic_version'
EXCEPT
SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
FROM pg_constraint WHERE conrelid = to_regclass('alembic_version')
"""


def test_the_migrated_schema_is_the_one_that_the_tables_describe(database: Database) -> None:
    with Database(database.owner_url) as owned, owned.reader() as tx:
        context = MigrationContext.configure(tx, opts={"compare_server_default": True})
        assert compare_metadata(context, tables.metadata) == []


def test_migrations_and_tables_make_the_same_constraints_indexes_and_storage_options(
    database: Database, empty_database: Database
) -> None:
    with Database(empty_database.owner_url) as owned, owned.transaction() as tx:
        tables.metadata.create_all(tx)
    assert catalogue(database) == catalogue(empty_database)


def catalogue(database: Database) -> set[str]:
    """What PostgreSQL itself says of every table; Alembic compares no checks and no options."""
    with database.reader() as tx:
        return set(tx.scalars(text(_CATALOGUE)))


def test_four_processes_migrate_at_once_and_all_succeed(empty_database: Database) -> None:
    command = [sys.executable, "-c", _MIGRATE]
    arguments = [empty_database.owner_url, empty_database.runtime_role]
    processes = [subprocess.Popen([*command, *arguments]) for _ in range(4)]
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    with empty_database.reader() as tx:
        migrate.check_schema(tx)


def test_migrating_twice_changes_nothing(database: Database) -> None:
    database.migrate()
    with database.reader() as tx:
        migrate.check_schema(tx)


def test_a_schema_that_is_behind_names_the_command(empty_database: Database) -> None:
    with (
        pytest.raises(SchemaMismatch, match=r"revision none.*run `gongji migrate`"),
        empty_database.reader() as tx,
    ):
        migrate.check_schema(tx)


@pytest.fixture
def release(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], None]:
    """Have a release migrate the database that has one revision more than this program."""

    def migrate_by(revision: str, declares: str) -> None:
        scripts = tmp_path / revision
        shutil.copytree(migrate._SCRIPTS, scripts)
        (scripts / "versions" / f"r{revision}_next.py").write_text(
            f'revision = "{revision}"\ndown_revision = "{migrate.code_revision()}"\n'
            f"{declares}\n\ndef upgrade() -> None:\n    pass\n"
        )
        with monkeypatch.context() as patched:
            patched.setattr(migrate, "_SCRIPTS", scripts)
            database.migrate()
            with database.reader() as tx:
                migrate.check_schema(tx)

    return migrate_by


def expect_refused(database: Database) -> None:
    with pytest.raises(SchemaMismatch, match="9999, which this program does not know"):
        database.migrate()
    with (
        pytest.raises(SchemaMismatch, match="9999, which this program does not know"),
        database.reader() as tx,
    ):
        migrate.check_schema(tx)


def test_the_release_before_goes_on_where_the_schema_was_only_expanded(
    database: Database, release: Callable[[str, str], None]
) -> None:
    release("9999", "")
    with database.reader() as tx:
        migrate.check_schema(tx)
    database.migrate()
    with database.reader() as tx:
        assert migrate.schema_revision(tx) == "9999"


def test_a_release_whose_part_of_the_schema_is_gone_is_refused(
    database: Database, release: Callable[[str, str], None]
) -> None:
    release("9999", 'oldest_program = "9999"')
    expect_refused(database)


def test_the_release_that_no_longer_uses_what_is_gone_goes_on(
    database: Database, release: Callable[[str, str], None]
) -> None:
    release("9999", f'oldest_program = "{migrate.code_revision()}"')
    with database.reader() as tx:
        migrate.check_schema(tx)


def test_a_newer_schema_without_a_note_is_refused_and_left_alone(
    database: Database, release: Callable[[str, str], None]
) -> None:
    release("9999", "")
    with Database(database.owner_url) as owned, owned.transaction() as tx:
        tx.execute(text("COMMENT ON TABLE alembic_version IS NULL"))
    expect_refused(database)


def test_the_oldest_program_is_a_revision_and_never_gets_older() -> None:
    known = [script.revision for script in migrate._scripts().walk_revisions()][::-1]
    declared = [
        known.index(script.module.oldest_program)
        for script in migrate._scripts().walk_revisions()
        if hasattr(script.module, "oldest_program")
    ]
    assert declared == sorted(declared, reverse=True)


def test_a_migration_that_fails_leaves_the_schema_as_it_was(empty_database: Database) -> None:
    with Database(empty_database.owner_url) as owned, owned.transaction() as tx:
        # The first migration makes a table of this name: it cannot.
        tx.execute(text("CREATE TABLE accounts ()"))
    with pytest.raises(Exception, match="already exists"):
        empty_database.migrate()
    with Database(empty_database.owner_url) as owned, owned.reader() as tx:
        found = text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        assert list(tx.scalars(found)) == ["accounts"]


def test_one_role_may_both_migrate_and_serve(empty_database: Database) -> None:
    with Database(empty_database.owner_url) as single:
        single.migrate()
        with single.reader() as tx:
            migrate.check_schema(tx)
