"""A plan as plain values for storage, and back: what a refund years later reckons from.

Rule: reading back gives an equal plan. Values stand by position, in the order of the dataclasses'
fields: half the bytes that names would take, and a settlement fits into its page. Legs have names,
for they are looked for in lists and by SQL. A field is only ever added at the end, with a default,
and older records, which have names throughout, stay readable.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date
from operator import attrgetter
from typing import Any
from uuid import UUID

from gongji_svc.domain.benefit import BenefitTerms
from gongji_svc.domain.bill import LineSplit
from gongji_svc.domain.breakdown import Breakdown
from gongji_svc.domain.settlement import Plan, PolicyMark
from gongji_svc.domain.step import Caution, Rule, Step
from gongji_svc.domain.terms import (
    AccountBase,
    AccountKind,
    AccountOwner,
    CatalogClass,
    InstitutionLevel,
)
from gongji_svc.domain.usability import Why
from gongji_svc.domain.waterfall import DonorOutcome, Leg

Record = dict[str, Any]


def to_json(plan: Plan) -> str:
    """The plan as JSON text."""
    return json.dumps(to_record(plan), default=str, ensure_ascii=False, separators=(",", ":"))


def to_record(plan: Plan) -> Record:
    """The plan as nested values; ids and dates stay what they are (JSON takes them as texts)."""
    return {
        "breakdown": _VALUES[Breakdown](plan.breakdown),
        "lines": [_VALUES[LineSplit](line) for line in plan.lines],
        "legs": [_named(leg) for leg in plan.legs],
        "terms": _VALUES[BenefitTerms](plan.terms),
        "account_base": plan.account_base,
        "given": plan.given,
        "outcomes": [_VALUES[DonorOutcome](outcome) for outcome in plan.outcomes],
        "steps": [_VALUES[Step](step) for step in plan.steps],
        "cautions": plan.cautions,
        "policies": [_VALUES[PolicyMark](mark) for mark in plan.policies],
    }


def from_record(record: Mapping[str, Any]) -> Plan:
    """The plan of a record, as `to_record` made it or as JSON keeps it."""
    return Plan(
        breakdown=_typed(Breakdown, record["breakdown"]),
        lines=tuple(_typed(LineSplit, line) for line in record["lines"]),
        legs=tuple(_typed(Leg, leg) for leg in record["legs"]),
        terms=_typed(BenefitTerms, record["terms"]),
        account_base=AccountBase(record["account_base"]),
        given=record["given"],
        outcomes=tuple(_typed(DonorOutcome, outcome) for outcome in record["outcomes"]),
        steps=tuple(_typed(Step, step) for step in record["steps"]),
        cautions=tuple(Caution(caution) for caution in record["cautions"]),
        policies=tuple(_typed(PolicyMark, mark) for mark in record["policies"]),
    )


_NAMES: dict[type, tuple[str, ...]] = {
    kind: tuple(f.name for f in fields(kind))
    for kind in (Breakdown, LineSplit, Leg, BenefitTerms, DonorOutcome, Step, PolicyMark)
}
_VALUES = {kind: attrgetter(*names) for kind, names in _NAMES.items()}


def _id(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def _day(value: date | str) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


_READERS: Mapping[str, Any] = {
    "account_id": _id,
    "person_id": _id,
    "binding_id": _id,
    "owner": AccountOwner,
    "account_kind": AccountKind,
    "catalog_class": CatalogClass,
    "level": InstitutionLevel,
    "rule": Rule,
    "why": Why,
    "until": _day,
    "ratios_bp": tuple,
    "blocks": tuple,
}


def _named(leg: Leg) -> Record:
    return dict(zip(_NAMES[Leg], _VALUES[Leg](leg), strict=True))


def _typed(kind: type, record: Mapping[str, Any] | Sequence[Any]) -> Any:
    if not isinstance(record, Mapping):
        record = dict(zip(_NAMES[kind], record, strict=False))  # later fields take their defaults
    values = dict(record)
    for name, value in record.items():
        if value is not None and name in _READERS and not _is_policy_field(kind, name):
            values[name] = _READERS[name](value)
    return kind(**values)


def _is_policy_field(kind: type, name: str) -> bool:
    """The `rule` of an outcome names a policy field, that of a step what it tells."""
    return kind is DonorOutcome and name == "rule"
