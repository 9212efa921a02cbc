"""The sums of a settlement, and those of a bill that was priced elsewhere.

Rule: a `Breakdown` whose identities do not hold cannot be made.
"""

from dataclasses import dataclass, fields

from gongji_svc.domain.errors import BreakdownMismatch, Violation
from gongji_svc.domain.money import BP


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The sums of a settlement in fen, with the names of the contract; ratio in basis points."""

    total_fen: int
    full_self_pay_fen: int
    over_limit_fen: int
    pre_self_pay_fen: int
    in_scope_fen: int
    deductible_fen: int
    fund_ratio_bp: int
    fund_pay_fen: int
    personal_fen: int
    account_pay_fen: int
    mutual_aid_pay_fen: int
    cash_pay_fen: int

    def __post_init__(self) -> None:
        parts = self.full_self_pay_fen + self.over_limit_fen + self.pre_self_pay_fen
        if self.total_fen != parts + self.in_scope_fen:
            raise ValueError("total != full_self_pay + over_limit + pre_self_pay + in_scope")
        if self.total_fen != self.fund_pay_fen + self.personal_fen:
            raise ValueError("total != fund_pay + personal")
        if self.personal_fen != self.account_pay_fen + self.cash_pay_fen:
            raise ValueError("personal != account_pay + cash_pay")
        if not 0 <= self.mutual_aid_pay_fen <= self.account_pay_fen:
            raise ValueError("mutual_aid_pay is not a part of account_pay")
        if self.fund_pay_fen < 0 or self.cash_pay_fen < 0:
            raise ValueError("fund_pay or cash_pay is negative")
        if self.full_self_pay_fen < 0 or self.over_limit_fen < 0 or self.pre_self_pay_fen < 0:
            raise ValueError("full_self_pay, over_limit or pre_self_pay is negative")
        if not 0 <= self.deductible_fen <= self.in_scope_fen:
            raise ValueError("deductible is not a part of in_scope")
        if not 0 <= self.fund_ratio_bp <= BP:
            raise ValueError("fund_ratio is no part of the whole")


@dataclass(frozen=True, slots=True)
class GivenBreakdown:
    """A bill priced elsewhere (INPATIENT): the accounts pay its personal share; fen.

    What all funds paid (interface.md I3) may reach beyond what is in scope less the deductible:
    医疗救助 also pays for these.
    """

    total_fen: int
    full_self_pay_fen: int
    over_limit_fen: int
    pre_self_pay_fen: int
    in_scope_fen: int
    deductible_fen: int
    fund_ratio_bp: int
    fund_pay_fen: int
    personal_fen: int


def check_given(given: GivenBreakdown, total_fen: int) -> None:
    """BreakdownMismatch, naming the field, when a given breakdown breaks an identity or misses the
    total.
    """
    parts = given.full_self_pay_fen + given.over_limit_fen + given.pre_self_pay_fen
    for holds, field, identity, identity_zh in (
        (
            given.total_fen == total_fen,
            "total_fen",
            "total_fen = given_breakdown.total_fen",
            "费用构成的总额＝本次总金额",
        ),
        (
            given.total_fen == parts + given.in_scope_fen,
            "in_scope_fen",
            "total = full_self_pay + over_limit + pre_self_pay + in_scope",
            "总额＝全自费＋超限价＋先行自付＋符合政策范围",
        ),
        (
            given.total_fen == given.fund_pay_fen + given.personal_fen,
            "personal_fen",
            "total = fund_pay + personal",
            "总额＝基金支付＋个人负担",
        ),
        (
            given.deductible_fen <= given.in_scope_fen,
            "deductible_fen",
            "deductible <= in_scope",
            "起付线不大于符合政策范围",
        ),
        *(
            (getattr(given, f.name) >= 0, f.name, "0 <= each part", "各部分不小于0")
            for f in fields(given)
        ),
    ):
        if not holds:
            wrong = Violation(f"given_breakdown.{field}", f"费用构成应满足：{identity_zh}")
            raise BreakdownMismatch(identity=identity, identity_zh=identity_zh, violations=[wrong])
