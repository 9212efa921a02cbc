"""A receipt recomputed from its explanation alone, as somebody would with paper and pencil.

Rule: only what the steps say is used, their amounts and the numbers in their words, never the sums
of the settlement; a step that is told in two languages says the same numbers in both.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from gongji.v1 import settlement_pb2 as pb
from gongji.v1.types_pb2 import ExplanationStep

ROOT = Path(__file__).parents[2]
_PARTS = ("FULL_SELF_PAY", "OVER_LIMIT", "PRE_SELF_PAY", "IN_SCOPE")
_DONORS = ("DONOR_PAID", "DONOR_LIMITED")
_MOST_LINES = 4
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Sums:
    """What a reader of the steps comes to, in fen."""

    total: int
    fund: int
    own: int
    donors: tuple[int, ...]
    cash: int


def of_receipt(settlement: pb.Settlement) -> Sums:
    """What the settlement itself says."""
    sums, donors = settlement.breakdown, dict[str, int]()
    for leg in settlement.legs:
        if leg.binding_id:
            donors[leg.binding_id] = donors.get(leg.binding_id, 0) + leg.amount_fen
    own_fen = sum(leg.amount_fen for leg in settlement.legs if not leg.binding_id)
    donated = tuple(donors.values())
    return Sums(sums.total_fen, sums.fund_pay_fen, own_fen, donated, sums.cash_pay_fen)


def recomputed(steps: Sequence[ExplanationStep]) -> Sums:
    """The sums by the steps; asserts that each step follows from those before it."""
    total = sum(_told(steps, *_PARTS))
    fund = _fund(steps)
    own = sum(_told(steps, "OWN_ACCOUNT"))
    donors = tuple(_told(steps, *_DONORS))
    cash = total - fund - own - sum(donors)
    assert cash == sum(_told(steps, "CASH"))
    for personal in _told(steps, "GIVEN_BREAKDOWN"):
        assert personal == total - fund
    for step in _steps(steps, "ACCOUNT_BASE"):
        assert own + sum(donors) <= _base(step)
    for step in _steps(steps, "PRE_SELF_PAY"):
        assert step.amount_fen == sum(_rated(step) or [step.amount_fen])
    if _told(steps, "ACCOUNTS_NOT_USED"):
        assert (own, donors) == (0, ())
    assert not any(_told(steps, "FUND_NONE", "DONOR_SKIPPED"))
    return Sums(total, fund, own, donors, cash)


def _fund(steps: Sequence[ExplanationStep]) -> int:
    """In scope, less the deductible, at the ratio, within the cap."""
    in_scope = sum(_told(steps, "IN_SCOPE"))
    deductible = 0
    for step in _steps(steps, "DEDUCTIBLE"):
        deductible, left = _fen_in(step)
        assert deductible == min(left, in_scope)
    fund = sum(_told(steps, "FUND_GIVEN"))
    for step in _steps(steps, "FUND_RATIO"):
        ratio = Decimal(_NUMBER.findall(step.text)[0]) / 100
        fund = step.amount_fen
        exact = (in_scope - deductible) * ratio
        assert fund == int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    for step in _steps(steps, "FUND_CAP"):
        left, paid = _fen_in(step)
        assert paid == left < fund
        fund = paid
    return fund


def _base(step: ExplanationStep) -> int:
    """What accounts may pay: what counts, less the fund's part of it."""
    counted, _, fund = step.text.partition("；")[0].partition("，减去")
    told, *parts = _fen_of(counted)
    assert step.amount_fen == told == sum(parts) - sum(_fen_of(fund))
    return told


def _rated(step: ExplanationStep) -> list[int]:
    """What class B pays first at each rate, a fen a line off at most for rounding."""
    numbers = _NUMBER.findall(step.text)[1:]
    of, rates, paid = numbers[0::3], numbers[1::3], numbers[2::3]
    for each_of, rate, each_paid in zip(of, rates, paid, strict=True):
        exact = _fen(each_of) * Decimal(rate) / 100
        assert abs(exact - _fen(each_paid)) <= _MOST_LINES
    return [_fen(one) for one in paid]


def _steps(steps: Iterable[ExplanationStep], *rules: str) -> list[ExplanationStep]:
    return [step for step in steps if step.rule in rules]


def _told(steps: Iterable[ExplanationStep], *rules: str) -> list[int]:
    return [step.amount_fen for step in _steps(steps, *rules)]


def _fen_in(step: ExplanationStep) -> list[int]:
    """The amounts in a step's words, in fen."""
    return _fen_of(step.text)


def _fen_of(text: str) -> list[int]:
    return [_fen(found) for found in _NUMBER.findall(text)]


def _fen(yuan: str) -> int:
    """Yuan with two places."""
    return int(Decimal(yuan.replace(",", "")) * 100)


def check_words(step: ExplanationStep) -> None:
    """Assert that a step is told in both languages, with one and the same numbers."""
    assert re.search(r"[\u4e00-\u9fff]", step.text), step
    assert step.text_en and not re.search(r"[\u4e00-\u9fff]", _without_name(step)), step
    chinese, english = (_NUMBER.findall(text) for text in (step.text, step.text_en))
    assert sorted(chinese) == sorted(english), step


def _without_name(step: ExplanationStep) -> str:
    """The English words after the donor's name, which stays Chinese."""
    donor = step.rule.startswith("DONOR")
    return step.text_en.partition(" pays ")[2] if donor else step.text_en


def resolves(source: str) -> bool:
    """Whether every document that a source names is there: a page's row, a seed's lines, or an act
    by its number or date.
    """
    return all(_resolves(part) for part in source.split("; "))


def _resolves(part: str) -> bool:
    if not part.startswith("docs/"):
        return re.search(r"〔\d{4}〕\d+号|条例|\d{4}-\d{2}-\d{2}", part) is not None
    name, _, place = part.replace("#", " #", 1).partition(" ")
    text = (ROOT / name).read_text(encoding="utf-8")
    if place.startswith("#"):
        return f'<a id="{place[1:]}"></a>' in text
    cited = [int(number) for number in re.findall(r"\bL(\d+)", place)]
    lines = text.splitlines()
    return bool(cited) and all(lines[number - 1].strip() for number in cited)
