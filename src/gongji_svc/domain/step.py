"""The facts of an explanation: one step for every part of the money, with its source.

Rule: facts, not sentences. They are stored with the settlement; `explanation.py` words them when
somebody reads.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from gongji_svc.domain.benefit import Benefit, BenefitTerms
from gongji_svc.domain.bill import LineSplit, Sums
from gongji_svc.domain.breakdown import Breakdown
from gongji_svc.domain.money import share_of
from gongji_svc.domain.person import Account
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.terms import (
    AccountBase,
    AccountOwner,
    AccountState,
    AccountUse,
    InstitutionKind,
)
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
    FUND_GIVEN = "FUND_GIVEN"
    BENEFIT_CARRIED_FORWARD = "BENEFIT_CARRIED_FORWARD"
    ACCOUNT_BASE = "ACCOUNT_BASE"
    ACCOUNTS_NOT_USED = "ACCOUNTS_NOT_USED"
    OWN_ACCOUNT = "OWN_ACCOUNT"
    OWN_FROZEN = "OWN_FROZEN"
    HOLD_FROZEN = "HOLD_FROZEN"
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
    CASH_TO_PAY_IN = "CASH_TO_PAY_IN"


@dataclass(frozen=True, slots=True)
class Step:
    """One fact: what rule, with which values, for how much (fen), and where the rule stands."""

    rule: Rule
    amount_fen: int
    source: str = ""
    params: Mapping[str, int | str] = field(default_factory=dict)


# Where a rule stands that no region's file gives a value for.
_LINES = "docs/decisions/readings.md#line-arithmetic"
_GIVEN = "docs/decisions/readings.md#inpatient"
_NO_BENEFIT = "docs/decisions/readings.md#outpatient-benefit"
_NO_BENEFIT_AT_PHARMACIES = "docs/decisions/readings.md#pooled-benefit-at-pharmacies"
_ORDER = "docs/decisions/readings.md#order-at-the-till"
_OWN_ACCOUNT = "docs/decisions/readings.md#own-account"
_HOLDS = "docs/decisions/readings.md#holds"
_ELIGIBLE_DONOR = "docs/decisions/readings.md#eligible-donor"

_NO_FUND: Mapping[str, tuple[tuple[str, ...], str]] = {
    "NOT_COMPUTED": ((), _GIVEN),
    "NOT_INSURED": ((), "docs/decisions/readings.md#beneficiary-lapsed"),
    "LAPSED": ((), "docs/decisions/readings.md#lapse"),
    "WAITING": (("lapse_wait_months", "premium_wait_months"), ""),
    "ARREARS_UNPAID": (("lapse_arrears_after_months",), ""),
    "ARREARS_NOT_EFFECTIVE": (("lapse_arrears_effect_months",), ""),
    "VISIT_TYPE_WITHOUT_BENEFIT": (("benefit_visit_types",), _NO_BENEFIT),
    "PERSON_WITHOUT_BENEFIT": (
        ("ratios_bp",),
        "docs/decisions/readings.md#resident-outpatient",
    ),
}
"""Why the fund pays nothing: the `Policy` fields behind it, and where it stands without them."""


def steps_of_lines(breakdown: Breakdown, lines: Iterable[LineSplit], given: bool) -> list[Step]:
    """How the total parts; parts of nothing are left out.

    By the catalogue, with the rates of what class B pays first; or as `given`: then also what the
    fund pays and what is left to the person.
    """
    source = _GIVEN if given else _LINES
    parts = (
        (Rule.FULL_SELF_PAY, breakdown.full_self_pay_fen),
        (Rule.OVER_LIMIT, breakdown.over_limit_fen),
        (Rule.PRE_SELF_PAY, breakdown.pre_self_pay_fen),
        (Rule.IN_SCOPE, breakdown.in_scope_fen),
    )
    rates = _rates_of(lines)
    params = {Rule.PRE_SELF_PAY: {"rates": rates}} if rates else {}
    steps = [Step(rule, fen, source, {**params.get(rule, {})}) for rule, fen in parts if fen]
    if given:
        if breakdown.fund_pay_fen:
            steps.append(Step(Rule.FUND_GIVEN, breakdown.fund_pay_fen, source))
        steps.append(Step(Rule.GIVEN_BREAKDOWN, breakdown.personal_fen, source))
    return steps


def _rates_of(lines: Iterable[LineSplit]) -> str:
    """What class B pays first, as "rate_bp:of_fen:paid_fen" for each rate, the lowest first."""
    of_fen: Counter[int] = Counter()
    paid_fen: Counter[int] = Counter()
    for line in lines:
        if line.pre_self_pay_fen:
            of_fen[line.self_pay_bp] += line.amount_fen - line.over_limit_fen
            paid_fen[line.self_pay_bp] += line.pre_self_pay_fen
    return " ".join(f"{rate}:{of_fen[rate]}:{paid_fen[rate]}" for rate in sorted(paid_fen))


def steps_of_fund(
    breakdown: Breakdown,
    terms: BenefitTerms,
    benefit: Benefit,
    policy: Policy,
    day: date,
    place: InstitutionKind,
) -> list[Step]:
    """What the fund pays and on which terms, or why nothing at such a place."""
    sources = policy.sources
    if terms.why_none:
        if breakdown.fund_pay_fen:  # priced elsewhere
            return []
        names, otherwise = _NO_FUND[terms.why_none]
        if otherwise == _NO_BENEFIT and place is InstitutionKind.PHARMACY:
            otherwise = _NO_BENEFIT_AT_PHARMACIES
        source = policy.source_of(*names) or otherwise
        until = {} if terms.until is None else {"until": terms.until.isoformat()}
        return [Step(Rule.FUND_NONE, 0, source, {"why": terms.why_none, **until})]
    steps: list[Step] = []
    if benefit.deductible_fen:
        source = sources.get("deductibles_fen", "")
        left = terms.deductible_left_fen
        steps.append(Step(Rule.DEDUCTIBLE, benefit.deductible_fen, source, {"left_fen": left}))
    steps.append(_step_of_ratio(terms, benefit, policy))
    if benefit.capped:
        source = sources.get("annual_caps_fen", "")
        left = terms.cap_left_fen or 0
        steps.append(Step(Rule.FUND_CAP, benefit.fund_pay_fen, source, {"left_fen": left}))
    if policy.benefit_year is not None and day.year > policy.benefit_year:
        source = sources.get("benefit_year", "")
        year = {"year": policy.benefit_year}
        steps.append(Step(Rule.BENEFIT_CARRIED_FORWARD, 0, source, {**year}))
    return steps


def _step_of_ratio(terms: BenefitTerms, benefit: Benefit, policy: Policy) -> Step:
    """The ratio, and of a chain its parts: after a lapse only a part of it holds (ULQ-30)."""
    rules = ["chronic_ratios_bp" if terms.chronic else "ratios_bp"]
    params: dict[str, int | str] = {"ratio_bp": terms.ratio_bp, "level": terms.level.value}
    if len(terms.ratios_bp) > 1:
        params["own_bp"], params["limited_to_bp"] = terms.ratios_bp
        rules.append("lapse_limited_ratio_bp")
    return Step(Rule.FUND_RATIO, benefit.uncapped_fen, policy.source_of(*rules), params)


_COUNTED = ("in_scope", "pre_self_pay", "over_limit", "full_self_pay")
_OUTSIDE_POLICY = _COUNTED[2:]
_MOST_LINES_NAMED = 20


def steps_of_base(
    breakdown: Breakdown, base_fen: int, sums: Sums, lines: Iterable[LineSplit], policy: Policy
) -> Iterator[Step]:
    """What accounts may pay, where that is not the whole personal share: what counts, less the
    fund's part of it (`fund_fen`), and what is left out (`no_*`, and `no_lines`, a number of which
    the first are named).
    """
    if base_fen >= breakdown.personal_fen:
        return
    fund_fen = share_of(breakdown.fund_pay_fen, sums.payable_in_scope_fen, sums.in_scope_fen)
    params: dict[str, int | str] = {"fund_fen": fund_fen}
    in_policy = policy.account_base is AccountBase.IN_POLICY
    for name in _COUNTED:
        prefix = "no_" if in_policy and name in _OUTSIDE_POLICY else ""
        params[f"{prefix}{name}_fen"] = getattr(sums, f"payable_{name}_fen")
    barred = [line for line in lines if not line.account_payable]
    if barred:
        params["no_lines_fen"] = sum([line.amount_fen for line in barred])
        params["no_lines"] = " ".join(str(line.line_no) for line in barred[:_MOST_LINES_NAMED])
        params["no_lines_count"] = len(barred)
    kept = {name: value for name, value in params.items() if value}
    yield Step(Rule.ACCOUNT_BASE, base_fen, policy.sources.get("account_base", ""), kept)


def steps_of_accounts(
    breakdown: Breakdown,
    use: AccountUse,
    flow: Flow,
    policy: Policy,
    own: Sequence[Account],
    donors: Sequence[Donor],
) -> list[Step]:
    """Whose account paid what and why, and what is left as cash."""
    sources = policy.sources
    steps: list[Step] = []
    if use is AccountUse.NONE:
        steps.append(Step(Rule.ACCOUNTS_NOT_USED, 0, _ORDER))
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
            kind = {"kind": account.kind.value}
            yield Step(Rule.OWN_FROZEN, account.balance_fen, _OWN_ACCOUNT, {**kind})


def steps_of_frozen_holds(amounts_fen: Iterable[int]) -> Iterator[Step]:
    """The holds that the till named in vain: their account is frozen, so they stay."""
    for amount_fen in amounts_fen:
        yield Step(Rule.HOLD_FROZEN, amount_fen, _HOLDS)


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
    return Step(rule, outcome.taken_fen, owner.sources.get(field, _ELIGIBLE_DONOR), params)


_PATIENT_RULES = frozenset({"own_zero_rule", "order", "single_donor"})

_CAUTIONS: Mapping[Caution, str] = {
    Caution.RATIO_OF_OTHER_REGION: "out_of_region_warnings",
    Caution.CATALOGUE_OF_OTHER_REGION: "out_of_region_warnings",
    Caution.FILING_MISSING: "out_of_region_warnings",
    Caution.CODE_NOT_IN_CATALOGUE: "docs/decisions/readings.md#catalogue",
    Caution.DONOR_NOT_CHOSEN: "order",
    Caution.CASH_TO_PAY_IN: "docs/decisions/readings.md#refund-in-steps",
}
"""The `Policy` field behind a caution, or where it stands."""


def source_of(caution: Caution, sources: Mapping[str, str]) -> str:
    """Where the rule behind a caution stands; `sources` are those of the patient's policy."""
    return sources.get(_CAUTIONS[caution], _CAUTIONS[caution])
