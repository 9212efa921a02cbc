"""Holds that several resolve at once, and that end meanwhile: each has one winner.

Rule: every thread works through an office of its own, as processes do. What it does is seeded; how
the threads take turns is not, so a test asserts only what holds in any order.
"""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import cycle
from typing import Any
from uuid import UUID

import pytest

from gongji.v1 import account_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.policy_values import Caps
from gongji_svc.storage.database import Database
from gongji_svc.upkeep.holds import expire_holds
from tests.end_to_end.books import Books
from tests.families import Families, Made
from tests.services.accounts import crediting
from tests.services.applications import relative_in
from tests.services.driver import Driver
from tests.services.holds import (
    HOHHOT,
    called,
    capture,
    family,
    get_hold,
    hold,
    holding,
    money_of,
    release,
    state_of,
)
from tests.services.test_binding_races import all_at_once, all_of, offices, settled_only
from tests.services.test_settlement_holds import bought

A_SECOND = timedelta(seconds=1)
HOW = {
    "CAPTURED": errors.HoldCaptured,
    "RELEASED": errors.HoldReleased,
    "EXPIRED": errors.HoldExpired,
}


@pytest.fixture
def families(database: Database) -> Families:
    families = Families(database)
    families.item("150000", "XA01")
    return families


@pytest.fixture
def driver(database: Database) -> Driver:
    return Driver(database)


def test_of_all_who_resolve_a_hold_at_once_one_wins_and_the_others_are_told_how(
    driver: Driver, families: Families, database: Database
) -> None:
    code = families.institution(HOHHOT)
    donor, relative, _ = family(families)
    with offices(database, 6) as tills:
        for _ in range(12):
            made = hold(driver, "pos", code, holding(donor.account_id, relative, 500))
            kinds: list[Callable[[Driver, str], Any]] = [
                lambda office, hold_id: capture(office, "pos", code, hold_id, 200),
                lambda office, hold_id: release(office, "agency", HOHHOT, hold_id),
                lambda office, hold_id: bought(office, code, relative, 300, hold_id),
            ]
            calls = [
                lambda kind=kind, office=office, hold_id=made.hold_id: kind(office, hold_id)
                for kind, office in zip(cycle(kinds), tills, strict=False)
            ]
            outcomes = all_at_once(calls)
            winners = [one for one in outcomes if not isinstance(one, type)]
            losers = {one for one in outcomes if isinstance(one, type)}
            assert len(winners) == 1
            assert losers == {HOW[state_of(get_hold(driver, "pos", code, made.hold_id))]}
    assert money_of(database, donor.account_id)[1] == 0
    settled_only(Books.read(database)).check()


def test_a_capture_that_races_its_expiry_has_one_winner(
    driver: Driver, families: Families, database: Database
) -> None:
    code = families.institution(HOHHOT)
    donor, relative, _ = family(families)
    made = [
        hold(driver, "pos", code, holding(donor.account_id, relative, 10, A_SECOND))
        for _ in range(60)
    ]
    answers: dict[str, pb.Hold] = {}

    def capture_each(office: Driver) -> None:
        for one in made:
            # Some come in time and some too late, whatever the machine's pace.
            time.sleep(0.025)
            try:
                answers[one.hold_id] = capture(office, "pos", code, one.hold_id).hold
            except errors.HoldExpired:
                continue

    def end_each(office: Driver) -> None:
        while money_of(database, donor.account_id)[1]:
            expire_holds(office.office)

    with offices(database, 2) as (till, worker):
        all_of(lambda: capture_each(till), lambda: end_each(worker))
    for one in made:
        after = get_hold(driver, "pos", code, one.hold_id)
        assert state_of(after) == ("CAPTURED" if one.hold_id in answers else "EXPIRED")
        assert after == answers.get(one.hold_id, after)
        if one.hold_id in answers:
            assert after.resolved_at.ToDatetime() < after.expires_at.ToDatetime()
    taken = 10 * len(answers)
    assert money_of(database, donor.account_id) == (100_000 - taken, 0, len(answers))


