"""Cases of a premium paid for a relative: what is paid, how long benefits wait."""

from datetime import date
from typing import Any

from gongji_svc.domain.payment import benefit_from, quote, wait_months
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.policy_values import list_of, text, year
from gongji_svc.domain.preview.rules import policy_of, word
from gongji_svc.domain.preview.table import Table
from gongji_svc.domain.terms import Insurance

_RULES = (
    "standard_fen",
    "grants_fen",
    "several_grants",
    "window",
    "late_payable_fen",
    "fixed_wait_months",
    "extra_wait_months_per_further_missed_year",
    "wait_months_removed_per_repaired_year",
    "long_break_years",
    "long_break_wait_months",
    "wait_exempt",
)
_GIVEN = (
    "insutype",
    "insurance_year",
    "categories",
    "paid_in_window",
    "paid_on",
    "missed_years",
    "repaired_years",
)
_INSURANCES = {"390": Insurance.RESIDENT, "410": Insurance.LONG_TERM_CARE}
_YEAR = 2025  # of a case that names none: its answer does not depend on the year
_LONG_BREAK_YEARS, _LONG_BREAK_WAIT_MONTHS = 4, 6  # the nation's (PRE-05), where not stated
_WAIT_EXEMPT = ["newborn"]


def decide_premium(case: Table) -> dict[str, Any]:
    """The amounts where a standard is stated, the waiting months where those are."""
    rules, given = case.table("rules", _RULES), case.table("given", _GIVEN)
    insurance = Insurance.RESIDENT
    if given.stated("insutype") is not None:
        insurance = _INSURANCES[given.word("insutype", _INSURANCES)]
    insurance_year = given.read("insurance_year", year) or _YEAR
    policy = _policy(rules, insurance, insurance_year)
    groups = given.read("categories", list_of(text)) or ()
    paid_on = given.day("paid_on")
    expect: dict[str, Any] = {}
    if rules.stated("standard_fen") is not None:
        start = policy.premium_windows[insurance_year].from_
        quoted = quote(policy, insurance, insurance_year, groups, paid_on or start)
        expect |= {"grant_fen": quoted.subsidy_fen, "payable_fen": quoted.payable_fen}
    if rules.stated("fixed_wait_months") is not None:
        expect |= _waiting(given, policy, insurance_year, groups, paid_on)
    return expect


def _waiting(
    given: Table, policy: Policy, insurance_year: int, groups: tuple[str, ...], paid_on: date | None
) -> dict[str, Any]:
    in_window = given.flag("paid_in_window")
    if in_window is None:
        in_window = paid_on is None or paid_on in policy.premium_windows[insurance_year]
    months = wait_months(
        policy,
        insurance_year,
        in_window=in_window,
        missed_years=given.count("missed_years") or 0,
        repaired_years=given.count("repaired_years") or 0,
        groups=groups,
    )
    expect: dict[str, Any] = {"wait_months": months}
    if given.stated("insurance_year") is not None and (in_window or paid_on is not None):
        begins = benefit_from(insurance_year, months, None if in_window else paid_on)
        expect["benefit_from"] = begins.isoformat()
    return expect


def _policy(rules: Table, insurance: Insurance, insurance_year: int) -> Policy:
    """A case that states no window is always inside it."""
    window = rules.table("window", ("from", "to"))
    stated_window = {
        "from": window.day("from") or date(insurance_year - 1, 1, 1),
        "to": window.day("to") or date(insurance_year, 12, 31),
    }
    standard = rules.stated("standard_fen")
    late = rules.stated("late_payable_fen")
    this_year = str(insurance_year)
    stated = {
        "insurances": ("standard_fen", [insurance]),
        "standards_fen": (
            "standard_fen",
            None if standard is None else {insurance: {this_year: standard}},
        ),
        "windows": ("window", {this_year: stated_window}),
        "groups": ("grants_fen", _groups(rules)),
        "several_groups": ("several_grants", word(rules, "several_grants")),
        "late_payable_fen": ("late_payable_fen", None if late is None else {this_year: late}),
        "wait_from_year": ("fixed_wait_months", insurance_year),
    }
    for name, key, neutral in (
        ("wait_months", "fixed_wait_months", None),
        ("wait_per_missed_year_months", "extra_wait_months_per_further_missed_year", None),
        ("wait_per_repaired_year_months", "wait_months_removed_per_repaired_year", None),
        ("long_break_years", "long_break_years", _LONG_BREAK_YEARS),
        ("long_break_wait_months", "long_break_wait_months", _LONG_BREAK_WAIT_MONTHS),
        ("wait_exempt", "wait_exempt", _WAIT_EXEMPT),
    ):
        value = rules.stated(key) if name == "wait_exempt" else rules.count(key)
        stated[name] = (key, neutral if value is None else value)
    return policy_of(rules, {f"premium.{name}": entry for name, entry in stated.items()})


def _groups(rules: Table) -> Any:
    grants = rules.stated("grants_fen")
    if not isinstance(grants, dict):
        return grants
    return {name: {"subsidy_fen": amount_fen} for name, amount_fen in grants.items()}
