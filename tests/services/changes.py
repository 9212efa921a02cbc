"""What changes a binding, as its callers send it, and what the database then holds of it.

Rule: a request has an id of its own unless a test names one; staff act by a named member. A refusal
says in Chinese what to do, and leaves every row as it was.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.message import Message
from sqlalchemy import select

from gongji.v1 import binding_pb2 as pb
from gongji.v1 import settlement_pb2
from gongji_svc.domain.errors import Refusal
from gongji_svc.domain.guardian import Guardian, GuardianKind
from gongji_svc.storage import tables
from gongji_svc.storage.audit_reads import AuditRow
from gongji_svc.storage.bindings import Kept, kept_from
from gongji_svc.storage.database import Database
from tests.families import Families, Made
from tests.services.applications import SERVICE, application, create, donor_in, relative_in
from tests.services.driver import Driver
from tests.services.till import request_of, settle

STAFF = "c-17"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two people and the binding between them, as it was made."""

    donor: Made
    beneficiary: Made
    binding: pb.Binding

    @property
    def id(self) -> str:
        """The binding's id."""
        return self.binding.binding_id


def bound(driver: Driver, families: Families, region: str, **fields: Any) -> Pair:
    """A donor who has applied for a binding of a relative; `fields` are of the application."""
    return bind(driver, donor_in(families, region), relative_in(families, region), region, **fields)


def bind(driver: Driver, donor: Made, beneficiary: Made, region: str, **fields: Any) -> Pair:
    """The same for two people that a test has made."""
    request = application(driver, donor, beneficiary, region=region, **fields)
    return Pair(donor, beneficiary, create(driver, donor, request).binding)


def in_force(driver: Driver, families: Families, region: str) -> Pair:
    """A binding in force, reviewed where the region demands it."""
    pair = bound(driver, families, region)
    if pair.binding.state == pb.BINDING_STATE_PENDING_REVIEW:
        review(driver, region, pair.id)
    return pair


def guarded_by(guardian: Made) -> dict[str, Any]:
    """The fields of a person under registered guardianship."""
    return {"guardians": [Guardian(guardian.person_id, GuardianKind.REGISTERED)]}


def review(
    driver: Driver, region: object, binding_id: str, decision: str = "APPROVE", **fields: Any
) -> pb.ReviewBindingResponse:
    """The answer to a decision of a reviewer of the region."""
    number = pb.ReviewDecision.Value(f"REVIEW_DECISION_{decision}")
    request = pb.ReviewBindingRequest(binding_id=binding_id, decision=number)
    response = _called(driver, "reviewer", region, "ReviewBinding", request, fields)
    assert isinstance(response, pb.ReviewBindingResponse)
    return response


def end(
    driver: Driver, role: str, subject: object, binding_id: str, **fields: Any
) -> pb.EndBindingResponse:
    """The answer to an end; the notice is accepted unless told otherwise."""
    request = pb.EndBindingRequest(binding_id=binding_id, notice_accepted=True)
    response = _called(driver, role, subject, "EndBinding", request, fields)
    assert isinstance(response, pb.EndBindingResponse)
    return response


def update(
    driver: Driver, role: str, subject: object, binding_id: str, *paths: str, **fields: Any
) -> pb.UpdateBindingResponse:
    """The answer to a change of what `paths` name."""
    request = pb.UpdateBindingRequest(binding_id=binding_id)
    request.update_mask.paths.extend(paths)
    response = _called(driver, role, subject, "UpdateBinding", request, fields)
    assert isinstance(response, pb.UpdateBindingResponse)
    return response


def reorder(
    driver: Driver,
    role: str,
    subject: object,
    beneficiary: object,
    binding_ids: Sequence[str],
    **fields: Any,
) -> pb.SetDeductionOrderResponse:
    """The answer to a whole order."""
    request = pb.SetDeductionOrderRequest(
        beneficiary_id=str(beneficiary), binding_ids=list(binding_ids)
    )
    response = _called(driver, role, subject, "SetDeductionOrder", request, fields)
    assert isinstance(response, pb.SetDeductionOrderResponse)
    return response


def _called(
    driver: Driver, role: str, subject: object, rpc: str, request: Any, fields: dict[str, Any]
) -> Any:
    request.request_id = str(uuid4())
    for name, value in fields.items():
        if isinstance(value, Message):
            getattr(request, name).CopyFrom(value)
        elif isinstance(value, list):
            getattr(request, name).extend(value)
        else:
            setattr(request, name, value)
    actor = "" if role == "citizen" else STAFF
    return driver.call(role, subject, SERVICE, rpc, request, actor=actor)


def purchase(
    driver: Driver,
    pharmacy: str,
    patient: Made,
    total_fen: int = 10_000,
    at: datetime | None = None,
) -> settlement_pb2.Settlement:
    """A purchase settled by the driver's clock; it occurred just now unless told otherwise."""
    request = request_of(pharmacy, patient, total_fen, request_id=str(uuid4()))
    request.occurred_at.FromDatetime(at or driver.office.now())
    return settle(driver, pharmacy, request).settlement


def kept(database: Database, binding_id: str) -> Kept:
    """The binding as it is kept."""
    query = select(*tables.bindings.c).where(tables.bindings.c.id == binding_id)
    with database.reader() as tx:
        return kept_from(tuple(tx.execute(query).one()))


def trail(database: Database, *binding_ids: str) -> list[AuditRow]:
    """The audit records of changes of bindings, oldest first."""
    records = tables.audit_records.c
    query = (
        select(*records)
        .where(records.subject_kind == "binding", records.subject_id.in_(binding_ids))
        .where(records.people == [])  # a read names whose data it showed
        .order_by(records.recorded_at, records.id)
    )
    with database.reader() as tx:
        return [AuditRow(*row) for row in tx.execute(query)]


def changes_in(record: AuditRow) -> dict[str, tuple[Any, Any]]:
    """What a record says has changed: by field, the value before and after; None: nothing."""
    return {one["field"]: (_value(one["before"]), _value(one["after"])) for one in record.changes}


def _value(text: str) -> Any:
    return json.loads(text) if text else None


@contextmanager
def refused(
    database: Database, refusal: type[Refusal], *says: str
) -> Iterator[pytest.ExceptionInfo[Refusal]]:
    """The block is refused in words that hold `says`, and leaves every row as it was."""
    before = _contents(database)
    with pytest.raises(refusal) as caught:
        yield caught
    text = caught.value.message_zh
    assert "—" not in text  # no detail is left open
    assert [part for part in says if part not in text] == []
    assert _contents(database) == before


def _contents(database: Database) -> dict[str, Sequence[Any]]:
    """Every row of the tables that a change of a binding may touch."""
    touched = (
        tables.audit_records,
        tables.binding_checks,
        tables.bindings,
        tables.documents,
        tables.donor_bindings,
        tables.requests,
    )
    with database.reader() as tx:
        return {
            table.name: tx.execute(select(*table.c).order_by(*table.primary_key.columns)).all()
            for table in touched
        }
