"""`gongji status`: what the database is, how much it holds, what waits in it, which data keys are
needed, and how the processes are that serve it.
"""

import argparse
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from gongji_svc.config import Config
from gongji_svc.signals.reading import read_port
from gongji_svc.storage import migrate
from gongji_svc.storage.audit_result import read_result, result_beside
from gongji_svc.storage.database import Database, DatabaseUnavailable, row_counts, server_version
from gongji_svc.storage.figures import Measured, measure
from gongji_svc.storage.keycheck import KeyCheck, known_data_keys

_NO_PORT = "GONGJI_METRICS_LISTEN names no port, so the processes can't be asked"
_NOBODY = "no process answers on the ports of GONGJI_METRICS_LISTEN"
_TIME, _DURATION = "_timestamp_seconds", "_seconds"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """In which form."""
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.epilog = (
        "Exit status 1: the schema is not the one this program knows; 2: the database is away, "
        "and only the processes are shown."
    )


def run(args: argparse.Namespace, config: Config) -> int:
    """Print what there is to know; 1 when the schema is not the one this program knows.
    DatabaseUnavailable, when the processes are printed, where it is.
    """
    away = None
    try:
        told = _held(config)
    except DatabaseUnavailable as error:
        away, told = error, {"database": "away"}
    told["processes"] = dict(_processes(config))
    if args.json:
        print(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        _show(told, _NO_PORT if config.metrics_listen is None else _NOBODY)
    if away is not None:
        raise away
    return 1 if "remedy" in told else 0


def _held(config: Config) -> dict[str, Any]:
    """What the database tells."""
    told: dict[str, Any] = {}
    with Database.open(config) as database, database.reader() as tx:
        where = "embedded" if config.database_url is None else "configured"
        told["database"] = f"{where}, PostgreSQL {server_version(tx)}"
        told["schema"] = migrate.schema_revision(tx) or "none"
        try:
            migrate.check_schema(tx)
        except migrate.SchemaMismatch as mismatch:
            told["remedy"] = str(mismatch)
        else:
            if told["schema"] != migrate.code_revision():
                told["schema"] += f", newer than this program's {migrate.code_revision()}"
            told["waiting"] = {**_figures(measure(tx, timedelta())), "audit": _audit(config)}
            known = sorted(known_data_keys(tx).items())
            told["data_keys"] = {f"data key {key_id}": _key(check) for key_id, check in known}
            told["rows"] = row_counts(tx)
    return told


def _figures(measured: Measured) -> dict[str, object]:
    return {name: values[()] for name, values in measured}


def _key(check: KeyCheck) -> str:
    """Whether the key file must have it."""
    if check.is_retired:
        return "may be taken out of the key file"
    return "closed, needed until gongji rekey has ended" if check.is_closed else "needed"


def _audit(config: Config) -> str:
    """The last audit that this folder knows of."""
    result = None if config.seal_file is None else read_result(result_beside(config.seal_file))
    if result is None:
        return "none is known here"
    found = "no difference" if result.is_whole else "SOMETHING DIFFERS"
    return f"{found}, {result.ended_at:%Y-%m-%d %H:%M} UTC"


def _processes(config: Config) -> Iterator[tuple[str, dict[str, float]]]:
    """By address, the figures of each process that answers on a port of this installation's."""
    if config.metrics_listen is None:
        return
    for number in range(config.workers + 1):
        address = config.metrics_listen.plus(number)
        figures = read_port(address)
        if figures:
            yield str(address), figures


def _show(told: dict[str, Any], nobody: str) -> None:
    console = Console(highlight=False)
    titles = {"database": "database", "schema": "schema", "remedy": ""}
    for name, title in titles.items():
        if name in told:
            console.print(f"{title:10}{told[name]}", soft_wrap=True)
    for title in ("waiting", "data_keys"):
        if title in told:
            _table(console, title.replace("_", " "), told[title])
    for address, figures in told["processes"].items():
        _table(console, address, figures)
    if not told["processes"]:
        console.print(nobody, soft_wrap=True)
    if "rows" in told:
        _table(console, "rows", told["rows"])


def _table(console: Console, title: str, facts: dict[str, Any]) -> None:
    table = Table(title=title, title_justify="left", show_header=False, title_style="bold")
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    for name, fact in facts.items():
        table.add_row(name, _said(name.partition(" ")[0].rstrip(","), fact))
    console.print(table)


def _said(metric: str, fact: object) -> str:
    """A figure as people read it."""
    if not isinstance(fact, float):
        return str(fact)
    if metric.endswith(_TIME):
        return f"{datetime.fromtimestamp(fact, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"{fact:.3g} s" if metric.endswith(_DURATION) else f"{fact:g}"
