"""Accounts as the rules see them."""

from uuid import UUID

from gongji_svc.domain.person import Account
from gongji_svc.domain.terms import AccountKind, AccountState
from gongji_svc.storage.state import AccountRow, State


def account_from(kept: AccountRow) -> Account:
    """An account from its row; its region is the one whose books it stands in."""
    return Account(
        account_id=kept.id,
        person_id=kept.person_id,
        region=kept.pool_region,
        kind=AccountKind(kept.kind),
        balance_fen=kept.balance_fen,
        held_fen=kept.held_fen,
        frozen_quota_fen=kept.frozen_quota_fen,
        state=AccountState(kept.state),
    )


def accounts_of(state: State, person_id: UUID) -> tuple[Account, ...]:
    """The gathered accounts of a person that are not closed."""
    return tuple(
        account_from(kept)
        for kept in state.accounts_of[person_id]
        if kept.state != AccountState.CLOSED
    )
