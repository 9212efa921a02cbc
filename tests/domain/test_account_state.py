"""The life of an account: every state and event."""

from itertools import product

import pytest

from gongji_svc.domain.account_state import (
    GREATEST_BALANCE_FEN,
    STATES,
    AccountEvent,
    check_takes,
    next_state,
)
from gongji_svc.domain.errors import (
    AccountClosed,
    AccountFrozen,
    AccountNotFrozen,
    BalanceTooLarge,
    Refusal,
)
from gongji_svc.domain.terms import AccountState

OPEN, FROZEN, CLOSED = AccountState.OPEN, AccountState.FROZEN, AccountState.CLOSED
FREEZE, UNFREEZE, CLOSE = AccountEvent.FREEZE, AccountEvent.UNFREEZE, AccountEvent.CLOSE

OUTCOMES: dict[tuple[AccountState, AccountEvent], AccountState | type[Refusal]] = {
    (OPEN, FREEZE): FROZEN,
    (OPEN, UNFREEZE): AccountNotFrozen,
    (OPEN, CLOSE): CLOSED,
    (FROZEN, FREEZE): AccountFrozen,
    (FROZEN, UNFREEZE): OPEN,
    (FROZEN, CLOSE): AccountFrozen,
    (CLOSED, FREEZE): AccountClosed,
    (CLOSED, UNFREEZE): AccountClosed,
    (CLOSED, CLOSE): AccountClosed,
}


@pytest.mark.parametrize(("state", "event"), list(product(AccountState, AccountEvent)))
def test_each_state_takes_just_the_events_of_the_table(
    state: AccountState, event: AccountEvent
) -> None:
    outcome = OUTCOMES[state, event]
    if isinstance(outcome, AccountState):
        assert next_state(state, event) is STATES[state, event] is outcome
    else:
        assert (state, event) not in STATES
        with pytest.raises(outcome):
            next_state(state, event)


@pytest.mark.parametrize("state", [OPEN, FROZEN])
def test_what_is_not_closed_takes_money_up_to_the_greatest_balance(state: AccountState) -> None:
    check_takes(state, GREATEST_BALANCE_FEN - 5, 5)
    with pytest.raises(BalanceTooLarge):
        check_takes(state, GREATEST_BALANCE_FEN - 5, 6)


def test_a_closed_account_takes_nothing() -> None:
    with pytest.raises(AccountClosed):
        check_takes(CLOSED, 0, 1)
