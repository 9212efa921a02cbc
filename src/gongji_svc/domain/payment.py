"""What a relative's premium (代缴) costs, when it may be paid, and when benefits begin.

Rule: a premium is one amount, never split: the year's standard less at most one subsidy, the most
favourable. The beneficiary's region decides; all its figures are values of the `Policy`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

from gongji_svc.domain.calendar import add_months, first_of_next_month, shift_years
from gongji_svc.domain.errors.payment import (
    PremiumInMaintenance,
    PremiumNothingToPay,
    PremiumNotOffered,
    PremiumWindowClosed,
    PremiumYearNotOffered,
)
from gongji_svc.domain.policy import Policy
from gongji_svc.domain.policy_values import PremiumGroup, Window
from gongji_svc.domain.terms import Insurance, PremiumHandOver

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Quote:
    """One person's premium of one year, in fen: payable = standard - subsidy."""

    insurance: Insurance
    year: int
    standard_fen: int
    subsidy_fen: int
    group: str | None  # the special group that brings the subsidy
    window: Window
    late: bool  # paid after the window, at the region's late amount
    carried_forward: bool  # standard or window is an earlier year's
    source: str

    @property
    def payable_fen(self) -> int:
        """What the donor pays."""
        return self.standard_fen - self.subsidy_fen

    def is_over(self, day: date) -> bool:
        """Whether the year can be paid no more: its window lies behind, and no late payment is
        taken.
        """
        return day > self.window.to and not self.late


def quote(
    policy: Policy, insurance: Insurance, year: int, groups: Collection[str], day: date
) -> Quote:
    """The premium as it stands on a day; PremiumNotOffered where the region has no standard or no
    window, PremiumYearNotOffered where it has one for later years only.
    """
    stated_fen = policy.premium_standards_fen.get(insurance, {})
    if not (insurance in policy.premium_insurances and stated_fen and policy.premium_windows):
        raise PremiumNotOffered()
    standards, windows = _latest(stated_fen, year), _latest(policy.premium_windows, year)
    if standards is None or windows is None:
        first_year = max(min(stated_fen), min(policy.premium_windows))
        raise PremiumYearNotOffered(year=str(year), first_year=str(first_year))
    (standard_year, standard_fen), (window_year, stated) = standards, windows
    shift = year - window_year
    window = Window(shift_years(stated.from_, shift), shift_years(stated.to, shift))
    late = year in policy.premium_late_payable_fen and day > window.to
    if late:
        standard_fen, groups = policy.premium_late_payable_fen[year], ()
    group, subsidy_fen = subsidy(standard_fen, policy.premium_groups, groups)
    return Quote(
        insurance=insurance,
        year=year,
        standard_fen=standard_fen,
        subsidy_fen=subsidy_fen,
        group=group,
        window=window,
        late=late,
        carried_forward=min(standard_year, window_year) < year,
        source=policy.source_of(*_sources(late, group)),
    )


def check_payable(policy: Policy, quoted: Quote, day: date) -> None:
    """Refuse a payment in maintenance, outside the window, or of nothing, in this order."""
    maintenance = policy.premium_maintenance
    if maintenance is not None and day in maintenance:
        raise PremiumInMaintenance(
            until=maintenance.to.isoformat(), channels="、".join(policy.premium_other_channels)
        )
    if day not in quoted.window and not quoted.late:
        raise PremiumWindowClosed(
            window_from=quoted.window.from_.isoformat(), window_to=quoted.window.to.isoformat()
        )
    if quoted.payable_fen == 0:
        raise PremiumNothingToPay()


def subsidy(
    standard_fen: int, special: Mapping[str, PremiumGroup], groups: Collection[str]
) -> tuple[str | None, int]:
    """The most favourable of a person's groups and its subsidy in fen, at most the standard."""
    best: tuple[str | None, int] = (None, 0)
    for name in sorted(set(groups) & special.keys()):
        group = special[name]
        if group.payable_fen is not None:
            amount_fen = max(0, standard_fen - group.payable_fen)
        else:
            amount_fen = min(standard_fen, group.subsidy_fen or 0)
        if amount_fen > best[1]:
            best = (name, amount_fen)
    return best


def wait_months(
    policy: Policy,
    year: int,
    *,
    in_window: bool,
    missed_years: int,
    repaired_years: int,
    groups: Collection[str],
) -> int:
    """Months without benefit (PRE-05); `missed_years` lie in a row before the insured year."""
    first = policy.premium_wait_from_year
    if first is None or year < first or policy.premium_wait_exempt & set(groups):
        return 0
    if in_window and missed_years == 0:
        return 0
    variable = max(0, missed_years - 1) * policy.premium_wait_per_missed_year_months
    repaired = min(variable, repaired_years * policy.premium_wait_per_repaired_year_months)
    months = policy.premium_wait_months + variable - repaired
    long_break_years = policy.premium_long_break_years
    if long_break_years is not None and missed_years >= long_break_years:
        return max(months, policy.premium_long_break_wait_months)
    return months


def benefit_from(year: int, months: int, late_paid_on: date | None = None) -> date:
    """The day benefits begin: from the year's start, or from the day paid outside the window."""
    start = date(year, 1, 1)
    return add_months(start if late_paid_on is None else max(start, late_paid_on), months)


def hand_over_day(policy: Policy, paid_on: date) -> date:
    """When the tax authority is told of a payment (PRE-08)."""
    if policy.premium_hand_over is PremiumHandOver.AT_ONCE:
        return paid_on
    return first_of_next_month(paid_on) - timedelta(days=1)


def _latest(stated: Mapping[int, T], year: int) -> tuple[int, T] | None:
    """The value of a year, or the latest before it with the year it was stated for."""
    years = [known for known in stated if known <= year]
    return (max(years), stated[max(years)]) if years else None


def _sources(late: bool, group: str | None) -> tuple[str, ...]:
    amount = "premium_late_payable_fen" if late else "premium_standards_fen"
    return (amount, "premium_windows", *(("premium_groups",) if group else ()))
