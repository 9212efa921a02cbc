"""The insured years that count as paid: what payments bring into a person's record, and take away.

Rule: a resident's year counts while a confirmed payment of it is not paid back, also while a refund
is asked for; of several payments the one whose benefit begins first. What an agency stated of the
year by itself stays beside it, so that it still counts when the payment is paid back.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from gongji_svc.domain.person import PremiumYear, PremiumYearKind
from gongji_svc.domain.premium_state import LIVE, PremiumState
from gongji_svc.domain.registration import ordered_years
from gongji_svc.domain.terms import Insurance

_COUNTS = LIVE - {PremiumState.SUBMITTED}


@dataclass(frozen=True, slots=True)
class YearPayment:
    """A payment of one year of one person."""

    payment_id: UUID
    year: int
    insurance: Insurance
    state: PremiumState
    paid_on: date
    benefit_from: date | None

    def premium_year(self) -> PremiumYear:
        """The year as the person's record keeps it; paid after its end it is repaired (修复)."""
        late = self.paid_on > date(self.year, 12, 31)
        kind = PremiumYearKind.REPAIRED if late else PremiumYearKind.PAID
        return PremiumYear(self.year, self.paid_on, kind, self.benefit_from, self.payment_id)


def years_counted(
    years: Sequence[PremiumYear], payments: Sequence[YearPayment]
) -> tuple[PremiumYear, ...]:
    """A person's record of years after these payments, which are all of that person."""
    stated = [one for one in years if one.payment_id is None]
    confirmed = [
        one for one in payments if one.insurance is Insurance.RESIDENT and one.state in _COUNTS
    ]
    brought: dict[int, PremiumYear] = {}
    for payment in sorted(confirmed, key=_first_to_begin):
        brought.setdefault(payment.year, payment.premium_year())
    return ordered_years((*brought.values(), *stated))


def paid_twice(payments: Sequence[YearPayment]) -> frozenset[UUID]:
    """The payments of years that are paid, or being paid, more than once."""
    live = [one for one in payments if one.state in LIVE]
    paid = Counter((one.year, one.insurance) for one in live)
    return frozenset(one.payment_id for one in live if paid[one.year, one.insurance] > 1)


def _first_to_begin(payment: YearPayment) -> tuple[date, UUID]:
    return payment.benefit_from or date.max, payment.payment_id
