"""Which policy holds in a region on a day: what its documents state, merged by level and date.

Rule: the nation's blocks are merged first, then the province's, then the region's own, within a
level by date; a later block states only what changed.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

from gongji_svc.domain.errors import PolicyNotInForce, RegionNotServed
from gongji_svc.domain.policy import NATION, Policy


@dataclass(frozen=True, slots=True)
class Stated:
    """A value as one block states it."""

    value: Any
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """What a region states from a day on; `values` by field name of `Policy`."""

    effective_from: date
    values: Mapping[str, Stated]


@dataclass(frozen=True, slots=True, eq=False)
class RegionDocument:
    """A region's checked file: its blocks in order of their dates."""

    file: str
    region: str
    name: str
    parent: str | None
    blocks: tuple[Block, ...]


class Rulebook:
    """All regions' policies. A region without a file of its own has its province's; one whose
    province has none either is not served (docs/decisions/readings.md#region-served)."""

    def __init__(self, documents: Iterable[RegionDocument]) -> None:
        self._documents = {document.region: document for document in documents}
        self._dated = {region: self._merged(region) for region in self._documents}

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that have a file of their own."""
        return tuple(sorted(self._documents))

    def on(self, region: str, day: date) -> Policy:
        """The policy of a region on a day; RegionNotServed where there is no file for it,
        PolicyNotInForce before its first block.
        """
        days, policies = self._dated[self._file_of(region)]
        index = bisect_right(days, day)
        if index == 0:
            raise PolicyNotInForce(region=region, day=day.isoformat())
        return policies[index - 1]

    def on_or_above(self, region: str, day: date) -> Policy:
        """The policy of a region on a day; before its first block its province's, then the
        nation's.
        """
        try:
            return self.on(region, day)
        except PolicyNotInForce:
            parent = self._documents[self._file_of(region)].parent
            if parent is None:
                raise
            return self.on_or_above(parent, day)

    def history(self, region: str) -> tuple[tuple[date, Policy], ...]:
        """Every day on which a region's policy changed, with the policy from then on."""
        days, policies = self._dated[self._file_of(region)]
        return tuple(zip(days, policies, strict=True))

    def serves(self, region: str) -> bool:
        """Whether the region, or its province, has a file."""
        return region in self._dated or _province(region) in self._dated

    def check_served(self, region: str) -> None:
        """RegionNotServed unless the region, or its province, has a file."""
        if not self.serves(region):
            raise RegionNotServed(region=region)

    def _file_of(self, region: str) -> str:
        self.check_served(region)
        return region if region in self._dated else region[:2] + "0000"

    def _merged(self, region: str) -> tuple[list[date], list[Policy]]:
        document = self._documents[region]
        chain = [document]
        while chain[0].parent is not None:
            chain.insert(0, self._documents[chain[0].parent])
        first = document.blocks[0].effective_from
        changes = {block.effective_from for level in chain for block in level.blocks}
        days = sorted(day for day in changes if day >= first)
        return days, [_merge(chain, day) for day in days]


def _province(region: str) -> str | None:
    """The region's province; None for a code of no province: the nation's file is nobody's."""
    province = region[:2] + "0000"
    return None if province == NATION else province


def _merge(chain: list[RegionDocument], day: date) -> Policy:
    stated: dict[str, Stated] = {}
    blocks: list[str] = []
    for level in chain:
        for block in level.blocks:
            if block.effective_from <= day:
                stated.update(block.values)
                blocks.append(f"{level.region}@{block.effective_from}")
    values = {name: s.value for name, s in stated.items()}
    return Policy(
        region=chain[-1].region,
        region_name=chain[-1].name,
        blocks=tuple(blocks),
        sources=MappingProxyType({name: s.source for name, s in stated.items()}),
        digest=_digest(values),
        **values,
    )


def _digest(values: Mapping[str, Any]) -> str:
    lines = (f"{name}={_canonical(values[name])}" for name in sorted(values))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _canonical(value: object) -> str:
    if isinstance(value, frozenset):
        return "{" + ",".join(sorted(map(_canonical, value))) + "}"
    if isinstance(value, tuple):
        return "[" + ",".join(map(_canonical, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ",".join(sorted(f"{k}:{_canonical(v)}" for k, v in value.items())) + "}"
    if is_dataclass(value):
        return _canonical({f.name: getattr(value, f.name) for f in fields(value)})
    return repr(value)
