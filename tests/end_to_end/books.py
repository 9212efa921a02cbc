"""The books of a database, read beside the service, and what must hold in them whatever happened.

Rule: every fen is accounted for. A history explains its balance, a journal sums to zero within each
region, what two regions owe each other cancels, and a settlement moved what its receipt says, less
what its steps say came back.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self
from uuid import UUID

from sqlalchemy import Connection, RowMapping, Table, select

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.storage import tables
from gongji_svc.storage.database import Database

Row = RowMapping
_SETTLE = "/gongji.v1.SettlementService/Settle"
_GIVEN = {
    "total_fen": "total_fen",
    "fund_fen": "fund_pay_fen",
    "account_fen": "account_pay_fen",
    "cash_fen": "cash_pay_fen",
}
_OF_SETTLEMENTS = ("id", "institution_code", "request_id", "state", *_GIVEN.values())
_OF_REQUESTS = ("caller", "request_id", "method", "result_id")


@dataclass(frozen=True, slots=True)
class Books:
    """All accounts with their entries, all lines, settlements with what came back of them, and
    requests at one moment.
    """

    accounts: Mapping[UUID, Row]
    entries: Mapping[UUID, Sequence[Row]]
    lines: Sequence[Row]
    settlements: Mapping[UUID, Row]
    requests: Sequence[Row]
    refunds: Mapping[UUID, Sequence[Row]]

    @classmethod
    def read(cls, database: Database) -> Self:
        """The books as they stand."""
        with database.reader() as tx:
            entries: defaultdict[UUID, list[Row]] = defaultdict(list)
            for entry in sorted(_rows(tx, tables.entries), key=lambda row: int(row["seq"])):
                entries[entry["account_id"]].append(entry)
            refunds: defaultdict[UUID, list[Row]] = defaultdict(list)
            for refund in sorted(_rows(tx, tables.refunds), key=lambda row: int(row["step"])):
                refunds[refund["settlement_id"]].append(refund)
            return cls(
                {row["id"]: row for row in _rows(tx, tables.accounts)},
                entries,
                _rows(tx, tables.ledger_lines),
                {row["id"]: row for row in _rows(tx, tables.settlements, *_OF_SETTLEMENTS)},
                _rows(tx, tables.requests, *_OF_REQUESTS),
                refunds,
            )

    def check(self) -> None:
        """Assert all that must hold at any time."""
        for account in self.accounts.values():
            self._check_history(account)
        self._check_journals()
        self._check_clearing()
        self._check_settlements()

    def check_since(self, before: "Books", answers: Iterable[pb.SettleResponse]) -> None:
        """Assert that since `before` exactly what these answers say was settled and moved."""
        self.check()
        receipts = {UUID(answer.settlement.settlement_id): answer.settlement for answer in answers}
        assert self.settlements.keys() - before.settlements.keys() == receipts.keys()
        moved = self._moved()
        for settlement_id, receipt in receipts.items():
            says = Counter({leg.binding_id or "own": leg.amount_fen for leg in receipt.legs})
            assert says == moved[settlement_id]
        fell = sum(self._fell_since(before).values())
        assert fell == sum(receipt.breakdown.account_pay_fen for receipt in receipts.values())

    def _fell_since(self, before: "Books") -> dict[UUID, int]:
        return {
            one: row["balance_fen"] - self.accounts[one]["balance_fen"]
            for one, row in before.accounts.items()
        }

    def _moved(self) -> Mapping[UUID, Counter[str]]:
        """What each settlement took, by binding; fen."""
        moved: defaultdict[UUID, Counter[str]] = defaultdict(Counter)
        for history in self.entries.values():
            for entry in history:
                binding = str(entry["binding_id"] or "own")
                moved[entry["source_id"]][binding] -= entry["amount_fen"]
        return moved

    def _check_history(self, account: Row) -> None:
        history = self.entries.get(account["id"], [])
        assert [entry["seq"] for entry in history] == list(range(1, len(history) + 1))
        assert account["seq"] == len(history)
        for earlier, later in pairwise(history):
            left_fen = earlier["balance_after_fen"] + later["amount_fen"]
            assert left_fen == later["balance_after_fen"]
            assert earlier["recorded_at"] <= later["recorded_at"]
        assert account["balance_fen"] >= 0
        if history:
            assert history[-1]["balance_after_fen"] == account["balance_fen"]

    def _check_journals(self) -> None:
        sums: Counter[tuple[UUID, str]] = Counter()
        for account_id, history in self.entries.items():
            for entry in history:
                region = self.accounts[account_id]["pool_region"]
                sums[entry["journal_id"], region] += entry["amount_fen"]
        for line in self.lines:
            sums[line["journal_id"], line["region"]] += line["amount_fen"]
        assert {key: fen for key, fen in sums.items() if fen} == {}

    def _check_clearing(self) -> None:
        owed: Counter[frozenset[str]] = Counter()
        for line in self.lines:
            if line["side"] == "CLEARING":
                owed[frozenset((line["region"], line["counterparty"]))] += line["amount_fen"]
        assert {key: fen for key, fen in owed.items() if fen} == {}

    def _check_settlements(self) -> None:
        moved = self._moved()
        for settlement_id, row in self.settlements.items():
            steps = self.refunds.get(settlement_id, [])
            _check_steps(row, steps)
            back_fen = sum(leg["amount_fen"] for leg in _legs(steps) if not leg["to_suspense"])
            assert moved[settlement_id].total() == row["account_pay_fen"] - back_fen
        assert all(row["method"] for row in self.requests)
        named = {
            (row["caller"], row["request_id"]): row["result_id"]
            for row in self.requests
            if row["method"] == _SETTLE
        }
        settled = {
            (row["institution_code"], row["request_id"]): one
            for one, row in self.settlements.items()
        }
        assert named == settled


def _check_steps(settled: Row, steps: Sequence[Row]) -> None:
    """No source got back more than it gave; at the end each got all."""
    assert [step["step"] for step in steps] == list(range(1, len(steps) + 1))
    assert settled["state"] == (steps[-1]["detail"]["state"] if steps else "SETTLED")
    at_an_end = settled["state"] in {"REFUNDED", "CANCELLED"}
    for back, gave in _GIVEN.items():
        back_fen = sum(step[back] for step in steps)
        assert back_fen == settled[gave] if at_an_end else back_fen <= settled[gave]
    legs_fen = sum(leg["amount_fen"] for leg in _legs(steps))
    assert legs_fen == sum(step["account_fen"] for step in steps)


def _legs(steps: Sequence[Row]) -> list[Mapping[str, Any]]:
    return [leg for step in steps for leg in step["detail"]["legs"]]


def _rows(tx: Connection, table: Table, *names: str) -> list[Row]:
    columns = [table.c[name] for name in names] or table.c
    return list(tx.execute(select(*columns)).mappings())
