"""A region's policy file, checked strictly: an error names file, line and field.

Rule: nothing is guessed. An unknown key, a wrong type, a value without its source, dates out of
order, an unknown parent and a circle of parents are errors, found when the service starts.

The file (TOML), readable for a lawyer:

    region = "150100"
    name = "呼和浩特市"
    parent = "150000"

    [[block]]
    effective_from = 2024-09-01
    [block.members]
    at_once = { value = 6, source = "docs/seeds/hohhot.txt L30 (HOH-05)" }
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any

from gongji_svc.domain import policy_values as form
from gongji_svc.domain.policy import PLACES
from gongji_svc.domain.rulebook import Block, RegionDocument, Stated

_REGION = re.compile(r"\d{6}", re.ASCII)
_TOML_LINE = re.compile(r"at line (\d+)")
_GROUPS = frozenset(place.partition(".")[0] for place in PLACES)


class PolicyError(Exception):
    """A policy file that does not hold what it should: file, line (0: none), field, and why."""

    def __init__(self, file: str, line: int, field: str, why: str) -> None:
        super().__init__(f"{file}:{line}: {field}: {why}")
        self.file = file
        self.line = line
        self.field = field
        self.why = why


class _Reading:
    """One file being read: where it stands, so that an error can say the line."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self._lines = text.splitlines()
        self._starts = [at for at, line in enumerate(self._lines) if line.strip() == "[[block]]"]

    def error(self, field: str, why: str, block: int = -1) -> PolicyError:
        return PolicyError(self.file, self._line_of(field, block), field, why)

    def _line_of(self, field: str, block: int) -> int:
        """The line that names the field's last word, after its group's heading if there is one."""
        start = self._starts[block] if 0 <= block < len(self._starts) else 0
        line = start + 1 if block >= 0 and self._lines else 0
        group, _, key = field.rpartition(".")
        for word in (group, key):
            named = re.compile(rf'^\s*(\[+(block\.)?)?"?({re.escape(word)}|{re.escape(field)})\b')
            found = next(
                (i for i in range(start, len(self._lines)) if word and named.match(self._lines[i])),
                None,
            )
            if found is not None:
                start, line = found, found + 1
        return line


def read_document(file: str, text: str) -> RegionDocument:
    """A region's file from its text; PolicyError with file, line and field."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _TOML_LINE.search(str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        raise PolicyError(file, line, "(TOML)", str(error)) from None
    return check_document(file, data, text)


def check_document(file: str, data: Mapping[str, Any], text: str = "") -> RegionDocument:
    """A region's file that is parsed already; the same checks (without a text, line 0)."""
    reading = _Reading(file, text)
    for key in data:
        if key not in {"region", "name", "parent", "block"}:
            raise reading.error(key, "unknown key; expected region, name, parent, block")
    blocks = data.get("block")
    if not isinstance(blocks, list) or not blocks:
        raise reading.error("block", "expected at least one [[block]]")
    return RegionDocument(
        file=file,
        region=_region(reading, "region", data.get("region")),
        name=_value(reading, "name", form.text, data.get("name")),
        parent=_region(reading, "parent", data["parent"]) if "parent" in data else None,
        blocks=_blocks(reading, blocks),
    )


def _region(reading: _Reading, field: str, value: object) -> str:
    if not isinstance(value, str) or not _REGION.fullmatch(value):
        raise reading.error(field, 'expected a region of six digits such as "150100"')
    return value


def _value(
    reading: _Reading, field: str, reader: form.Reader[Any], value: object, block: int = -1
) -> Any:
    try:
        return reader(value)
    except ValueError as error:
        raise reading.error(field, str(error), block) from None


def _blocks(reading: _Reading, blocks: list[object]) -> tuple[Block, ...]:
    read: list[Block] = []
    for index, data in enumerate(blocks):
        if not isinstance(data, dict):
            raise reading.error("block", "expected [[block]]", index)
        day: date = _value(reading, "effective_from", form.day, data.get("effective_from"), index)
        if read and day <= read[-1].effective_from:
            raise reading.error(
                "effective_from", "expected a later date than the block before", index
            )
        read.append(Block(day, _values(reading, data, index)))
    return tuple(read)


def _values(reading: _Reading, block: dict[str, Any], index: int) -> Mapping[str, Stated]:
    values: dict[str, Stated] = {}
    for group, keys in block.items():
        if group == "effective_from":
            continue
        if group not in _GROUPS or not isinstance(keys, dict):
            raise reading.error(
                group, f"unknown group; expected {', '.join(sorted(_GROUPS))}", index
            )
        for key, stated in keys.items():
            place = f"{group}.{key}"
            if place not in PLACES:
                raise reading.error(place, "unknown key", index)
            name, reader = PLACES[place]
            values[name] = _stated(reading, place, reader, stated, index)
    return MappingProxyType(values)


def _stated(
    reading: _Reading, place: str, reader: form.Reader[Any], stated: object, index: int
) -> Stated:
    if not isinstance(stated, dict) or "value" not in stated:
        raise reading.error(place, 'expected { value = ..., source = "..." }', index)
    unknown = sorted(set(stated) - {"value", "source"})
    if unknown:
        raise reading.error(place, f"unknown key {unknown[0]}; expected value, source", index)
    source = stated.get("source")
    if not isinstance(source, str) or not source.strip():
        raise reading.error(place, "expected a source", index)
    return Stated(_value(reading, place, reader, stated["value"], index), source)


def check_parents(documents: Iterable[RegionDocument]) -> tuple[RegionDocument, ...]:
    """The documents together: no region twice, every parent known, no circle of parents."""
    known: dict[str, RegionDocument] = {}
    for document in documents:
        if document.region in known:
            raise PolicyError(
                document.file,
                1,
                "region",
                f"{document.region} stands in {known[document.region].file} too",
            )
        known[document.region] = document
    for document in known.values():
        seen = {document.region}
        level = document
        while level.parent is not None:
            if level.parent not in known:
                raise PolicyError(level.file, 1, "parent", f"unknown region {level.parent}")
            if level.parent in seen:
                raise PolicyError(level.file, 1, "parent", f"{level.parent} inherits from itself")
            seen.add(level.parent)
            level = known[level.parent]
    return tuple(known.values())


def rulebook_documents(files: Mapping[str, str]) -> tuple[RegionDocument, ...]:
    """Read and check all files (name -> text); make a `Rulebook` of the result."""
    return check_parents(read_document(file, text) for file, text in files.items())
