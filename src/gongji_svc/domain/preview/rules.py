"""A case's rules as a policy of their own.

Rule: each rule goes to its place in a region's file and through the same checks; its source is the
case that states it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from gongji_svc.domain.policy import NATION, Policy
from gongji_svc.domain.policy_document import PolicyError, check_document
from gongji_svc.domain.policy_values import ratio
from gongji_svc.domain.preview.table import Table
from gongji_svc.domain.rulebook import Rulebook
from gongji_svc.domain.terms import AccountKind, InstitutionLevel, Order, PersonType, VisitType

IN_FORCE = date(2000, 1, 1)

LEVELS = {
    "1": InstitutionLevel.PRIMARY,
    "2": InstitutionLevel.SECONDARY,
    "3": InstitutionLevel.TERTIARY,
}
_PERSON_TYPES = {"11": PersonType.ACTIVE, "12": PersonType.RETIRED}
_ALL_KINDS = (AccountKind.GENERAL, AccountKind.CURRENT_YEAR, AccountKind.PAST_YEARS)
_POOLS = {"whole_balance": _ALL_KINDS, "past_years": (AccountKind.PAST_YEARS,)}


def person_type(code: object) -> PersonType | None:
    """A psn_type: 11 in work, 12 retired, every other a resident; None: not stated."""
    return None if code is None else _PERSON_TYPES.get(str(code), PersonType.RESIDENT)


def policy_of(rules: Table, stated: Mapping[str, tuple[str, Any]]) -> Policy:
    """The policy of the stated rules: place in a region's file -> (key of the case, value)."""
    block: dict[str, Any] = {"effective_from": IN_FORCE}
    for place, (key, value) in stated.items():
        if value is not None:
            group, _, name = place.partition(".")
            source = f"{rules.case}: rules.{key}"
            block.setdefault(group, {})[name] = {"value": value, "source": source}
    document = {"region": NATION, "name": rules.case, "block": [block]}
    try:
        checked = check_document(rules.case, document)
    except PolicyError as error:
        key = stated[error.field][0] if error.field in stated else error.field
        raise rules.error(key, error.why) from None
    return Rulebook([checked]).on(NATION, IN_FORCE)


_BENEFIT = ("deductible_fen", "ratio_bp", "ratio_chain_bp", "annual_cap_fen")
_TILL = (
    "own_first",
    "order",
    "single_donor",
    "same_pool_first",
    "own_zero_rule",
    "reserve_fen",
    "threshold_fen",
    "fund_pool",
    "account_base",
    "member_caps",
    "household_caps",
    "deductible_scope",
    "class_b_precopay_bp",
    *_BENEFIT,
)


@dataclass(frozen=True, slots=True)
class TillRules:
    """The rules of a case at the till: its policy, and what a policy has no single value for."""

    policy: Policy
    computes_fund: bool
    by_person_type: bool  # a value of the fund differs by psn_type
    ratios_stated: bool
    ratio_chain_bp: tuple[int, ...]  # in the place of the one ratio
    class_b_precopay_bp: int | None


def till_rules(case: Table, pooled: bool) -> TillRules:
    """Read a case's rules; `pooled`: the fund's part is asked for even if no rule speaks of it."""
    rules = case.table("rules", _TILL)
    if rules.flag("own_first") is False:
        raise rules.error("own_first", "expected true: own money is used first everywhere")
    chain = _chain(rules)
    return TillRules(
        policy=_till_policy(rules),
        computes_fund=pooled or any(rules.stated(key) is not None for key in _BENEFIT),
        by_person_type=any(_differs(rules.stated(key)) for key in _BENEFIT),
        ratios_stated=bool(chain) or rules.stated("ratio_bp") is not None,
        ratio_chain_bp=chain,
        class_b_precopay_bp=rules.read("class_b_precopay_bp", ratio),
    )


def _differs(value: Any) -> bool:
    """Whether a value, or one of its levels, is a table by psn_type."""
    if not isinstance(value, Mapping):
        return False
    return any(str(key) in _PERSON_TYPES or _differs(each) for key, each in value.items())


def _till_policy(rules: Table) -> Policy:
    kinds = _account_kinds(rules)
    ratio_bp = rules.stated("ratio_bp")
    stated = {
        "order.kind": ("order", _order(rules)),
        "order.single_donor": ("single_donor", rules.stated("single_donor")),
        "order.same_pool_first": ("same_pool_first", rules.stated("same_pool_first")),
        "order.own_zero_rule": ("own_zero_rule", word(rules, "own_zero_rule")),
        "accounts.own_kinds": ("fund_pool", kinds),
        "accounts.donor_kinds": ("fund_pool", kinds),
        "accounts.reserve_fen": ("reserve_fen", rules.stated("reserve_fen")),
        "accounts.threshold_fen": ("threshold_fen", rules.stated("threshold_fen")),
        "accounts.base": ("account_base", word(rules, "account_base")),
        "caps.member": ("member_caps", rules.stated("member_caps")),
        "caps.household": ("household_caps", rules.stated("household_caps")),
        "benefit.visit_types": ("ratio_bp", [VisitType.OUTPATIENT]),
        "benefit.deductibles_fen": ("deductible_fen", _by_level(rules.stated("deductible_fen"))),
        "benefit.deductible_scope": ("deductible_scope", word(rules, "deductible_scope")),
        "benefit.ratios_bp": ("ratio_bp", _by_level(0 if ratio_bp is None else ratio_bp)),
        "benefit.annual_caps_fen": ("annual_cap_fen", _by_type(rules.stated("annual_cap_fen"))),
    }
    return policy_of(rules, stated)


def _order(rules: Table) -> Any:
    """The order of donors; BALANCE_DESC is short for BALANCE_DESC_THEN_NAME."""
    kind = word(rules, "order")
    return Order.BALANCE_DESC_THEN_NAME.value if kind == "BALANCE_DESC" else kind


def _chain(rules: Table) -> tuple[int, ...]:
    """Ratios that act together; a `ratio_bp` beside them is the first link."""
    stated = rules.stated("ratio_chain_bp")
    if stated is None:
        return ()
    if not isinstance(stated, list) or not stated:
        raise rules.error("ratio_chain_bp", "expected a list of basis points")
    chain = tuple(rules.check("ratio_chain_bp", ratio, each) for each in stated)
    first = rules.stated("ratio_bp")
    return chain if first in (None, chain[0]) else (rules.check("ratio_bp", ratio, first), *chain)


def _by_level(value: Any) -> Any:
    """One value for all levels, or a table by level (1, 2, 3)."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {LEVELS.get(str(level), str(level)): _by_type(each) for level, each in value.items()}
    return dict.fromkeys(LEVELS.values(), value)


def _by_type(value: Any) -> Any:
    """One value for everybody, or a table by psn_type."""
    if isinstance(value, Mapping):
        return {_PERSON_TYPES.get(str(code), str(code)): each for code, each in value.items()}
    return value


def _account_kinds(rules: Table) -> list[AccountKind]:
    """Which kinds of account pay, in order: all of them, or only 历年."""
    if rules.stated("fund_pool") is None:
        return list(_ALL_KINDS)
    return list(_POOLS[rules.word("fund_pool", _POOLS)])


def word(rules: Table, key: str) -> Any:
    """A word of the policy, in whichever case it is written."""
    value = rules.stated(key)
    return value.upper() if isinstance(value, str) else value
