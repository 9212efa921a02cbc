"""The engine: claims, locks, decisions, records. The command here moves plain money."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date
from threading import Event
from uuid import UUID

import psycopg
import pytest
from structlog.testing import capture_logs

from gongji_svc.domain.errors import (
    DeadlinePassed,
    InsufficientFunds,
    RequestIdCancelled,
    RequestIdReused,
    ServiceUnavailable,
)
from gongji_svc.domain.journal import EntryKind, Journal, Line, Posting, Side
from gongji_svc.engine import Answered, Engine, Fault, Outcome
from gongji_svc.signals.batches import Stages
from gongji_svc.storage import tables
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id, region_of
from gongji_svc.storage.state import Claim, Decision, Keys, Lookups, State, Wanted
from tests.families import Families

REGION = "150100"


@dataclass(frozen=True, slots=True)
class Move:
    """Moves money on accounts named with their owners; against the contribution side."""

    request_id: str
    amounts: Sequence[tuple[UUID, UUID, int]]  # (owner, account, fen)
    deadline: float = field(default_factory=lambda: time.time() + 60)
    before_deciding: Callable[[], None] = lambda: None
    original: str = ""  # the request that this one is about

    def lookups(self) -> Lookups:
        return Lookups()

    def keys(self, state: State) -> Keys:  # noqa: ARG002 - the engine's shape
        content = {1: repr([(str(a), n) for _, a, n in self.amounts]).encode()[-8:].rjust(8)}
        return Keys(
            claim=Claim(REGION, "caller", self.request_id, "Move", content),
            persons=tuple(owner for owner, _, _ in self.amounts),
            original=(REGION, "caller", self.original) if self.original else None,
        )

    def discover(self, state: State) -> Wanted:  # noqa: ARG002 - the engine's shape
        return Wanted(accounts_of=tuple(owner for owner, _, _ in self.amounts))

    def decide(self, state: State) -> Decision:
        self.before_deciding()
        for _, account, amount_fen in self.amounts:
            if state.accounts[account].balance_fen + amount_fen < 0:
                raise InsufficientFunds
        postings = [
            Posting(account, region_of(account), EntryKind.OTHER, amount_fen)
            for _, account, amount_fen in self.amounts
        ]
        total_fen = sum(posting.amount_fen for posting in postings)
        line = Line(REGION, Side.CONTRIBUTION, "test", -total_fen)
        lines = [line] if total_fen else []
        journal = Journal(new_id(REGION), REGION, state.now, postings, lines)
        known = state.requests.get((REGION, "caller", self.original))
        about = b"" if known is None or known.answer is None else b" about " + known.answer
        return Decision(answer=self.request_id.encode() + about, journals=(journal,))

    def field_name(self, number: int) -> str:
        return {1: "amounts"}[number]


@pytest.fixture
def families(database: Database) -> Families:
    return Families(database)


def balance_fen(database: Database, account: UUID) -> int:
    with database.connect() as tx:
        row = tx.execute("SELECT balance_fen FROM accounts WHERE id = %s", [account]).fetchone()
    assert row is not None
    return int(str(row[0]))


def entries(database: Database, account: UUID) -> list[tuple[object, ...]]:
    query = """SELECT seq, amount_fen, balance_after_fen FROM entries
               WHERE account_id = %s ORDER BY seq"""
    with database.connect() as tx:
        return tx.execute(query, [account]).fetchall()


def run_one(database: Database, command: Move) -> Outcome:
    engine = Engine(database)
    try:
        return engine.run([command])[0]
    finally:
        engine.close()


def test_a_credit_is_an_entry_and_a_balance(database: Database, families: Families) -> None:
    owner = new_id(REGION)
    account = families.account(REGION, person_id=owner)
    assert run_one(database, Move("a", [(owner, account, 500)])) == Answered(b"a")
    assert run_one(database, Move("b", [(owner, account, -120)])) == Answered(b"b")
    assert balance_fen(database, account) == 380
    assert entries(database, account) == [(1, 500, 500), (2, -120, 380)]


def test_a_repeat_gets_the_first_answer_and_moves_nothing(
    database: Database, families: Families
) -> None:
    owner = new_id(REGION)
    account = families.account(REGION, person_id=owner)
    command = Move("a", [(owner, account, 500)])
    run_one(database, command)
    assert run_one(database, command) == Answered(b"a", replayed=True)
    assert balance_fen(database, account) == 500


def test_a_repeat_within_one_batch_is_answered_once(database: Database, families: Families) -> None:
    owner = new_id(REGION)
    account = families.account(REGION, person_id=owner)
    command = Move("a", [(owner, account, 500)])
    outcomes = Engine(database).run([command, command, command])
    assert outcomes == [Answered(b"a"), *[Answered(b"a", replayed=True)] * 2]
    assert balance_fen(database, account) == 500


def test_the_same_id_with_other_content_names_the_fields(
    database: Database, families: Families
) -> None:
    owner = new_id(REGION)
    account = families.account(REGION, person_id=owner)
    run_one(database, Move("a", [(owner, account, 500)]))
    outcome = run_one(database, Move("a", [(owner, account, 501)]))
    assert isinstance(outcome, RequestIdReused)
    assert [violation.field for violation in outcome.violations] == ["amounts"]


def test_a_refusal_leaves_its_neighbours_and_its_key_alone(
    database: Database, families: Families
) -> None:
    owner = new_id(REGION)
    account = families.account(REGION, person_id=owner)
    outcomes = Engine(database).run(
        [
            Move("a", [(owner, account, 500)]),
            Move("b", [(owner, account, -501)]),
            Move("c", [(owner, account, -500)]),
        ]
    )
    assert isinstance(outcomes[1], InsufficientFunds)
    assert (outcomes[0], outcomes[2]) == (Answered(b"a"), Answered(b"c"))
    assert run_one(database, Move("b", [(owner, account, 7)])) == Answered(b"b")


def test_what_a_refusal_records_is_written_and_its_key_is_free(
    database: Database, families: Families
) -> None:
    owner = new_id(REGION)
    account = families.account(REGION, person_id=owner)

    def refuse() -> None:
        row = (REGION, owner, "REFUSED", date(2025, 5, 6), 7)
        raise InsufficientFunds(records=[(tables.counters, row)])

    refused = Move("b", [(owner, account, 100)], before_deciding=refuse)
    outcomes = Engine(database).run([Move("a", [(owner, account, 500)]), refused])
    assert (outcomes[0], type(outcomes[1])) == (Answered(b"a"), InsufficientFunds)
    assert recorded(database, owner) == [("REFUSED", 7)]
    assert run_one(database, Move("b", [(owner, account, 100)])) == Answered(b"b")
    assert balance_fen(database, account) == 600


def recorded(database: Database, subject: UUID) -> list[tuple[object, ...]]:
    query = "SELECT kind, amount_fen FROM counters WHERE subject_id = %s"
    with database.connect() as tx:
        return tx.execute(query, [subject]).fetchall()


def test_a_refused_request_leaves_nothing_to_the_next_one_of_its_id(
    database: Database, families: Families
) -> None:
    owner = new_id(REGION)
    account = families.account(REGION, person_id=owner)
    refused, other = Move("a", [(owner, account, -1)]), Move("a", [(owner, account, 7)])
    outcomes = Engine(database).run([refused, other])
    assert isinstance(outcomes[0], InsufficientFunds)
    assert outcomes[1] == Answered(b"a")
    assert run_one(database, other) == Answered(b"a", replayed=True)
    assert isinstance(run_one(database, refused), RequestIdReused)


def test_what_a_request_is_about_is_found_or_blocked(
    database: Database, families: Families
) -> None:
    owner = new_id(REGION)
    account = families.account(REGION, person_id=owner)
    known, late = Move("known", [(owner, account, 5)]), Move("late", [(owner, account, 5)])
    run_one(database, known)
    about_known = Move("b", [(owner, account, 1)], original="known")
    about_late = Move("c", [(owner, account, 1)], original="late")
    assert run_one(database, about_known) == Answered(b"b about known")
    assert run_one(database, about_late) == Answered(b"c")
    assert isinstance(run_one(database, late), RequestIdCancelled)
    assert run_one(database, known) == Answered(b"known", replayed=True)
    assert run_one(database, about_late) == Answered(b"c", replayed=True)
    assert balance_fen(database, account) == 7


def test_a_refusal_blocks_nothing_and_frees_its_own_key(
    database: Database, families: Families
) -> None:
    owner = new_id(REGION)
    account = families.account(REGION, person_id=owner)
    refused = Move("a", [(owner, account, -1)], original="late")
    assert isinstance(run_one(database, refused), InsufficientFunds)
    assert run_one(database, Move("late", [(owner, account, 5)])) == Answered(b"late")
    assert run_one(database, refused) == Answered(b"a about late")
    assert balance_fen(database, account) == 4


def test_who_asks_about_a_request_in_flight_waits_for_it(
    database: Database, families: Families
) -> None:
    owner = new_id(REGION)
    account = families.account(REGION, person_id=owner)
    in_flight = Event()

    def until_somebody_waits() -> None:
        in_flight.set()
        with database.connect() as tx:
            while tx.execute("SELECT FROM pg_locks WHERE NOT granted").rowcount == 0:
                tx.rollback()

    slow = Move("slow", [(owner, account, 5)], before_deciding=until_somebody_waits)
    about = Move("b", [(owner, account, 1)], original="slow")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(run_one, database, slow)
        in_flight.wait()
        assert run_one(database, about) == Answered(b"b about slow")
        assert first.result() == Answered(b"slow")


def test_a_command_that_fails_is_a_fault_and_nobody_elses(
    database: Database, families: Families
) -> None:
    owner = new_id(REGION)
    account = families.account(REGION, person_id=owner)

    def fail() -> None:
        raise KeyError("unexpected")

    good, bad = Move("a", [(owner, account, 1)]), Move("b", [(owner, account, 1)])
    outcomes = Engine(database).run([replace(bad, before_deciding=fail), good])
    assert isinstance(outcomes[0], Fault)
    assert outcomes[1] == Answered(b"a")


def test_a_command_that_breaks_the_batch_is_isolated(
    database: Database, families: Families
) -> None:
    owner = new_id(REGION)
    account = families.account(REGION, person_id=owner)
    poison = Move("x" * 9 + "\x00", [(owner, account, 1)])  # PostgreSQL takes no NUL in a text
    good = [Move(f"g{n}", [(owner, account, 1)]) for n in range(4)]
    outcomes = Engine(database).run([*good[:2], poison, *good[2:]])
    assert isinstance(outcomes[2], Fault)
    assert [outcome for outcome in outcomes if isinstance(outcome, Answered)] == [
        Answered(f"g{n}".encode()) for n in range(4)
    ]
    assert balance_fen(database, account) == 4


def test_a_command_whose_deadline_passed_is_refused(database: Database, families: Families) -> None:
    owner = new_id(REGION)
    account = families.account(REGION, person_id=owner)
    late = Move("a", [(owner, account, 1)], deadline=time.time() - 1)
    assert isinstance(run_one(database, late), DeadlinePassed)
    assert entries(database, account) == []


def test_what_was_recorded_is_answered_after_its_deadline(
    database: Database, families: Families
) -> None:
    owner = new_id(REGION)
    account = families.account(REGION, person_id=owner)
    deadline, told = time.time() + 1, list[Stages]()

    def lose_the_first_answer(stages: Stages) -> None:
        told.append(stages)
        if len(told) == 1:
            time.sleep(max(0, deadline + 0.01 - time.time()))
            raise psycopg.OperationalError("the connection is lost")

    engine = Engine(database, note=lose_the_first_answer)
    moved = Move("a", [(owner, account, 500)], deadline)
    assert engine.run([moved]) == [Answered(b"a", replayed=True)]
    assert [attempt.ended_ns[-1][0] for attempt in told] == ["commit", "commit"]
    assert entries(database, account) == [(1, 500, 500)]
    engine.close()


def test_money_between_regions_is_closed_by_clearing_lines(
    database: Database, families: Families
) -> None:
    near, far = new_id(REGION), new_id("150900")
    a, b = families.account(REGION, 900, person_id=near), families.account("150900", person_id=far)
    run_one(database, Move("a", [(near, a, -900), (far, b, 900)]))
    query = "SELECT region, side, counterparty, amount_fen FROM ledger_lines ORDER BY region"
    with database.connect() as tx:
        assert tx.execute(query).fetchall() == [
            ("150100", "CLEARING", "150900", 900),
            ("150900", "CLEARING", "150100", -900),
        ]


def test_two_engines_moving_in_opposite_directions_never_deadlock(
    database: Database, families: Families
) -> None:
    people = [(new_id(region), region) for region in (REGION, "150900") for _ in range(3)]
    accounts = [
        (person, families.account(region, 10_000, person_id=person)) for person, region in people
    ]
    outcomes: list[Outcome] = []

    def work(worker: int) -> None:
        engine = Engine(database)
        step = 1 if worker % 2 else -1
        for number in range(60):
            order = accounts[::step]
            moves = [
                Move(f"{worker}-{number}-{k}", [(*order[k], -1), (*order[-1 - k], 1)])
                for k in range(3)
            ]
            outcomes.extend(engine.run(moves))
        engine.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert {type(outcome) for outcome in outcomes} == {Answered}
    assert sum(balance_fen(database, account) for _, account in accounts) == 60_000


def test_a_wait_for_a_lock_that_fails_is_told_as_a_wait(
    database: Database, families: Families
) -> None:
    owner = new_id(REGION)
    account, told = families.account(REGION, person_id=owner), list[Stages]()
    engine = Engine(database, note=told.append)
    engine.run([Move("a", [(owner, account, 1)])])
    engine._open().execute("SET lock_timeout = '50ms'")
    with database.connect() as other, capture_logs() as lines:
        other.execute("SELECT 1 FROM accounts WHERE id = %s FOR UPDATE", [account])
        (outcome,) = engine.run([Move("b", [(owner, account, 1)])])
    assert isinstance(outcome, ServiceUnavailable)
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("waited too long for a lock", "warning"),
        ("waited too long for a lock", "error"),
    ]
    assert [attempt.failed for attempt in told] == [False, True, True]
    for attempt in told[1:]:
        assert attempt.ended_ns[-1][0] == "accounts"
        assert attempt.seconds("accounts") >= 0.05
    engine.close()


def test_the_database_coming_back_is_used_again(database: Database, families: Families) -> None:
    owner = new_id(REGION)
    account = families.account(REGION, person_id=owner)
    engine = Engine(database)
    assert engine.run([Move("a", [(owner, account, 1)])]) == [Answered(b"a")]
    with database.connect() as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    outcome = engine.run([Move("b", [(owner, account, 1)])])[0]
    assert isinstance(outcome, Answered | ServiceUnavailable)
    assert engine.run([Move("b", [(owner, account, 1)])])[0] in (
        Answered(b"b"),
        Answered(b"b", replayed=True),
    )
    assert balance_fen(database, account) == 2
