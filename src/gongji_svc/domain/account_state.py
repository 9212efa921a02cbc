"""The life of a personal account, and how much it can hold.

Rule: the table below is the whole state machine; what is not in it is refused. A frozen account
pays nothing and is not closed, but takes what is paid in; a closed one stays closed.
"""

from enum import StrEnum

from gongji_svc.domain.errors import (
    AccountClosed,
    AccountFrozen,
    AccountNotFrozen,
    BalanceTooLarge,
)
from gongji_svc.domain.terms import AccountState

GREATEST_BALANCE_FEN = 10**15


class AccountEvent(StrEnum):
    """What happens to an account."""

    FREEZE = "FREEZE"
    UNFREEZE = "UNFREEZE"
    CLOSE = "CLOSE"


STATES: dict[tuple[AccountState, AccountEvent], AccountState] = {
    (AccountState.OPEN, AccountEvent.FREEZE): AccountState.FROZEN,
    (AccountState.FROZEN, AccountEvent.UNFREEZE): AccountState.OPEN,
    (AccountState.OPEN, AccountEvent.CLOSE): AccountState.CLOSED,
}


def next_state(state: AccountState, event: AccountEvent) -> AccountState:
    """The state after an event; AccountClosed, AccountFrozen or AccountNotFrozen where there is
    none.
    """
    after = STATES.get((state, event))
    if after is not None:
        return after
    if state is AccountState.CLOSED:
        raise AccountClosed
    raise AccountFrozen if state is AccountState.FROZEN else AccountNotFrozen


def check_takes(state: AccountState, balance_fen: int, amount_fen: int) -> None:
    """AccountClosed, or BalanceTooLarge, where an account cannot take an amount."""
    if state is AccountState.CLOSED:
        raise AccountClosed
    if balance_fen + amount_fen > GREATEST_BALANCE_FEN:
        raise BalanceTooLarge
