"""Ends the holds whose time has passed, where nobody touches their accounts.

Rule: the engine itself ends what is due on the accounts that it locks; this only has it lock them.
Any number of processes may do this at once.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from uuid import UUID

from gongji_svc.domain.errors import Refusal
from gongji_svc.domain.hold import HoldState
from gongji_svc.engine import Answered, Engine, Outcome
from gongji_svc.services.office import Office
from gongji_svc.storage import tables
from gongji_svc.storage.holds import find_due, hold_in
from gongji_svc.storage.state import Decision, Keys, Lookups, State, Wanted

_HOLDS_READ = 1000
_BATCH = 32  # a till waits for as long as one batch holds its patient's accounts
_NEVER = float("inf")


@dataclass(slots=True)
class LockAccounts:
    """A lock on one owner's accounts; answers how many of the holds named have passed."""

    owner_id: UUID
    hold_ids: Sequence[UUID]
    deadline: float = _NEVER

    def lookups(self) -> Lookups:
        """Nothing: the owner is known."""
        return Lookups()

    def keys(self, state: State) -> Keys:  # noqa: ARG002 - the engine's shape
        """Nothing is claimed, for a second look changes nothing."""
        return Keys()

    def discover(self, state: State) -> Wanted:  # noqa: ARG002 - the engine's shape
        """The owner's accounts, and the holds."""
        things = tuple((tables.holds, hold_id) for hold_id in self.hold_ids)
        return Wanted(accounts_of=(self.owner_id,), things=things)

    def decide(self, state: State) -> Decision:
        """Nothing more."""
        holds = (hold_in(state, hold_id) for hold_id in self.hold_ids)
        ended = [hold for hold in holds if hold and hold.state is HoldState.EXPIRED]
        return Decision(str(len(ended)).encode())

    def field_name(self, number: int) -> str:
        """A look has no request and so no fields."""
        raise KeyError(number)


def expire_holds(office: Office) -> int:
    """End some of the holds that are due, the longest due first; how many."""
    with office.database.reader() as tx:
        due = find_due(tx, office.now(), _HOLDS_READ)
    looks = [LockAccounts(owner_id, hold_ids) for owner_id, hold_ids in due.items()]
    with closing(Engine(office.database, office.clock_offset)) as engine:
        batches = (looks[start : start + _BATCH] for start in range(0, len(looks), _BATCH))
        return sum(_ended(outcome) for batch in batches for outcome in engine.run(batch))


def _ended(outcome: Outcome) -> int:
    if isinstance(outcome, Refusal):
        raise outcome  # the database is away
    return int(outcome.answer) if isinstance(outcome, Answered) else 0
