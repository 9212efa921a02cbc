"""Thousands of steps on the same accounts, and after each the service agrees with a plain model.

Rule: what a step does is seeded; time goes by in whole days, and a hold lasts whole days, so what
the machine needs for it makes no difference.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from gongji.v1 import account_pb2 as pb
from gongji.v1 import settlement_pb2
from gongji_svc.domain import errors
from gongji_svc.domain.policy_values import Caps
from gongji_svc.domain.terms import Insurance
from gongji_svc.storage.database import Database
from gongji_svc.upkeep.holds import expire_holds
from tests.end_to_end.books import Books
from tests.families import Families, Made
from tests.services.account_model import Account, Bond, Hold, Model, Refused
from tests.services.accounts import crediting, get_account
from tests.services.driver import Driver
from tests.services.holds import (
    HOHHOT,
    called,
    capture,
    counted,
    get_hold,
    hold,
    holding,
    move,
    release,
    state_of,
)
from tests.services.test_binding_races import settled_only
from tests.services.till import request_of, settle

STEPS = 1_500
A_DAY = timedelta(days=1)
BONDS = (
    Bond("father", "child", per_day=3_000),
    Bond("mother", "child"),
    Bond("father", "cousin", per_settlement=1_500),
)
OWNERS = ("father", "mother", "child")
PAIRS = [
    *(("father", one) for one in ("father", *["child"] * 3, *["cousin"] * 3)),
    *(("mother", one) for one in ("mother", *["child"] * 5, "cousin")),
    *(("child", one) for one in (*["child"] * 4, "father")),
]
TILLS = ("near", "far")


@dataclass
class World:
    """The service and the model side by side."""

    driver: Driver
    people: dict[str, Made]
    bindings: dict[Bond, UUID]
    codes: dict[str, str]
    chance: random.Random
    model: Model = field(default_factory=lambda: Model({name: Account() for name in OWNERS}, BONDS))
    unseen: set[str] = field(default_factory=set)  # whose holds ended and nobody noticed yet
    told: Counter[str] = field(default_factory=Counter)  # how often there was which outcome

    def step(self) -> None:
        """One thing happens to both, and both say the same."""
        kinds: dict[Callable[[], object], int] = {
            self._credit: 3,
            self._hold: 6,
            self._capture: 4,
            self._release: 2,
            self._settle: 5,
            self._freeze: 1,
            self._pass_days: 1,
        }
        kind = self.chance.choices(list(kinds), list(kinds.values()))[0]
        kind()
        self._compare()

    def _both(self, name: str, ask: Callable[[], Any], reckon: Callable[[], Any]) -> Any:
        """What the service answers, which is what the model says."""
        answer, said = outcome(ask), outcome(reckon)
        assert answer == said, name
        self.told[f"{name} {answer}" if isinstance(answer, Refused) else name] += 1
        return answer

    def _credit(self) -> None:
        owner, amount = self.chance.choice(OWNERS), self.chance.randint(1, 9_000)
        request = crediting(self.people[owner].account_id, amount, request_id=str(uuid4()))
        self._both(
            "credit",
            lambda: _nothing(called(self.driver, "agency", HOHHOT, "Credit", request)),
            lambda: self.model.credit(owner, amount),
        )
        self.unseen.discard(owner)

    def _freeze(self) -> None:
        owner = self.chance.choice(OWNERS)
        rpc = self.chance.choice(["Freeze", "Unfreeze", "Unfreeze", "Unfreeze"])
        request = getattr(pb, f"{rpc}AccountRequest")(
            request_id=str(uuid4()), account_id=str(self.people[owner].account_id), reason="核查"
        )
        self._both(
            rpc,
            lambda: _nothing(called(self.driver, "agency", HOHHOT, f"{rpc}Account", request)),
            lambda: getattr(self.model, rpc.lower())(owner),
        )
        self.unseen.discard(owner)

    def _hold(self) -> None:
        owner, beneficiary = self.chance.choice(PAIRS)
        till, amount = self.chance.choice(TILLS), self.chance.randint(1, 2_000)
        days, today = self.chance.randint(1, 7), self.model.day
        wanted = Hold(owner, beneficiary, till, amount, today, today + days)
        account_id, person = self.people[owner].account_id, self.people[beneficiary]
        made: list[pb.Hold] = []
        request = holding(account_id, person, amount, days * A_DAY)
        self._both(
            "hold",
            lambda: made.append(hold(self.driver, "pos", self.codes[till], request)),
            lambda: _nothing(self.model.hold(wanted)),
        )
        for one in made:
            self.model.holds[one.hold_id] = wanted
        self.unseen -= {owner, beneficiary}

    def _some_hold(self) -> str | None:
        """One of the latest, or more often one that was not resolved or noticed to have ended."""
        latest = list(self.model.holds)[-20:]
        waiting = [one for one in latest if self.model.holds[one].state in ("OPEN", "EXPIRED")]
        chosen = waiting if self.chance.random() < 2 / 3 else latest
        return self.chance.choice(chosen) if chosen else None

    def _till_of(self, hold_id: str) -> str:
        """The till of a hold, seldom another."""
        return self.chance.choice([*[self.model.holds[hold_id].till] * 9, *TILLS])

    def _capture(self) -> None:
        hold_id = self._some_hold()
        if hold_id is None:
            return
        till = self._till_of(hold_id)
        most = self.model.holds[hold_id].amount + 100
        amount = self.chance.choice([None, self.chance.randint(1, most)])
        self._both(
            "capture",
            lambda: (
                capture(
                    self.driver, "pos", self.codes[till], hold_id, amount or 0
                ).hold.captured_fen
            ),
            lambda: self.model.capture(hold_id, till, amount),
        )
        self.unseen.discard(self.model.holds[hold_id].owner)

    def _release(self) -> None:
        hold_id = self._some_hold()
        if hold_id is None:
            return
        till = self._till_of(hold_id)
        self._both(
            "release",
            lambda: _nothing(release(self.driver, "pos", self.codes[till], hold_id)),
            lambda: self.model.release(hold_id, till),
        )
        self.unseen.discard(self.model.holds[hold_id].owner)

    def _settle(self) -> None:
        patient, till = self.chance.choice(["child", "child", "cousin"]), self.chance.choice(TILLS)
        total, own_only = self.chance.randint(1, 5_000), self.chance.random() < 1 / 6
        named = self._named(patient, till)
        request = request_of(self.codes[till], self.people[patient], total, str(uuid4()))
        request.occurred_at.FromDatetime(self.driver.office.now())
        request.hold_ids.extend(named)
        if own_only:
            request.account_use = settlement_pb2.ACCOUNT_USE_OWN
        self._both(
            "settle with holds" if named else "settle",
            lambda: self._paid(patient, settle(self.driver, self.codes[till], request).settlement),
            lambda: self.model.settle(patient, till, total, named, own_only=own_only),
        )
        donors = set() if own_only else {b.donor for b in BONDS if b.beneficiary == patient}
        self.unseen -= {patient, *donors, *(self.model.holds[one].owner for one in named)}

    def _named(self, patient: str, till: str) -> list[str]:
        """Some open holds for a purchase, and now and then one that may not fit."""
        latest = list(self.model.holds.items())[-40:]
        fitting = [name for name, one in latest if (one.beneficiary, one.till) == (patient, till)]
        unused = [name for name in fitting if self.model.holds[name].state == "OPEN"]
        named = self.chance.sample(unused, k=min(len(unused), self.chance.randint(0, 3)))
        other = self.chance.choice([self._some_hold(), *fitting[-3:]])
        if other is not None and other not in named and self.chance.random() < 1 / 5:
            named.append(other)
        return named

    def _paid(self, patient: str, settlement: settlement_pb2.Settlement) -> dict[str, int]:
        """Who paid how much, by name."""
        donors = {str(binding_id): bond.donor for bond, binding_id in self.bindings.items()}
        return {donors.get(leg.binding_id, patient): leg.amount_fen for leg in settlement.legs}

    def _pass_days(self) -> None:
        days = self.chance.randint(1, 3)
        move(self.driver, days * A_DAY)
        self.model.pass_days(days)
        self.unseen = set(OWNERS)
        if self.chance.random() < 1 / 2:
            expire_holds(self.driver.office)
            self.unseen = set()

    def _compare(self) -> None:
        """Every account as its owner sees it; what ended unnoticed is still shown as held."""
        for name in OWNERS:
            made, account = self.people[name], self.model.accounts[name]
            seen = get_account(self.driver, "citizen", made, account_id=made.account_id)
            assert (seen.balance_fen, seen.seq) == (account.balance, len(account.log))
            if name not in self.unseen:
                assert seen.held_fen == self.model.held(name)
                assert seen.spendable_fen == self.model.spendable(name)


def outcome(call: Callable[[], Any]) -> Any:
    """What a call answers, or why it is refused."""
    try:
        return call()
    except errors.Refusal as refusal:
        return _Reason(refusal.reason)
    except Refused as refused:
        return _Reason(str(refused))


class _Reason(Refused):
    """A reason that equals the same reason."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reason) and str(self) == str(other)

    __hash__ = None  # type: ignore[assignment]  # compared only


