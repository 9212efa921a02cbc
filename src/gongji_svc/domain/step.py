"""The facts of an explanation: one step for every part of the money, with its source.

Rule: facts, not sentences. They are stored with the settlement; `explanation.py` words them when
somebody reads.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from gongji_svc.domain.benefit import Benefit, BenefitTerms
from gongji_svc.domain.breakdown import Breakdown
from gongji_svc.domain.person import Account
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.terms import AccountOwner, AccountState, AccountUse
from gongji_svc.domain.waterfall import Donor, DonorOutcome, Flow


class Rule(StrEnum):
    """What a step tells."""

    FULL_SELF_PAY = "FULL_SELF_PAY"
    OVER_LIMIT = "OVER_LIMIT"
    PRE_SELF_PAY = "PRE_SELF_PAY"
    IN_SCOPE = "IN_SCOPE"
    GIVEN_BREAKDOWN = "GIVEN_BREAKDOWN"
    DEDUCTIBLE = "DEDUCTIBLE"
    FUND_RATIO = "FUND_RATIO"
    FUND_CAP = "FUND_CAP"
    FUND_NONE = "FUND_NONE"
    BENEFIT_CARRIED_FORWARD = "BENEFIT_CARRIED_FORWARD"
    ACCOUNT_BASE = "ACCOUNT_BASE"
    ACCOUNTS_NOT_USED = "ACCOUNTS_NOT_USED"
    OWN_ACCOUNT = "OWN_ACCOUNT"
    OWN_FROZEN = "OWN_FROZEN"
    DONOR_PAID = "DONOR_PAID"
    DONOR_LIMITED = "DONOR_LIMITED"
    DONOR_SKIPPED = "DONOR_SKIPPED"
    CASH = "CASH"
    REFUND_REST = "REFUND_REST"


class Caution(StrEnum):
    """What the person should know beside the sums."""

    RATIO_OF_OTHER_REGION = "RATIO_OF_OTHER_REGION"
    CATALOGUE_OF_OTHER_REGION = "CATALOGUE_OF_OTHER_REGION"
    FILING_MISSING = "FILING_MISSING"
    CODE_NOT_IN_CATALOGUE = "CODE_NOT_IN_CATALOGUE"
    DONOR_NOT_CHOSEN = "DONOR_NOT_CHOSEN"


@dataclass(frozen=True, slots=True)
class Step:
    """One fact: what rule, with which values, for how much (fen), and where the rule stands."""

    rule: Rule
    amount_fen: int
    source: str = ""
    params: Mapping[str, int | str] = field(default_factory=dict)


LINE_RULE = "docs/decisions/readings.md#line-arithmetic"


def steps_of_lines(breakdown: Breakdown, given: bool) -> list[Step]:
    """How the total parts by the catalogue; parts of nothing are left out."""
    if given:
        return [Step(Rule.GIVEN_BREAKDOWN, breakdown.personal_fen, LINE_RULE)]
    parts = (
        (Rule.FULL_SELF_PAY, breakdown.full_self_pay_fen),
        (Rule.OVER_LIMIT, breakdown.over_limit_fen),
        (Rule.PRE_SELF_PAY, breakdown.pre_self_pay_fen),
        (Rule.IN_SCOPE, breakdown.in_scope_fen),
    )
    return [Step(rule, amount, LINE_RULE) for rule, amount in parts if amount]


def steps_of_fund(
    breakdown: Breakdown, terms: BenefitTerms, benefit: Benefit, policy: Policy, day: date
) -> list[Step]:
    """What the fund pays and on which terms, or why nothing."""
    if terms.why_none:
        if breakdown.fund_pay_fen:  # priced elsewhere
            return []
        return [Step(Rule.FUND_NONE, 0, params={"why": terms.why_none})]
    sources = policy.sources
    steps: list[Step] = []
    if benefit.deductible_fen:
        source = sources.get("deductibles_fen", "")
        left = terms.deductible_left_fen
        steps.append(Step(Rule.DEDUCTIBLE, benefit.deductible_fen, source, {"left_fen": left}))
    ratio_rule = "chronic_ratios_bp" if terms.chronic else "ratios_bp"
    params: dict[str, int | str] = {"ratio_bp": terms.ratio_bp, "level": terms.level.value}
    steps.append(Step(Rule.FUND_RATIO, benefit.uncapped_fen, sources.get(ratio_rule, ""), params))
    if benefit.capped:
        source = sources.get("annual_caps_fen", "")
        left = terms.cap_left_fen or 0
        steps.append(Step(Rule.FUND_CAP, benefit.fund_pay_fen, source, {"left_fen": left}))
    if policy.benefit_year is not None and day.year > policy.benefit_year:
        source = sources.get("benefit_year", "")
        year = {"year": policy.benefit_year}
        steps.append(Step(Rule.BENEFIT_CARRIED_FORWARD, 0, source, {**year}))
    return steps


def steps_of_accounts(
    breakdown: Breakdown,
    base_fen: int,
    use: AccountUse,
    flow: Flow,
    policy: Policy,
    own: Sequence[Account],
    donors: Sequence[Donor],
) -> list[Step]:
    """Whose account paid what and why, and what is left as cash."""
    sources = policy.sources
    steps: list[Step] = []
    if base_fen < breakdown.personal_fen:
        steps.append(Step(Rule.ACCOUNT_BASE, base_fen, sources.get("account_base", "")))
    if use is AccountUse.NONE:
        steps.append(Step(Rule.ACCOUNTS_NOT_USED, 0))
    else:
        steps.extend(_steps_of_frozen(own, policy))
    source = sources.get("own_account_kinds", "")
    for leg in flow.legs:
        if leg.owner is AccountOwner.SELF:
            kind = {"kind": leg.account_kind.value}
            steps.append(Step(Rule.OWN_ACCOUNT, leg.amount_fen, source, {**kind}))
    if flow.outcomes:
        policies = {donor.binding.binding_id: donor.policy for donor in donors}
        for outcome in flow.outcomes:
            steps.append(_step_of_donor(outcome, policy, policies[outcome.binding_id]))
    if breakdown.cash_pay_fen:
        steps.append(Step(Rule.CASH, breakdown.cash_pay_fen, sources.get("order", "")))
    return steps


def _steps_of_frozen(own: Sequence[Account], policy: Policy) -> Iterator[Step]:
    """The patient's own accounts that would pay, were they not frozen."""
    for account in own:
        frozen = account.state is AccountState.FROZEN and account.kind in policy.own_account_kinds
        if frozen and account.balance_fen:
            yield Step(Rule.OWN_FROZEN, account.balance_fen, params={"kind": account.kind.value})


def _step_of_donor(outcome: DonorOutcome, policy: Policy, donor_policy: Policy) -> Step:
    params: dict[str, int | str] = {"binding_id": str(outcome.binding_id)}
    if outcome.why is None:
        return Step(Rule.DONOR_PAID, outcome.taken_fen, policy.sources.get("order", ""), params)
    params["why"] = outcome.why.value
    if outcome.until is not None:
        params["until"] = outcome.until.isoformat()
    if outcome.limited_by:
        params["limit"] = outcome.limited_by
    field = (outcome.rule or outcome.limited_by).partition(".")[0]
    owner = policy if field in _PATIENT_RULES else donor_policy
    rule = Rule.DONOR_LIMITED if outcome.taken_fen else Rule.DONOR_SKIPPED
    return Step(rule, outcome.taken_fen, owner.sources.get(field, ""), params)


_PATIENT_RULES = frozenset({"own_zero_rule", "order", "single_donor"})
