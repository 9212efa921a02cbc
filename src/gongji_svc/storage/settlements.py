"""Settlements: the rows they are kept in, the sums they count, and how they are found again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, and_, select

from gongji_svc.domain.policy_values import NO_CAPS
from gongji_svc.domain.settlement import Bill, Plan
from gongji_svc.domain.settlement_record import to_record
from gongji_svc.domain.settlement_state import SettlementState
from gongji_svc.domain.waterfall import Used
from gongji_svc.storage import tables
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.refunds import RefundRow, find_refunds
from gongji_svc.storage.state import ClaimKey, State
from gongji_svc.storage.statements import Row


class Counted(StrEnum):
    """What `counters` adds up."""

    MUTUAL_AID = "MUTUAL_AID"  # of a binding, by day
    HOUSEHOLD = "HOUSEHOLD"  # of a donor, by day
    DEDUCTIBLE = "DEDUCTIBLE"  # of a person, by year; the insurance follows
    FUND = "FUND"

    def of(self, insurance: str) -> str:
        """The kind for one insurance."""
        return f"{self}:{insurance}"


def used(state: State, subject_id: UUID, counted: Counted, day: date) -> Used:
    """What was used on the day, in its month and in its year."""
    days = state.counters[subject_id, counted.value]
    if not days:
        return Used()
    in_year = {one: fen for one, fen in days.items() if one.year == day.year}
    month_fen = sum(fen for one, fen in in_year.items() if one.month == day.month)
    return Used(in_year.get(day, 0), month_fen, sum(in_year.values()))


def counter_row(state: State, subject_id: UUID, kind: str, day: date, more_fen: int) -> Row:
    """The row of `counters` after `more_fen` more were counted."""
    amount_fen = state.counters[subject_id, kind].get(day, 0) + more_fen
    return (region_of(subject_id), subject_id, kind, day, amount_fen)


def household_bindings(bill: Bill) -> set[UUID]:
    """The bindings whose use counts against all that the donor gives."""
    return {d.binding.binding_id for d in bill.donors if d.policy.household_caps != NO_CAPS}


@dataclass(frozen=True, slots=True)
class Settled:
    """A settlement to be kept."""

    settlement_id: UUID
    institution_code: str
    request_id: str
    bill: Bill
    plan: Plan
    donor_names: Mapping[str, str]
    sealed_agent: str | None
    occurred_at: datetime
    recorded_at: datetime
    trace_codes: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by number of line

    def row(self) -> Row:
        """The row of `settlements`."""
        bill, sums = self.bill, self.plan.breakdown
        detail: dict[str, Any] = {"plan": to_record(self.plan), "donors": dict(self.donor_names)}
        if self.sealed_agent is not None:
            detail["agent"] = self.sealed_agent
        if self.trace_codes:
            detail["trace_codes"] = self.trace_codes
        if household := household_bindings(bill):
            detail["household"] = sorted(household)
        return (
            region_of(self.settlement_id),
            self.settlement_id,
            self.institution_code,
            self.request_id,
            bill.patient.person.person_id,
            bill.patient.enrolment.region,
            bill.patient.enrolment.insurance.value,
            bill.care.visit_type.value,
            bill.account_use.value,
            SettlementState.SETTLED.value,
            sums.total_fen,
            sums.full_self_pay_fen,
            sums.over_limit_fen,
            sums.pre_self_pay_fen,
            sums.in_scope_fen,
            sums.deductible_fen,
            sums.fund_ratio_bp,
            sums.fund_pay_fen,
            sums.personal_fen,
            sums.account_pay_fen,
            sums.mutual_aid_pay_fen,
            sums.cash_pay_fen,
            " ".join(self.plan.policies[0].blocks),
            detail,
            self.occurred_at,
            self.recorded_at,
        )


@dataclass(frozen=True, slots=True)
class SettlementRow:
    """A row of `settlements`, by name."""

    region: str
    id: UUID
    institution_code: str
    request_id: str
    patient_id: UUID
    insured_region: str
    insurance: str
    visit_type: str
    account_use: str
    state: str
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
    policy: str
    detail: Mapping[str, Any]
    occurred_at: datetime
    recorded_at: datetime

    def row(self) -> Row:
        """The values in column order."""
        return tuple(getattr(self, name) for name in self.__slots__)

    @property
    def made_by(self) -> ClaimKey:
        """The key of the request that made it."""
        return (self.region, self.institution_code, self.request_id)


def settlement_in(state: State, settlement_id: UUID) -> SettlementRow | None:
    """The gathered settlement, None when there is none."""
    row = state.settlements.get(settlement_id)
    return None if row is None else SettlementRow(*row)


@dataclass(frozen=True, slots=True)
class Found:
    """A settlement that was found: the first answer's bytes, and the steps that gave back since."""

    settlement_id: UUID
    region: str
    institution_code: str
    patient_id: UUID
    insured_region: str
    detail: Mapping[str, Any]
    first_answer: bytes
    steps: Sequence[RefundRow] = ()


_SETTLEMENTS = tables.settlements.c
_REQUESTS = tables.requests.c
FOUND = select(
    _SETTLEMENTS.id,
    _SETTLEMENTS.region,
    _SETTLEMENTS.institution_code,
    _SETTLEMENTS.patient_id,
    _SETTLEMENTS.insured_region,
    _SETTLEMENTS.detail,
    _REQUESTS.answer,
    _SETTLEMENTS.state,
).join(
    tables.requests,
    and_(
        _REQUESTS.region == _SETTLEMENTS.region,
        _REQUESTS.caller == _SETTLEMENTS.institution_code,
        _REQUESTS.request_id == _SETTLEMENTS.request_id,
    ),
)
"""What a `Found` is made of, and the settlement's state."""


def find_by_id(tx: Connection, settlement_id: UUID) -> Found | None:
    """The settlement with this id."""
    named = FOUND.where(
        _SETTLEMENTS.region == region_of(settlement_id), _SETTLEMENTS.id == settlement_id
    )
    row = tx.execute(named).one_or_none()
    if row is None:
        return None
    *values, state = row
    found = Found(*values)
    if state == SettlementState.SETTLED:
        return found
    # What is read later is at least as new: the steps alone say how it stands.
    return replace(found, steps=find_refunds(tx, settlement_id))


def find_by_request(tx: Connection, institution_code: str, request_id: str) -> Found | None:
    """The settlement that this request of the institution made."""
    region = (
        select(tables.institutions.c.region)
        .where(tables.institutions.c.institution_code == institution_code)
        .scalar_subquery()
    )
    result_id = tx.scalar(
        select(_REQUESTS.result_id).where(
            _REQUESTS.region == region,
            _REQUESTS.caller == institution_code,
            _REQUESTS.request_id == request_id,
        )
    )
    return None if result_id is None else find_by_id(tx, result_id)
