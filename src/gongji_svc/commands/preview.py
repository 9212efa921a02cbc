"""`gongji preview FILE`: decide worked examples (YAML or JSON) with the code that settles."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from gongji_svc.commands import UsageError
from gongji_svc.config import Config
from gongji_svc.domain.preview import CaseError, Decided, preview


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `gongji preview` takes."""
    parser.add_argument("file", metavar="FILE", type=Path, help="cases, as YAML or JSON")
    parser.add_argument(
        "--json", action="store_true", help="print a JSON list of {id, expect} and nothing else"
    )
    parser.epilog = (
        "Exit status 1: a case came out otherwise than its `expect` says (not with --json). "
        "2: a case cannot be read; the others are decided all the same."
    )


def run(args: argparse.Namespace, config: Config) -> int:  # noqa: ARG001  # commands take both
    """Print what comes out of each case."""
    try:
        decided = preview(_read(args.file))
    except CaseError as error:
        raise UsageError(f"{args.file}: {error}") from None
    for each in decided:
        if each.error is not None:
            print(f"gongji: {args.file}: {each.error}", file=sys.stderr)
    if args.json:
        print(json.dumps([_as_json(each) for each in decided], ensure_ascii=False, indent=1))
        return 2 if any(each.error for each in decided) else 0
    differing = 0
    for each in decided:
        differences = list(_differences(each.expected, each.expect))
        differing += bool(differences) and each.error is None
        print("\n".join(_as_lines(each, differences)))
    unread = sum(1 for each in decided if each.error)
    right = len(decided) - differing - unread
    print(f"{len(decided)} cases: {right} as expected, {differing} otherwise, {unread} not decided")
    return 2 if unread else 1 if differing else 0


def _read(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, json.JSONDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: {error}") from None


def _as_json(decided: Decided) -> dict[str, Any]:
    if decided.error is not None:
        return {"id": decided.case, "error": str(decided.error)}
    return {"id": decided.case, "expect": decided.expect}


def _as_lines(decided: Decided, differences: Sequence[str]) -> list[str]:
    """A case for people: its keys, and where it differs from what the file expects."""
    lines = [f"{decided.case}  {decided.title}"]
    if decided.error is not None:
        return [*lines, f"  ! not decided: {decided.error.key}: {decided.error.why}", ""]
    lines += [f"  {key}: {value}" for key, value in _flat("", decided.expect)]
    return [*lines, *(f"  ! {difference}" for difference in differences), ""]


def _flat(place: str, value: Any) -> list[tuple[str, Any]]:
    """Nested keys as one path each; small tables stay as they are."""
    if place == "" and isinstance(value, Mapping):
        return [pair for key, inner in value.items() for pair in _flat(key, inner)]
    if isinstance(value, list):
        return [
            (f"{place}[{number}].{key}", inner)
            for number, table in enumerate(value)
            for key, inner in table.items()
        ]
    return [(place, value)]


def _differences(expected: Any, value: Any, place: str = "") -> list[str]:
    """Where what came out is not what was expected; keys that are not expected do not count."""
    if isinstance(expected, date):
        expected = expected.isoformat()
    if isinstance(expected, Mapping) and isinstance(value, Mapping):
        exact = place.endswith("donors")  # who pays nothing must not be there
        keys = [*expected, *(key for key in value if exact and key not in expected)]
        found = [
            _differences(expected.get(key), value.get(key), f"{place}.{key}".lstrip("."))
            for key in keys
        ]
        return [difference for each in found for difference in each]
    if isinstance(expected, list) and isinstance(value, list) and len(expected) == len(value):
        return [
            difference
            for number, (inner, got) in enumerate(zip(expected, value, strict=True))
            for difference in _differences(inner, got, f"{place}[{number}]")
        ]
    return [] if expected == value else [f"{place}: expected {expected}, not {value}"]
