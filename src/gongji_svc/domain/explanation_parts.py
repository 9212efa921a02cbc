"""What an amount is made of, in words: the rates of class B, chained ratios, what accounts may pay.

Rule: the numbers are those of the step. A step that was stored before its parts were kept is told
without them.
"""

from collections.abc import Mapping

from gongji_svc.domain.money import percent, yuan
from gongji_svc.domain.step import Rule, Step

_COUNTED: Mapping[str, tuple[str, str]] = {
    "in_scope": ("符合政策范围{yuan}元", "{yuan} yuan in scope"),
    "pre_self_pay": ("先行自付{yuan}元", "{yuan} yuan paid first"),
    "over_limit": ("超限价{yuan}元", "{yuan} yuan above the price ceiling"),
    "full_self_pay": ("全自费{yuan}元", "{yuan} yuan full self-pay"),
}
_BARRED = ("个人账户不可支付的{lines}{yuan}元", "{yuan} yuan of {lines} (not for accounts)")
_FORMULA = ("：按当地规定计入{counted}", ": by the region's rules {counted} count")
_LESS_FUND = ("，减去其中统筹基金支付{yuan}元", ", less {yuan} yuan of them that the fund pays")
_LEFT_OUT = ("；不计入{left_out}", "; left out are {left_out}")
_JOINED = ("、", ", ")
_RATE = ("{of}元的{rate}为{paid}元", "{rate} of {of} yuan is {paid} yuan")
_RATES = ("（{rates}）", " ({rates})")
_CHAIN = ("{own}×断缴恢复后限期内{limited}", " {own} x {limited} for a time after a lapse")


def parts_worded(step: Step, at: int) -> str:
    """The parts of a step in Chinese (`at` 0) or English (1); empty where it has none."""
    match step.rule:
        case Rule.PRE_SELF_PAY:
            return _rates(str(step.params.get("rates", "")), at)
        case Rule.FUND_RATIO if "own_bp" in step.params:
            own, limited = (percent(int(step.params[one])) for one in ("own_bp", "limited_to_bp"))
            return _CHAIN[at].format(own=own, limited=limited)
        case Rule.ACCOUNT_BASE:
            return _formula(step.params, at)
    return ""


def _rates(kept: str, at: int) -> str:
    if not kept:
        return ""
    told = []
    for one in kept.split():
        rate_bp, of_fen, paid_fen = map(int, one.split(":"))
        amounts = {"of": yuan(of_fen), "rate": percent(rate_bp), "paid": yuan(paid_fen)}
        told.append(_RATE[at].format(**amounts))
    return _RATES[at].format(rates=("，", "; ")[at].join(told))


def _formula(params: Mapping[str, int | str], at: int) -> str:
    counted = _told(params, "", at)
    left_out = _told(params, "no_", at)
    if barred_fen := int(params.get("no_lines_fen", 0)):
        left_out.append(_BARRED[at].format(lines=_lines(params, at), yuan=yuan(barred_fen)))
    text = _FORMULA[at].format(counted=_JOINED[at].join(counted)) if counted else ""
    if fund_fen := int(params.get("fund_fen", 0)):
        text += _LESS_FUND[at].format(yuan=yuan(fund_fen))
    if left_out:
        text += _LEFT_OUT[at].format(left_out=_JOINED[at].join(left_out))
    return text


def _told(params: Mapping[str, int | str], prefix: str, at: int) -> list[str]:
    """The parts of a bill that count (prefix "") or not ("no_"); those of nothing are left out."""
    amounts = {name: int(params.get(f"{prefix}{name}_fen", 0)) for name in _COUNTED}
    return [_COUNTED[name][at].format(yuan=yuan(fen)) for name, fen in amounts.items() if fen]


def _lines(params: Mapping[str, int | str], at: int) -> str:
    """Which lines of the bill: by their numbers, of very many only how many."""
    numbers, count = str(params["no_lines"]).split(), int(params["no_lines_count"])
    if len(numbers) < count:
        return (f"{count}行", f"{count} lines")[at]
    word = "line" if count == 1 else "lines"
    return (f"第{'、'.join(numbers)}行", f"{word} {' and '.join(numbers)}")[at]
