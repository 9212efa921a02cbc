"""The books of a database, read beside the service, and what must hold in them whatever happened.

Rule: every fen is accounted for. A history explains its balance, a journal sums to zero within each
region, what two regions owe each other cancels, and a settlement moved what its receipt says.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self
from uuid import UUID

from sqlalchemy import Connection, RowMapping, Table, select

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.storage import tables
from gongji_svc.storage.database import Database

Row = RowMapping
_OF_SETTLEMENTS = ("id", "institution_code", "request_id", "account_pay_fen")
_OF_REQUESTS = ("caller", "request_id", "result_id")


@dataclass(frozen=True, slots=True)
class Books:
    """All accounts with their entries, all lines, settlements and requests at one moment."""

    accounts: Mapping[UUID, Row]
    entries: Mapping[UUID, Sequence[Row]]
    lines: Sequence[Row]
    settlements: Mapping[UUID, Row]
    requests: Sequence[Row]

    @classmethod
    def read(cls, database: Database) -> Self:
        """The books as they stand."""
        with database.reader() as tx:
            entries: defaultdict[UUID, list[Row]] = defaultdict(list)
            for entry in sorted(_rows(tx, tables.entries), key=lambda row: int(row["seq"])):
                entries[entry["account_id"]].append(entry)
            return cls(
                {row["id"]: row for row in _rows(tx, tables.accounts)},
                entries,
                _rows(tx, tables.ledger_lines),
                {row["id"]: row for row in _rows(tx, tables.settlements, *_OF_SETTLEMENTS)},
                _rows(tx, tables.requests, *_OF_REQUESTS),
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
            assert moved[settlement_id].total() == row["account_pay_fen"]
        named = {(row["caller"], row["request_id"]): row["result_id"] for row in self.requests}
        settled = {
            (row["institution_code"], row["request_id"]): one
            for one, row in self.settlements.items()
        }
        assert named == settled


def _rows(tx: Connection, table: Table, *names: str) -> list[Row]:
    columns = [table.c[name] for name in names] or table.c
    return list(tx.execute(select(*columns)).mappings())
