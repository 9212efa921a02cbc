"""Accounts, holds and limits as plain Python: what the service must always agree with.

Rule: written from the contract's words alone; nothing of the service is imported. Days are numbers;
amounts are fen; an answer is what a caller learns, a refusal its reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Refused(Exception):
    """The reason why nothing was done."""


@dataclass
class Account:
    """One account; `log` is (amount, balance after) an entry."""

    balance: int = 0
    frozen: bool = False
    log: list[tuple[int, int]] = field(default_factory=list)

    def move(self, amount: int) -> None:
        if amount:
            self.balance += amount
            assert self.balance >= 0
            self.log.append((amount, self.balance))


@dataclass
class Hold:
    """An amount set aside on `day`, until `end`."""

    owner: str
    beneficiary: str
    till: str
    amount: int
    day: int
    end: int
    state: str = "OPEN"
    captured: int = 0


class Bond(NamedTuple):
    """Who pays for whom, and the donor's limits (none: very much)."""

    donor: str
    beneficiary: str
    per_settlement: int = 10**12
    per_day: int = 10**12


@dataclass
class Model:
    """Some people's money; bonds stand in the order in which donors pay."""

    accounts: dict[str, Account]
    bonds: Sequence[Bond]
    day: int = 0
    holds: dict[str, Hold] = field(default_factory=dict)
    spent: dict[tuple[Bond, int], int] = field(default_factory=dict)

    def pass_days(self, days: int) -> None:
        """Time goes by; holds end."""
        self.day += days
        for hold in self.holds.values():
            if hold.state == "OPEN" and hold.end <= self.day:
                hold.state = "EXPIRED"

    def held(self, name: str) -> int:
        return sum(h.amount for h in self.holds.values() if h.owner == name and h.state == "OPEN")

    def spendable(self, name: str) -> int:
        account = self.accounts[name]
        return 0 if account.frozen else account.balance - self.held(name)

    def counted(self, bond: Bond, day: int) -> int:
        """What a bond's limits count of a day."""
        holds = (h for h in self.holds.values() if self._bond(h) == bond and h.day == day)
        waiting = sum(h.amount for h in holds if h.state == "OPEN")
        return waiting + self.spent.get((bond, day), 0)

    def credit(self, name: str, amount: int) -> None:
        self.accounts[name].move(amount)

    def freeze(self, name: str) -> None:
        if self.accounts[name].frozen:
            raise Refused("ACCOUNT_FROZEN")
        self.accounts[name].frozen = True

    def unfreeze(self, name: str) -> None:
        if not self.accounts[name].frozen:
            raise Refused("ACCOUNT_NOT_FROZEN")
        self.accounts[name].frozen = False

    def hold(self, wanted: Hold) -> Hold:
        """Set an amount aside; the caller names it."""
        bond = self._bond(wanted)
        if bond is None and wanted.owner != wanted.beneficiary:
            raise Refused("MUTUAL_AID_NOT_USABLE")
        if self.accounts[wanted.owner].frozen:
            raise Refused("ACCOUNT_FROZEN")
        if bond is not None and wanted.amount > self._limit(bond, ()):
            raise Refused("LIMIT_EXCEEDED")
        if wanted.amount > self.spendable(wanted.owner):
            raise Refused("INSUFFICIENT_FUNDS")
        return wanted

    def capture(self, name: str, till: str, amount: int | None) -> int:
        """What is taken."""
        hold = self._resolvable(name, till)
        taken = hold.amount if amount is None else amount
        if taken > hold.amount:
            raise Refused("HOLD_AMOUNT_EXCEEDED")
        if self.accounts[hold.owner].frozen:
            raise Refused("ACCOUNT_FROZEN")
        hold.state, hold.captured = "CAPTURED", taken
        self.accounts[hold.owner].move(-taken)
        self._spend(self._bond(hold), hold.day, taken)
        return taken

    def release(self, name: str, till: str) -> None:
        self._resolvable(name, till).state = "RELEASED"

    def settle(
        self, patient: str, till: str, total: int, named: Sequence[str], *, own_only: bool
    ) -> dict[str, int]:
        """Who pays how much: the patient first, then the donors in order; the rest is cash."""
        usable = [self._usable(name, patient, till, own_only=own_only) for name in named]
        holds = [h for h in usable if not self.accounts[h.owner].frozen]  # the others stay open
        bonds = [] if own_only else [b for b in self.bonds if b.beneficiary == patient]
        paid: dict[str, int] = {}
        payers: list[tuple[str, Bond | None]] = (
            [(patient, None)] if patient in self.accounts else []
        )
        for name, bond in [*payers, *((b.donor, b) for b in bonds)]:
            free = self.spendable(name)
            if not self.accounts[name].frozen:
                free += sum(h.amount for h in holds if h.owner == name)
            left = total - sum(paid.values())
            limit = left if bond is None else self._limit(bond, holds)
            paid[name] = max(0, min(left, free, limit))
        for hold in holds:
            hold.state = "RELEASED"
        for name, amount in paid.items():
            _take(amount, [h for h in holds if h.owner == name])
            self.accounts[name].move(-amount)
            bond = next((b for b in bonds if b.donor == name), None)
            self._spend(bond, self.day, amount)
        return {name: amount for name, amount in paid.items() if amount}

    def _usable(self, name: str, patient: str, till: str, *, own_only: bool) -> Hold:
        hold = self.holds[name]
        if hold.beneficiary != patient and hold.till != till:
            raise Refused("HOLD_NOT_FOUND")
        foreign = own_only and hold.owner != patient
        if hold.beneficiary != patient or hold.till != till or foreign:
            raise Refused("HOLD_NOT_APPLICABLE")
        if hold.state != "OPEN":
            raise Refused(f"HOLD_{hold.state}")
        return hold

    def _resolvable(self, name: str, till: str) -> Hold:
        hold = self.holds[name]
        if hold.till != till:
            raise Refused("ACCESS_DENIED")
        if hold.state != "OPEN":
            raise Refused(f"HOLD_{hold.state}")
        return hold

    def _bond(self, hold: Hold) -> Bond | None:
        pair = (hold.owner, hold.beneficiary)
        return next((b for b in self.bonds if (b.donor, b.beneficiary) == pair), None)

    def _limit(self, bond: Bond, holds: Sequence[Hold]) -> int:
        """What the limits still allow; a hold that is used up does not stand in its own way."""
        mine = sum(h.amount for h in holds if self._bond(h) == bond and h.day == self.day)
        today = self.counted(bond, self.day) - mine
        return max(0, min(bond.per_settlement, bond.per_day - today))

    def _spend(self, bond: Bond | None, day: int, amount: int) -> None:
        if bond is not None and amount:
            self.spent[bond, day] = self.spent.get((bond, day), 0) + amount


def _take(amount: int, holds: Sequence[Hold]) -> None:
    """What one account pays comes from its holds first, in the order of naming."""
    for hold in holds:
        hold.captured = min(amount, hold.amount)
        amount -= hold.captured
        if hold.captured:
            hold.state = "CAPTURED"
