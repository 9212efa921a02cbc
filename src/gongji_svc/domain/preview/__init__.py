"""Worked examples: cases of rules, balances and bills as data, decided by the production code.

Rule: nothing is reckoned here. A case's `rules` become a policy through the same checks as a
region's file, and benefit, account base, waterfall and premium are the functions that settle at
the till. A key that is not known is an error that names case and key; null means not stated.
`tests/examples/README.md` describes the keys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gongji_svc.domain.errors import Refusal
from gongji_svc.domain.preview.premium import decide_premium
from gongji_svc.domain.preview.table import CaseError, Table
from gongji_svc.domain.preview.till import decide_till

__all__ = ["CaseError", "Decided", "decide", "preview"]

_CASE = ("id", "title", "source", "kind", "rules", "given", "expect", "assumed")
_KINDS = ("pooled_outpatient", "mutual_aid", "premium")


@dataclass(frozen=True, slots=True)
class Decided:
    """A case with what came out of it, or with the error that kept it from being decided."""

    case: str
    title: str
    expected: Mapping[str, Any]  # as the file says
    expect: Mapping[str, Any]
    error: CaseError | None = None


def preview(cases: object) -> list[Decided]:
    """Decide every case of a file, each on its own; CaseError when it is not a list of cases."""
    if not isinstance(cases, Sequence) or isinstance(cases, str):
        raise CaseError("file", "", "expected a list of cases")
    decided = [_decide(case, number) for number, case in enumerate(cases, 1)]
    names = [each.case for each in decided]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise CaseError(name, "id", "stands twice in the file")
    return decided


def _decide(case: object, number: int) -> Decided:
    known = case if isinstance(case, Mapping) else {}
    name, title = str(known.get("id") or f"case {number}"), str(known.get("title") or "")
    expected = known.get("expect")
    expected = expected if isinstance(expected, Mapping) else {}
    try:
        return Decided(name, title, expected, decide(case, name))
    except CaseError as error:
        return Decided(name, title, expected, {}, error)


def decide(case: object, name: str) -> dict[str, Any]:
    """What comes out of one case, in the words of `expect`; CaseError names case and key."""
    table = Table(name, "", case, _CASE)
    table.text("id")
    kind = table.word("kind", _KINDS)
    try:
        return decide_premium(table) if kind == "premium" else decide_till(table, kind)
    except Refusal as refusal:
        raise CaseError(name, "given", f"{refusal.reason}: {refusal}") from refusal
