"""The reckoning of a premium, step by step: each with its rule, its amount and its source.

Rule: a step is there because a value of the policy made it; the standard less what finance takes
over is what is paid, and the steps say how long benefits wait, where the year can be paid at all.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gongji_svc.domain.money import yuan
from gongji_svc.domain.payment import Quote
from gongji_svc.domain.policy import PLACES, Policy
from gongji_svc.domain.premium_payer import Due
from gongji_svc.domain.premium_standing import Waiting
from gongji_svc.domain.wording import INSURANCE_ZH, PREMIUM_GROUP_ZH

_PLACE_OF = {name: place for place, (name, _) in PLACES.items()}


@dataclass(frozen=True, slots=True)
class PremiumStep:
    """One step; the rule is the value's place in the policy ("group.key"), the amount in fen."""

    rule: str
    text: str
    amount_fen: int
    source: str


def premium_steps(due: Due, waits: Waiting | None) -> Iterator[PremiumStep]:
    """How amount, window and waiting come about, in this order; no `waits`: nothing can be paid."""
    policy, quoted = due.policy, due.quoted
    yield _standard(policy, quoted)
    yield from _no_subsidy(due) if quoted.late else _subsidy(due)
    finance_fen = policy.premium_finance_fen.get(quoted.year, 0)
    if finance_fen and not quoted.late:
        text = f"财政另对每人补助{yuan(finance_fen)}元，不由个人缴纳"
        yield _step(policy, "premium_finance_fen", text, finance_fen)
    yield _step(policy, "premium_windows", _window(policy, quoted))
    if waits is not None:
        yield from _waiting(due, waits)


def _step(policy: Policy, name: str, text: str, amount_fen: int = 0) -> PremiumStep:
    return PremiumStep(_PLACE_OF[name], text, amount_fen, policy.source_of(name))


def _standard(policy: Policy, quoted: Quote) -> PremiumStep:
    what = f"{quoted.year}年度{INSURANCE_ZH[quoted.insurance]}"
    amount = yuan(quoted.standard_fen)
    if quoted.late:
        text = f"{what}集中缴费期已过，现在补缴须全额缴纳{amount}元"
        return _step(policy, "premium_late_payable_fen", text, quoted.standard_fen)
    stated = quoted.year in policy.premium_standards_fen[quoted.insurance]
    carried = "" if stated else "（沿用以前年度的标准）"
    text = f"{what}个人缴费标准{amount}元{carried}"
    return _step(policy, "premium_standards_fen", text, quoted.standard_fen)


def _subsidy(due: Due) -> Iterator[PremiumStep]:
    policy, quoted = due.policy, due.quoted
    if quoted.group is None:
        return
    group = PREMIUM_GROUP_ZH.get(quoted.group, quoted.group)
    amount, rest = yuan(quoted.subsidy_fen), yuan(quoted.payable_fen)
    text = f"{group}由财政补贴{amount}元，个人应缴{rest}元"
    yield _step(policy, "premium_groups", text, quoted.subsidy_fen)
    if len(due.person.identities & policy.premium_groups.keys()) > 1:
        text = "同时属于多类特殊群体的，按补贴最多的一类执行，不累加"
        yield _step(policy, "premium_several_groups", text)


def _no_subsidy(due: Due) -> Iterator[PremiumStep]:
    if special := due.person.identities & due.policy.premium_groups.keys():
        text = f"{_groups(special)}的财政补贴不用于补缴，须全额缴纳"
        yield _step(due.policy, "premium_groups", text)


def _groups(names: Iterable[str]) -> str:
    return "、".join(PREMIUM_GROUP_ZH.get(one, one) for one in sorted(names))


def _window(policy: Policy, quoted: Quote) -> str:
    carried = "" if quoted.year in policy.premium_windows else "（沿用以前年度的时间）"
    return f"集中缴费期为{quoted.window.from_}至{quoted.window.to}{carried}"


def _waiting(due: Due, waits: Waiting) -> Iterator[PremiumStep]:
    policy, exempt = due.policy, due.policy.premium_wait_exempt & due.person.identities
    if not waits.months:
        if exempt and policy.premium_wait_months:
            yield _step(policy, "premium_wait_exempt", f"{_groups(exempt)}没有待遇等待期")
        return
    why = "未在集中缴费期内缴费"
    if waits.missed_years:
        why = f"此前连续{waits.missed_years}年未参保缴费"
    if waits.repaired_years:
        why += f"，其中{waits.repaired_years}年已补缴"
    yield _step(policy, "premium_wait_months", f"{why}，缴费后等待{waits.months}个月享受待遇")
