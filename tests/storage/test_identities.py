"""The identities of a bill hold in the schema, whoever writes: a wrong sum is no row."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from gongji_svc.storage import tables
from gongji_svc.storage.database import Database

REGION = "150100"
NOW = datetime(2025, 5, 6, tzinfo=UTC)
SETTLEMENT = {
    "region": REGION,
    "id": uuid4(),
    "institution_code": "P1",
    "request_id": "r-1",
    "patient_id": uuid4(),
    "insured_region": REGION,
    "insurance": "EMPLOYEE",
    "visit_type": "OUTPATIENT",
    "account_use": "MUTUAL_AID",
    "state": "SETTLED",
    "total_fen": 1_000,
    "full_self_pay_fen": 100,
    "over_limit_fen": 50,
    "pre_self_pay_fen": 50,
    "in_scope_fen": 800,
    "deductible_fen": 300,
    "fund_ratio_bp": 10_000,
    "fund_pay_fen": 500,
    "personal_fen": 500,
    "account_pay_fen": 400,
    "mutual_aid_pay_fen": 150,
    "cash_pay_fen": 100,
    "policy": "",
    "detail": {},
    "occurred_at": NOW,
    "recorded_at": NOW,
}
REFUND = {
    "region": REGION,
    "settlement_id": uuid4(),
    "step": 1,
    "id": uuid4(),
    "request_id": "r-2",
    "cancellation": False,
    "total_fen": 300,
    "fund_fen": 100,
    "account_fen": 250,
    "cash_fen": -50,  # paid in
    "detail": {},
    "reason": "",
    "recorded_at": NOW,
}
NOTICE = {
    "region": REGION,
    "id": uuid4(),
    "person_id": uuid4(),
    "kind": "DEBIT",
    "source_id": uuid4(),
    "binding_id": uuid4(),
    "amount_fen": 1,
    "recorded_at": NOW,
    "taken_at": None,
}
ROWS = {"settlements": SETTLEMENT, "refunds": REFUND, "notices": NOTICE}


def insert(database: Database, table: str, **changed: object) -> None:
    with database.transaction() as tx:
        tx.execute(tables.metadata.tables[table].insert(), {**ROWS[table], **changed})


@pytest.mark.parametrize("table", ROWS)
def test_a_row_whose_sums_hold_is_taken(database: Database, table: str) -> None:
    insert(database, table)


@pytest.mark.parametrize(
    ("changed", "identity"),
    [
        ({"personal_fen": 501, "cash_pay_fen": 101}, "total_by_payer"),
        ({"cash_pay_fen": 101}, "personal"),
        ({"full_self_pay_fen": 101}, "total_by_scope"),
        ({"mutual_aid_pay_fen": 401}, "parts"),
        ({"mutual_aid_pay_fen": -1}, "parts"),
        ({"account_pay_fen": 501, "cash_pay_fen": -1}, "parts"),
        ({"fund_pay_fen": -1, "personal_fen": 1_001, "cash_pay_fen": 601}, "parts"),
        ({"full_self_pay_fen": -1, "in_scope_fen": 901}, "scope"),
        ({"over_limit_fen": -1, "in_scope_fen": 851}, "scope"),
        ({"pre_self_pay_fen": -1, "in_scope_fen": 851}, "scope"),
        ({"deductible_fen": -1}, "scope"),
        ({"deductible_fen": 301}, "scope"),
        ({"deductible_fen": 801, "visit_type": "INPATIENT"}, "scope"),
        ({"fund_ratio_bp": 10_001}, "scope"),
        ({"fund_ratio_bp": -1}, "scope"),
        ({"account_use": "NONE"}, "account_use"),
        ({"account_use": "OWN"}, "account_use"),
    ],
)
def test_a_settlement_whose_sums_do_not_hold_is_refused(
    database: Database, changed: dict[str, object], identity: str
) -> None:
    with pytest.raises(IntegrityError, match=f"settlements_{identity}_check"):
        insert(database, "settlements", **changed)


def test_the_funds_of_a_stay_may_pay_more_than_is_left_in_scope(database: Database) -> None:
    insert(database, "settlements", deductible_fen=301, visit_type="INPATIENT")


def test_what_the_till_did_not_ask_for_may_be_nothing(database: Database) -> None:
    nobody = {"account_pay_fen": 0, "mutual_aid_pay_fen": 0, "cash_pay_fen": 500}
    insert(database, "settlements", account_use="NONE", **nobody)
    insert(database, "settlements", id=uuid4(), account_use="OWN", mutual_aid_pay_fen=0)


@pytest.mark.parametrize(
    ("changed", "identity"),
    [
        ({"total_fen": 301}, "total"),
        ({"total_fen": -1, "cash_fen": -351}, "parts"),
        ({"account_fen": -1, "cash_fen": 201}, "parts"),
        ({"step": 0}, "parts"),
    ],
)
def test_a_refund_whose_sums_do_not_hold_is_refused(
    database: Database, changed: dict[str, object], identity: str
) -> None:
    with pytest.raises(IntegrityError, match=f"refunds_{identity}_check"):
        insert(database, "refunds", **changed)


def test_nobody_is_told_of_nothing(database: Database) -> None:
    with pytest.raises(IntegrityError, match="notices_amount_check"):
        insert(database, "notices", amount_fen=0)
