"""Files of allocations for tests, what came of them, and the books afterwards."""

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from gongji_svc.services.allocating import Allocated, allocate
from gongji_svc.services.rows import Fault
from gongji_svc.storage.database import Database
from tests.commands.test_load import rows
from tests.services.driver import Driver
from tests.services.test_credit import sums

HOHHOT = "150100"


class Seen:
    """What a load told, and what is to happen once all rows are checked and none is booked."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.faults: list[tuple[int, str]] = []
        self.texts: list[str] = []
        self.came: list[int] = []
        self._meanwhile = meanwhile

    def tell(self, fault: Fault) -> None:
        self.faults.append((fault.line, fault.field))
        self.texts.append(fault.message_zh)

    def read(self, more_bytes: int) -> None:
        """Nobody looks."""

    def booking(self, rows: int, total: int) -> None:  # noqa: ARG002 - the watch's shape
        self.came.append(rows)
        self._meanwhile()

    def booked(self, rows: int) -> None:
        self.came.append(rows)


def written(path: Path, *lines: str) -> Path:
    """A file with these lines."""
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def booked(
    driver: Driver,
    path: Path,
    region: str = HOHHOT,
    seen: Seen | None = None,
    *,
    supplement: bool = False,
) -> Allocated:
    """What came of the file."""
    seen = seen or Seen()
    return allocate(driver.office, region, path, seen.tell, seen, supplement=supplement)


def bad_rows(driver: Driver, path: Path, region: str = HOHHOT) -> list[tuple[int, str]]:
    """The lines and fields of what is wrong, of a file of which nothing was booked."""
    seen = Seen()
    done = booked(driver, path, region, seen)
    assert done.faults == len(seen.faults)
    assert rows(driver.office.database, "SELECT FROM entries") == []
    return seen.faults


def balances(database: Database) -> dict[UUID, int]:
    """Every account's, in fen."""
    return dict(rows(database, "SELECT id, balance_fen FROM accounts"))


def expect_sound_books(database: Database) -> None:
    """No gap, no balance that its entries do not explain, no time that falls, no journal off."""
    query = """SELECT account_id FROM (
                   SELECT *, row_number() OVER told AS place,
                          lag(balance_after_fen) OVER told + amount_fen AS explained_fen,
                          lag(recorded_at) OVER told AS before_at
                   FROM entries WINDOW told AS (PARTITION BY account_id ORDER BY seq)) AS e
               WHERE seq <> place OR balance_after_fen <> explained_fen OR recorded_at < before_at
               UNION ALL SELECT id FROM accounts AS a WHERE seq > 0 AND NOT EXISTS (
                   SELECT FROM entries WHERE account_id = id AND entries.seq = a.seq
                   AND balance_after_fen = balance_fen AND entries.recorded_at = a.recorded_at)"""
    assert rows(database, query) == []
    assert sums(database) == []
