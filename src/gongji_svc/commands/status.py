"""`gongji status`: what the database is, which schema it has and how much it holds."""

import argparse

from gongji_svc.config import Config
from gongji_svc.storage import migrate
from gongji_svc.storage.database import Database, row_counts, server_version


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`gongji status` takes no arguments."""
    parser.epilog = "Exit status 1: the schema is not the one this program knows."


def run(args: argparse.Namespace, config: Config) -> int:  # noqa: ARG001  # commands take both
    """Print one line a fact; 1 when the schema is not the one this program knows."""
    with Database.open(config) as database, database.reader() as tx:
        where = "embedded" if config.database_url is None else "configured"
        print(f"database  {where}, PostgreSQL {server_version(tx)}")
        print(f"schema    {migrate.schema_revision(tx) or 'none'}")
        try:
            migrate.check_schema(tx)
        except migrate.SchemaMismatch as mismatch:
            print(f"          {mismatch}")
            return 1
        for name, rows in row_counts(tx).items():
            print(f"{name:<24}{rows:>12}")
    return 0