@dataclass(slots=True)
class Traffic:
    """Two donors, two relatives and a till; whatever is done to them, in any order."""

    code: str
    donors: list[Made]
    relatives: list[Made]
    made: list[str] = field(default_factory=list)

    def act(self, office: Driver, seed: int, turns: int) -> None:
        """A till and an agency at work; a refusal is an answer too."""
        chance = random.Random(seed)  # noqa: S311 - a seeded choice, no secret
        for _ in range(turns):
            step = chance.choice(
                [self._credit, *[self._hold] * 4, *[self._capture] * 2, self._release, self._buy,
                 self._buy, self._freeze]
            )  # fmt: skip
            try:
                step(office, chance)
            except errors.Refusal as refusal:
                assert not isinstance(refusal, errors.ServiceUnavailable)

    def _credit(self, office: Driver, chance: random.Random) -> None:
        request = crediting(chance.choice(self.donors).account_id, chance.randint(1, 900))
        request.request_id = str(chance.random())
        called(office, "agency", HOHHOT, "Credit", request)

    def _hold(self, office: Driver, chance: random.Random) -> None:
        donor, ttl = chance.choice(self.donors), chance.choice([1, 3_600])
        beneficiary = chance.choice([donor, *self.relatives])
        request = holding(
            donor.account_id, beneficiary, chance.randint(1, 400), timedelta(seconds=ttl)
        )
        self.made.append(hold(office, "pos", self.code, request).hold_id)

    def _capture(self, office: Driver, chance: random.Random) -> None:
        capture(office, "pos", self.code, chance.choice(self.made), chance.randint(0, 300))

    def _release(self, office: Driver, chance: random.Random) -> None:
        release(office, "pos", self.code, chance.choice(self.made))

    def _buy(self, office: Driver, chance: random.Random) -> None:
        named = chance.sample(self.made, k=min(chance.randint(0, 1), len(self.made)))
        bought(office, self.code, chance.choice(self.relatives), chance.randint(1, 900), *named)

    def _freeze(self, office: Driver, chance: random.Random) -> None:
        account_id, request_id = str(chance.choice(self.donors).account_id), str(chance.random())
        freeze = pb.FreezeAccountRequest(
            account_id=account_id, request_id=f"f{request_id}", reason="核查"
        )
        unfreeze = pb.UnfreezeAccountRequest(
            account_id=account_id, request_id=f"u{request_id}", reason="核查完毕"
        )
        called(office, "agency", HOHHOT, "FreezeAccount", freeze)
        called(office, "agency", HOHHOT, "UnfreezeAccount", unfreeze)


def test_after_any_traffic_the_books_the_holds_and_the_limits_agree(
    families: Families, database: Database
) -> None:
    donors = [families.person(HOHHOT, balance_fen=0) for _ in range(2)]
    relatives = [relative_in(families, HOHHOT) for _ in range(2)]
    bindings = [
        families.bind(donor, relative, rank=rank, limits=Caps(per_year_fen=9_000))
        for relative in relatives
        for rank, donor in enumerate(donors, 1)
    ]
    traffic = Traffic(families.institution(HOHHOT), donors, relatives)
    owner = families.person(HOHHOT, balance_fen=5)
    with offices(database, 5) as (*tills, worker):
        first = hold(tills[0], "pos", traffic.code, holding(owner.account_id, owner, 5))
        traffic.made.append(first.hold_id)
        all_of(
            *(
                lambda office=office, n=n: traffic.act(office, n, 150)
                for n, office in enumerate(tills)
            ),
            lambda: sweep(worker, 60),
        )
    books = settled_only(Books.read(database))
    books.check()
    open_fen = open_holds(database)
    assert {"CAPTURED", "RELEASED"} <= states(database)
    for donor in donors:
        assert donor.account_id is not None
        history = books.entries.get(donor.account_id, [])
        balance_fen, held_fen, _ = money_of(database, donor.account_id)
        assert balance_fen == sum(entry["amount_fen"] for entry in history)
        assert held_fen == open_fen[donor.account_id]
    paid_fen: Counter[UUID] = Counter()
    for history in books.entries.values():
        for entry in history:
            paid_fen[entry["binding_id"]] -= entry["amount_fen"]
    for binding_id in bindings:
        assert limit_counts(database, binding_id) == paid_fen[binding_id] + open_fen[binding_id]


def sweep(office: Driver, times: int) -> None:
    """The worker's turns, with a pause between."""
    for _ in range(times):
        expire_holds(office.office)
        time.sleep(0.02)


def open_holds(database: Database) -> Counter[UUID]:
    """What open holds amount to, by account and by binding."""
    query = "SELECT account_id, binding_id, amount_fen FROM holds WHERE state = 'OPEN'"
    found: Counter[UUID] = Counter()
    with database.connect() as tx:
        rows: list[Any] = tx.execute(query).fetchall()
    for account_id, binding_id, amount_fen in rows:
        found[account_id] += amount_fen
        found[binding_id] += amount_fen
    return found


def states(database: Database) -> set[str]:
    """What has become of holds."""
    with database.connect() as tx:
        return {str(state) for (state,) in tx.execute("SELECT DISTINCT state FROM holds")}


def limit_counts(database: Database, subject: UUID) -> int:
    """What is counted of a binding, whatever the day."""
    query = "SELECT coalesce(sum(amount_fen), 0)::bigint FROM counters WHERE subject_id = %s"
    with database.connect() as tx:
        row: Any = tx.execute(query, [subject]).fetchone()
    return int(row[0])
