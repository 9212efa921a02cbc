"""The move of what is left of 当年 to 历年 that the worker makes (upkeep/year_end.py): commands
like any other.

Rule: what was in the account at the turn of the year and is still free moves; what came in since
stays, and what is held. A purchase since then has taken the older money first. The accounts of
some people move together under one claim, which begins where the one before ended: so each account
moves once a year.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from gongji_svc.domain.calendar import start_of
from gongji_svc.domain.errors import ConcurrentChange
from gongji_svc.domain.journal import EntryKind, Journal, Posting
from gongji_svc.domain.terms import AccountKind, AccountState
from gongji_svc.services.office import Office
from gongji_svc.storage import tables
from gongji_svc.storage.accounts import account_from
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.state import AccountRow, Claim, Decision, Keys, Lookups, State, Wanted
from gongji_svc.storage.year_end import FIRST, Left

JOB = "move-year-end"

_NEVER = float("inf")
_MEMO = "年终结转"


def year_end_caller(turn: date) -> str:
    """Under whom the claims of a year are kept."""
    return f"{JOB}:{turn.year}"


@dataclass(slots=True)
class OpenPastYears:
    """The accounts of past years that some people lack: opened for those whose money moves."""

    office: Office
    region: str
    turn: date
    left: Sequence[Left]
    deadline: float = _NEVER

    def lookups(self) -> Lookups:
        """Nothing: everybody is named."""
        return Lookups()

    def keys(self, state: State) -> Keys:  # noqa: ARG002 - the engine's shape
        """The people, as whenever an account is opened."""
        return Keys(persons=tuple(one.person_id for one in self.left))

    def discover(self, state: State) -> Wanted:  # noqa: ARG002 - the engine's shape
        """Their accounts."""
        return Wanted(accounts_of=tuple(one.person_id for one in self.left))

    def decide(self, state: State) -> Decision:
        """The new accounts, empty."""
        lacking = (
            account
            for account, _ in self.moving(state)
            if _past_years(state, account.person_id) is None
        )
        rows = (_opened(account, state) for account in lacking)
        return Decision(b"", new=tuple((tables.accounts, opened.row()) for opened in rows))

    def field_name(self, number: int) -> str:
        """A worker's command has no request and so no fields."""
        raise KeyError(number)

    def moving(self, state: State) -> Iterator[tuple[AccountRow, int]]:
        """The accounts whose region moves them, and how much of each, fen above 0.

        ConcurrentChange when one has moved since it was read, or its year has not turned here.
        """
        if state.now < start_of(self.turn):
            raise ConcurrentChange
        for one in self.left:
            account = state.accounts[one.account_id]
            if account.seq != one.seq:
                raise ConcurrentChange
            policy = self.office.find_policy(account.pool_region, self.turn)
            amount_fen = min(one.left_fen, account_from(account).spendable_fen)
            if policy is not None and policy.year_end_move and amount_fen > 0:
                yield account, amount_fen


@dataclass(slots=True)
class MoveYearEnd(OpenPastYears):
    """The move for these people, who come after `after`; it answers who was the last of them,
    nothing when nobody comes after them.
    """

    after: UUID = FIRST
    is_last: bool = False

    def keys(self, state: State) -> Keys:
        """The claim, and the people."""
        caller = year_end_caller(self.turn)
        keys = OpenPastYears.keys(self, state)
        return Keys(Claim(self.region, caller, str(self.after), JOB, {}), keys.persons)

    def decide(self, state: State) -> Decision:
        """A journal an account."""
        journals = tuple(
            self._journal(account, _past_years(state, account.person_id), amount_fen)
            for account, amount_fen in self.moving(state)
        )
        answer = b"" if self.is_last else self.left[-1].person_id.bytes
        return Decision(answer, journals=journals)

    def _journal(self, account: AccountRow, past: AccountRow | None, amount_fen: int) -> Journal:
        assert past is not None  # noqa: S101 - OpenPastYears came first
        kind = EntryKind.TRANSFER
        return Journal(
            journal_id=new_id(account.pool_region),
            home=account.pool_region,
            occurred_at=start_of(self.turn),
            postings=(
                Posting(account.id, account.pool_region, kind, -amount_fen),
                Posting(past.id, past.pool_region, kind, amount_fen),
            ),
            lines=(),
            counterparty=account.pool_region,
            memo=_MEMO,
        )


def _past_years(state: State, person_id: UUID) -> AccountRow | None:
    for account in state.accounts_of[person_id]:
        if account.kind == AccountKind.PAST_YEARS and account.state != AccountState.CLOSED:
            return account
    return None


def _opened(beside: AccountRow, state: State) -> AccountRow:
    """An account of past years beside one of the current year."""
    return AccountRow(
        region=beside.region,
        id=new_id(beside.region),
        person_id=beside.person_id,
        pool_region=beside.pool_region,
        kind=AccountKind.PAST_YEARS.value,
        state=AccountState.OPEN.value,
        balance_fen=0,
        held_fen=0,
        frozen_quota_fen=0,
        seq=0,
        recorded_at=state.now,
    )
