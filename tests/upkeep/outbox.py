"""Premiums that wait to be told, written straight into a database, and what becomes of them.

Rule: a payment is written as a debit leaves it; its message is due at once.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from gongji_svc.demo.bureau import Behaviour, Bureau
from gongji_svc.domain.premium_state import PremiumState
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id, region_of
from gongji_svc.storage.premiums import PremiumRow, TaxMessageKind, tax_message
from tests.families import Families, Made

KEY = bytes(range(32))
NOBODY = "127.0.0.1:9"  # the discard port: nothing answers gRPC there
HOHHOT = "150100"


def submitted(families: Families, child: Made, **fields: Any) -> PremiumRow:
    """A premium of 200.00 yuan, half of it subsidised, that was debited just now."""
    home = region_of(child.person_id)
    payment = PremiumRow(
        region=home,
        id=new_id(home),
        beneficiary_id=child.person_id,
        donor_id=new_id(home),
        binding_id=None,
        year=2026,
        insurance="RESIDENT",
        insured_region=home,
        state=PremiumState.SUBMITTED,
        standard_fen=40_000,
        subsidy_fen=20_000,
        payable_fen=20_000,
        special_group="DESTITUTE",
        legs=(),
        policy="",
        wait_months=0,
        benefit_from=date(2026, 1, 1),
        paid_on=date(2025, 10, 15),
        submitted_at=datetime.now(UTC),
        submitted_by={},
        answered_at=None,
        answer_due_on=None,
        tax_voucher_no="",
        reject_reason="",
        refund={},
        refund_journal_id=None,
        external_channel="",
        paid_twice=False,
        request_caller="",
        request_id="",
    )
    families.write(("premium_payments", replace(payment, **fields).row()))
    return replace(payment, **fields)


def waiting(
    families: Families,
    child: Made,
    kind: TaxMessageKind = TaxMessageKind.COLLECT,
    **fields: Any,
) -> UUID:
    """A payment whose message is due; the message's id."""
    payment = submitted(families, child, **fields)
    table, row = tax_message(payment, kind, datetime.now(UTC))
    families.write((table.name, row))
    message_id = row[1]
    assert isinstance(message_id, UUID)
    return message_id


def messages(database: Database) -> dict[UUID, Mapping[str, Any]]:
    """All messages by id."""
    with database.connect() as tx, psycopg.Cursor(tx, row_factory=dict_row) as cursor:
        return {row["id"]: row for row in cursor.execute("SELECT * FROM tax_messages")}


def untaken(database: Database) -> int:
    """How many messages nobody has heard."""
    return sum(one["taken_at"] is None for one in messages(database).values())


def due_now(database: Database) -> None:
    """Every pause and lease is over."""
    with database.connect() as tx:
        tx.execute("UPDATE tax_messages SET due_at = recorded_at WHERE taken_at IS NULL")


@contextmanager
def silent_bureau(**behaviour: Any) -> Iterator[Bureau]:
    """A bureau that listens and never answers."""
    settings = Behaviour(is_silent=True, **behaviour)
    with Bureau(KEY, NOBODY, lambda _: "", behaviour=settings) as bureau:
        yield bureau
