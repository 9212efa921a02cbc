"""`gongji migrate`: bring the database's schema to what this program knows."""

import argparse

from gongji_svc.config import Config
from gongji_svc.storage import migrate, tables
from gongji_svc.storage.database import Database


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `gongji migrate` takes."""
    parser.add_argument(
        "--new",
        metavar="MESSAGE",
        help="for developers: write the next migration from what storage/tables adds",
    )


def run(args: argparse.Namespace, config: Config) -> int:
    """Migrate, and with --new write the next migration file."""
    with Database.open(config) as database:
        database.migrate()
        if args.new:
            path = migrate.new_revision(database.owner_url, args.new, tables.metadata)
            print(f"wrote {path}: read it, add the run-time role's rights, then run ruff format")
        else:
            with database.reader() as tx:
                print(f"the schema is at revision {migrate.schema_revision(tx) or 'none'}")
    return 0