def _nothing(_: object) -> None:
    """An answer of which nothing is compared but that there is one."""


@pytest.fixture
def families(database: Database) -> Families:
    families = Families(database)
    families.item("150000", "XA01")
    return families


def world(families: Families, seed: int) -> World:
    """A child with money of its own, and a cousin without; their donors; two tills."""
    people = {
        "father": families.person(HOHHOT, balance_fen=0),
        "mother": families.person(HOHHOT, balance_fen=0),
        "child": families.person(HOHHOT, balance_fen=0, insurance=Insurance.RESIDENT),
        "cousin": families.person(HOHHOT, insurance=Insurance.RESIDENT),
    }
    bindings = {
        bond: families.bind(
            people[bond.donor],
            people[bond.beneficiary],
            rank=rank,
            limits=Caps(per_settlement_fen=bond.per_settlement, per_day_fen=bond.per_day),
        )
        for rank, bond in enumerate(BONDS, 1)
    }
    codes = {till: families.institution(HOHHOT) for till in TILLS}
    driver = Driver(families.database)
    chance = random.Random(seed)  # noqa: S311 - a seeded choice, no secret
    return World(driver, people, bindings, codes, chance)


EXPECTED = {
    "credit", "hold", "capture", "release", "settle", "settle with holds", "Freeze", "Unfreeze",
    *(f"hold {why}" for why in ("ACCOUNT_FROZEN", "INSUFFICIENT_FUNDS", "LIMIT_EXCEEDED",
                                "MUTUAL_AID_NOT_USABLE")),
    *(f"capture {why}" for why in ("ACCESS_DENIED", "ACCOUNT_FROZEN", "HOLD_AMOUNT_EXCEEDED",
                                   "HOLD_CAPTURED", "HOLD_EXPIRED", "HOLD_RELEASED")),
    *(f"release {why}" for why in ("ACCESS_DENIED", "HOLD_CAPTURED", "HOLD_EXPIRED",
                                   "HOLD_RELEASED")),
    *(f"settle with holds {why}" for why in ("HOLD_CAPTURED", "HOLD_EXPIRED", "HOLD_NOT_APPLICABLE",
                                  "HOLD_NOT_FOUND", "HOLD_RELEASED")),
    "Freeze ACCOUNT_FROZEN", "Unfreeze ACCOUNT_NOT_FROZEN",
}  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
def test_the_service_and_a_plain_model_never_differ(
    families: Families, database: Database, seed: int
) -> None:
    both = world(families, seed)
    for _ in range(STEPS):
        both.step()
    assert both.told.keys() >= EXPECTED
    expire_holds(both.driver.office)
    check_end(both, database)
    settled_only(Books.read(database)).check()


def check_end(both: World, database: Database) -> None:
    """Every entry, hold and limit of the whole run."""
    model, driver = both.model, both.driver
    for name, account in model.accounts.items():
        query = """SELECT amount_fen, balance_after_fen FROM entries
                   WHERE account_id = %s ORDER BY seq"""
        with database.connect() as tx:
            rows = tx.execute(query, [both.people[name].account_id]).fetchall()
        assert rows == account.log
    for hold_id, one in model.holds.items():
        seen = get_hold(driver, "pos", both.codes[one.till], hold_id)
        assert (state_of(seen), seen.captured_fen) == (one.state, one.captured)
    first = driver.office.today() - model.day * A_DAY
    for bond, binding_id in both.bindings.items():
        days = {one.day for one in model.holds.values()} | {day for _, day in model.spent}
        expected = {
            (first + day * A_DAY).isoformat(): fen
            for day in days
            if (fen := model.counted(bond, day))
        }
        assert counted(database, binding_id) == expected
