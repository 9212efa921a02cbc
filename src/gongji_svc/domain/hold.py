"""Money set aside for a later purchase (预留), and its life.

Rule: the table below is the whole state machine: a hold is resolved once, and every later attempt
is told how. What was not taken of it is free again at once.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from gongji_svc.domain.errors import (
    HoldAmountExceeded,
    HoldCaptured,
    HoldExpired,
    HoldNotApplicable,
    HoldNotFound,
    HoldReleased,
    Refusal,
)
from gongji_svc.domain.terms import AccountUse
from gongji_svc.domain.waterfall import Leg, Used


class HoldState(StrEnum):
    """Where a hold stands."""

    OPEN = "OPEN"
    CAPTURED = "CAPTURED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


class HoldEvent(StrEnum):
    """What happens to a hold."""

    CAPTURE = "CAPTURE"
    RELEASE = "RELEASE"
    EXPIRE = "EXPIRE"


STATES: dict[tuple[HoldState, HoldEvent], HoldState] = {
    (HoldState.OPEN, HoldEvent.CAPTURE): HoldState.CAPTURED,
    (HoldState.OPEN, HoldEvent.RELEASE): HoldState.RELEASED,
    (HoldState.OPEN, HoldEvent.EXPIRE): HoldState.EXPIRED,
}
_RESOLVED: dict[HoldState, type[Refusal]] = {
    HoldState.CAPTURED: HoldCaptured,
    HoldState.RELEASED: HoldReleased,
    HoldState.EXPIRED: HoldExpired,
}
_NOT_USED = "结算时未使用"


@dataclass(frozen=True, slots=True)
class Hold:
    """An amount of one account for one beneficiary; amounts in fen.

    Without a binding it is the owner's own; without an institution it is for any. It counts against
    the binding's limits on `counted_on`, and with `household` against the household's caps.
    """

    hold_id: UUID
    account_id: UUID
    owner_id: UUID
    beneficiary_id: UUID
    binding_id: UUID | None
    institution_code: str
    amount_fen: int
    captured_fen: int
    state: HoldState
    counted_on: date
    household: bool
    created_at: datetime
    expires_at: datetime
    resolved_at: datetime | None = None
    reason: str = ""

    def is_due(self, now: datetime) -> bool:
        """Whether its time has passed and nothing was done about it."""
        return self.state is HoldState.OPEN and self.expires_at <= now


def next_state(state: HoldState, event: HoldEvent) -> HoldState:
    """The state after an event; HoldCaptured, HoldReleased or HoldExpired where it is resolved."""
    after = STATES.get((state, event))
    if after is None:
        raise _RESOLVED[state]
    return after


def captured(hold: Hold, amount_fen: int | None, now: datetime) -> Hold:
    """The hold after a debit of an amount, of all of it when None; the rest is free again.

    HoldAmountExceeded for more than is held.
    """
    state = next_state(hold.state, HoldEvent.CAPTURE)
    taken_fen = hold.amount_fen if amount_fen is None else amount_fen
    if taken_fen > hold.amount_fen:
        raise HoldAmountExceeded
    return replace(hold, state=state, captured_fen=taken_fen, resolved_at=now)


def released(hold: Hold, reason: str, now: datetime) -> Hold:
    """The hold after its amount was freed without a debit."""
    state = next_state(hold.state, HoldEvent.RELEASE)
    return replace(hold, state=state, resolved_at=now, reason=reason)


def expired(hold: Hold) -> Hold:
    """The hold after its time has passed; that was when it ended, whoever noticed it when."""
    state = next_state(hold.state, HoldEvent.EXPIRE)
    return replace(hold, state=state, resolved_at=hold.expires_at)


def seen_at(hold: Hold, now: datetime) -> Hold:
    """The hold as it stands at an instant, whether or not its end was noticed."""
    return expired(hold) if hold.is_due(now) else hold


def check_applicable(
    hold: Hold, patient_id: UUID, institution_code: str, account_use: AccountUse
) -> None:
    """Whether a settlement may use a hold that it names.

    HoldNotFound for one of neither the patient nor the institution, HoldNotApplicable where only
    one of them is right or the way of paying is not; then how it was resolved, if it was.
    """
    patients, here = hold.beneficiary_id == patient_id, hold.institution_code == institution_code
    if not patients and not here:
        raise HoldNotFound
    own = hold.binding_id is None
    pays = account_use is AccountUse.MUTUAL_AID or (own and account_use is AccountUse.OWN)
    if not patients or not pays or not (here or hold.institution_code == ""):
        raise HoldNotApplicable
    next_state(hold.state, HoldEvent.CAPTURE)


def settled(holds: Sequence[Hold], legs: Sequence[Leg], now: datetime) -> Iterator[Hold]:
    """What becomes of the holds that a settlement names: what its legs took of them is captured, in
    the order of naming; what they took nothing of is released.
    """
    left_fen: Counter[UUID] = Counter()
    for leg in legs:
        left_fen[leg.account_id] += leg.from_hold_fen
    for hold in holds:
        taken_fen = min(hold.amount_fen, left_fen[hold.account_id])
        left_fen[hold.account_id] -= taken_fen
        yield captured(hold, taken_fen, now) if taken_fen else released(hold, _NOT_USED, now)


def used_without(used: Used, holds: Sequence[Hold], day: date) -> Used:
    """What was used of limits in the day, its month and its year but for open holds."""
    in_year = [hold for hold in holds if hold.counted_on.year == day.year]
    in_month = [hold for hold in in_year if hold.counted_on.month == day.month]
    on_day = [hold for hold in in_month if hold.counted_on == day]
    return Used(
        used.day_fen - sum(hold.amount_fen for hold in on_day),
        used.month_fen - sum(hold.amount_fen for hold in in_month),
        used.year_fen - sum(hold.amount_fen for hold in in_year),
    )
