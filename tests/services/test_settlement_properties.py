"""Properties over random families: what is previewed is settled, and every fen is told."""

from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gongji.v1 import settlement_pb2 as pb
from gongji_svc.domain.policy_values import Caps
from gongji_svc.storage.database import Database
from tests.families import Families
from tests.services.driver import Driver
from tests.services.till import HOHHOT, TIELING, ULANQAB, asked, request_of, settle

FEN = st.integers(0, 30_000)


@dataclass(frozen=True)
class Giver:
    """A donor: balance and the limit a settlement, in fen."""

    balance_fen: int
    limit_fen: int | None


givers = st.lists(st.builds(Giver, FEN, st.none() | FEN), max_size=3)


@given(
    region=st.sampled_from([HOHHOT, ULANQAB, TIELING]),
    own_fen=st.none() | FEN,
    donors=givers,
    total_fen=st.integers(1, 60_000),
    catalog_class=st.sampled_from("ABC"),
    visit=st.sampled_from([pb.VISIT_TYPE_PHARMACY, pb.VISIT_TYPE_OUTPATIENT]),
)
@settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_what_is_previewed_is_settled_and_every_fen_is_told(
    database: Database,
    region: str,
    own_fen: int | None,
    donors: list[Giver],
    total_fen: int,
    catalog_class: str,
    visit: int,
) -> None:
    families, driver = Families(database), Driver(database)
    kind = "PHARMACY" if visit == pb.VISIT_TYPE_PHARMACY else "HOSPITAL"
    code = families.institution(region, kind=kind, level="SECONDARY")
    item = families.item(region, f"X{code}", catalog_class=catalog_class, self_pay_bp=1_000)
    patient = families.person(region, balance_fen=own_fen)
    for rank, donor in enumerate(donors, 1):
        giver = families.person(region, balance_fen=donor.balance_fen)
        limits = Caps(per_settlement_fen=donor.limit_fen)
        families.bind(giver, patient, rank=rank, limits=limits)
    request = request_of(code, patient, total_fen, visit_type=visit)
    request.items[0].catalog_code = item
    preview = driver.call("pos", code, "SettlementService", "PreviewSettlement", asked(request))
    settlement = settle(driver, code, request).settlement
    sums = settlement.breakdown
    assert preview.breakdown == sums
    assert sums.total_fen == sums.fund_pay_fen + sums.account_pay_fen + sums.cash_pay_fen
    assert sums.account_pay_fen == sum(leg.amount_fen for leg in settlement.legs)
    donated = [leg.amount_fen for leg in settlement.legs if leg.binding_id]
    assert sums.mutual_aid_pay_fen == sum(donated)
    assert _told(database, settlement) == (
        -sums.account_pay_fen,
        sums.account_pay_fen + sums.fund_pay_fen,
    )


def _told(database: Database, settlement: pb.Settlement) -> tuple[int, int]:
    """What the ledger says left the accounts, and what the institution is owed."""
    with database.connect() as tx:
        row = tx.execute(
            """
            SELECT (SELECT coalesce(sum(amount_fen), 0) FROM entries WHERE source_id = %(id)s),
                   (SELECT coalesce(sum(amount_fen), 0) FROM ledger_lines
                    WHERE side = 'INSTITUTION_PAYABLE' AND counterparty = %(code)s)
            """,
            {"id": settlement.settlement_id, "code": settlement.institution_code},
        ).fetchone()
    assert row is not None
    return int(str(row[0])), int(str(row[1]))
