"""The program `gongji`: finds the command, reads the configuration, runs it.

Rule: a command is listed in `COMMANDS` and lives in `commands/`; its module is imported only when
it runs. What the user can put right is one line on standard error and exit status 2.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

from gongji_svc.commands import UsageError
from gongji_svc.config import Config, ConfigurationError

COMMANDS = {
    "up": "bring up everything on this machine; with --demo, people of three regions",
    "serve": "serve gRPC on a migrated database",
    "gateway": "serve HTTP and the web client beside a running gRPC service",
    "work": "do what comes due: bindings, holds, seals, the year-end move, premiums to be told",
    "demo": "show a family at work in what `gongji up --demo` serves",
    "token": "print a development token",
    "preview": "decide worked examples (YAML or JSON) with the code that settles",
    "audit": "check that the books are whole and are what was sealed",
    "load": "load a CSV file of people, places, accounts, prices or allocations",
    "migrate": "bring the database's schema to what this program knows",
    "rekey": "seal everything with the current data key, while the service serves",
    "status": "show the database, its schema and how much it holds",
}

_INTERRUPTED = 130  # what a shell reports after Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 refused by the data, 2 user's error."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Exception as error:
        if not isinstance(error, _user_errors()):
            raise
        print(f"gongji: {error}", file=sys.stderr)
        return 2


def _run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="gongji", description="家庭共济: family mutual aid for medical-insurance accounts"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if name == chosen:
            importlib.import_module(f"gongji_svc.commands.{name}").add_arguments(command)
    args = parser.parse_args(arguments)
    module = importlib.import_module(f"gongji_svc.commands.{args.command}")
    return int(module.run(args, Config.from_environment()))


def _user_errors() -> tuple[type[Exception], ...]:
    """What the user can put right. Storage is imported only now: `gongji --help` stays quick."""
    from gongji_svc.storage.database import DatabaseTooOld, DatabaseUnavailable
    from gongji_svc.storage.embedded_files import EmbeddedDatabaseError
    from gongji_svc.storage.keycheck import KeysDiffer
    from gongji_svc.storage.migrate import SchemaMismatch
    from gongji_svc.storage.sealing import KeyFileInvalid

    return (
        UsageError,
        ConfigurationError,
        DatabaseUnavailable,
        DatabaseTooOld,
        EmbeddedDatabaseError,
        SchemaMismatch,
        KeyFileInvalid,
        KeysDiffer,
        OSError,  # files, folders and ports: not there, not ours, full, not to be written
    )


if __name__ == "__main__":
    sys.exit(main())
