"""Brings the schema to the revision this program knows, and tells when it differs.

Rule: everything happens in one transaction that holds one advisory lock, so that any number of
processes may migrate at once: the first does it, the others find it done. A schema change is made
in steps (docs/decisions/migrations.md): expand first, contract a release later. Which programs may
still run on the schema is noted in the database, so that an older one can know it: a migration that
takes away what they use has `oldest_program`, the newest revision of the oldest that may go on.
"""

from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.schema import MetaData, SetTableComment, Table

from gongji_svc.storage.migrations import rights

_ADVISORY_LOCK = 0x676F6E676A69  # "gongji" in ASCII
_NOTE = "oldest program: "  # a comment on the table that has the revision
_SCRIPTS = Path(__file__).with_name("migrations")


class SchemaMismatch(Exception):
    """The database's schema is not the one this program knows; the message names the remedy."""


def migrate(owner_url: str, *, runtime_role: str) -> None:
    """Upgrade to the newest revision by the owner's role; safe from several processes at once.

    `runtime_role` receives the rights that the migrations grant. SchemaMismatch when the schema
    is newer than this program and not for it; one that is newer and for it stays as it is.
    """
    engine = sqlalchemy.create_engine(_sqlalchemy_url(owner_url), poolclass=sqlalchemy.NullPool)
    with engine.begin() as tx:
        tx.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        if schema_revision(tx) not in {None, *_known_revisions()}:
            check_schema(tx)
            return
        command.upgrade(_config(tx, runtime_role=runtime_role), "head")
        _note_oldest_program(tx)
        rights.grant(tx, runtime_role, "alembic_version", "SELECT")


def code_revision() -> str | None:
    """The newest revision this program brings, None before the first."""
    return _scripts().get_current_head()


def schema_revision(tx: sqlalchemy.Connection) -> str | None:
    """The revision the database is at, None before the first migration."""
    return MigrationContext.configure(tx).get_current_revision()


def check_schema(tx: sqlalchemy.Connection) -> None:
    """SchemaMismatch unless the schema is the one this program knows, or a newer one on which it
    may go on.
    """
    found, known = schema_revision(tx), code_revision()
    if found == known:
        return
    if found is not None and found not in _known_revisions():
        # Only a newer release can have noted a revision that we don't know.
        if _noted_oldest_program(tx) in _known_revisions():
            return
        raise SchemaMismatch(_newer(found))
    raise SchemaMismatch(
        f"the database's schema is at revision {found or 'none'}, this program needs {known}: "
        "run `gongji migrate`"
    )


def new_revision(owner_url: str, message: str, metadata: MetaData) -> Path:
    """Write the next migration by comparing `metadata` with a database that is up to date."""
    number = len(_known_revisions()) + 1
    engine = sqlalchemy.create_engine(_sqlalchemy_url(owner_url), poolclass=sqlalchemy.NullPool)
    with engine.begin() as tx:
        if schema_revision(tx) != code_revision():
            raise SchemaMismatch(_newer(schema_revision(tx)))
        config = _config(tx, runtime_role="")
        config.attributes["metadata"] = metadata
        script = command.revision(config, message, autogenerate=True, rev_id=f"{number:04}")
    if script is None or isinstance(script, list):
        raise SchemaMismatch("no migration was written")
    return Path(script.path)


def _newer(found: str | None) -> str:
    return (
        f"the database's schema is at revision {found}, which this program does not know: it is "
        "older than the release that ran `gongji migrate` last; start that release or a newer one"
    )


def _oldest_program() -> str | None:
    """The oldest program that may run on the schema that this one makes, by its newest revision."""
    for script in _scripts().walk_revisions():
        declared: str | None = getattr(script.module, "oldest_program", None)
        if declared is not None:
            return declared
    return _scripts().get_base()


def _note_oldest_program(tx: sqlalchemy.Connection) -> None:
    if _noted_oldest_program(tx) != _oldest_program():
        note = f"{_NOTE}{_oldest_program()}"
        tx.execute(SetTableComment(Table("alembic_version", MetaData(), comment=note)))


def _noted_oldest_program(tx: sqlalchemy.Connection) -> str | None:
    """The revision that is noted; None in a database that no release has noted one in."""
    note = sqlalchemy.text("SELECT obj_description(to_regclass('alembic_version'), 'pg_class')")
    return str(tx.scalar(note) or "").removeprefix(_NOTE) or None


def _known_revisions() -> set[str]:
    return {script.revision for script in _scripts().walk_revisions()}


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config(tx: sqlalchemy.Connection | None = None, *, runtime_role: str = "") -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "r%%(rev)s_%%(slug)s")
    config.attributes["connection"] = tx
    config.attributes["runtime_role"] = runtime_role
    return config


def _sqlalchemy_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://", 1)
