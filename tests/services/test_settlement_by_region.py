"""Both forms of the money path's statements, all regions at once and region by region, are one."""

import time

import pytest

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.terms import Insurance
from gongji_svc.engine import Answered, Engine
from gongji_svc.services import routes
from gongji_svc.services.contract import method_of
from gongji_svc.storage.database import Database
from tests.families import Families
from tests.services.driver import Driver
from tests.services.till import HOHHOT, ULANQAB, paid, request_of

_SETTLE = method_of("SettlementService", "Settle")


@pytest.mark.parametrize("by_region", [False, True])
def test_families_that_span_regions_settle_in_one_batch(
    database: Database, by_region: bool
) -> None:
    families, driver = Families(database), Driver(database)
    families.item("150000", "XA01")
    codes = [families.institution(region) for region in (HOHHOT, ULANQAB)]
    patients = [
        families.person(region, insurance=Insurance.RESIDENT) for region in (HOHHOT, ULANQAB)
    ]
    donors = [families.person(region, balance_fen=15_000) for region in (HOHHOT, ULANQAB)]
    for patient in patients:
        for rank, donor in enumerate(donors, 1):
            families.bind(donor, patient, rank=rank)
    commands = [
        routes.read_command(
            driver.office,
            _SETTLE,
            Caller(Role.POS, code),
            request_of(code, patient, request_id=f"{number}").SerializeToString(),
            time.time() + 30,
        )
        for number in range(2)
        for code, patient in zip(codes, patients, strict=True)
    ]
    engine = Engine(database, by_region=by_region)
    outcomes = engine.run(commands)
    engine.close()
    answers = [outcome.answer for outcome in outcomes if isinstance(outcome, Answered)]
    legs = [paid(pb.SettleResponse.FromString(answer).settlement) for answer in answers]
    assert legs == [
        [("DONOR", 10_000)],
        [("DONOR", 5_000), ("DONOR", 5_000)],
        [("DONOR", 10_000)],
        [],
    ]
    assert _sums_by_region(database) == {HOHHOT: 0, ULANQAB: 0}


def _sums_by_region(database: Database) -> dict[str, int]:
    with database.connect() as tx:
        rows = tx.execute(
            """
            SELECT region, sum(amount_fen)::bigint FROM (
                SELECT accounts.pool_region AS region, entries.amount_fen FROM entries
                JOIN accounts ON accounts.id = entries.account_id
                UNION ALL SELECT region, amount_fen FROM ledger_lines) AS moved
            GROUP BY region
            """
        ).fetchall()
    return {str(region): int(str(fen)) for region, fen in rows}
