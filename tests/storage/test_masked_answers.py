"""Revision 0015: early answers to PutPerson that kept names and numbers in clear are masked, and
nothing else of them changes.
"""

from datetime import UTC, datetime

import pytest
from alembic import command
from google.protobuf.message import Message
from sqlalchemy import insert, select

from gongji.v1 import registry_pb2 as pb
from gongji.v1 import types_pb2
from gongji_svc.services.contract import method_of
from gongji_svc.storage import migrate, tables
from gongji_svc.storage.database import Database
from gongji_svc.storage.migrations.versions.r0015_keys_that_are_closed import masked_answer

PUT, BATCH = (method_of("RegistryService", rpc).path for rpc in ("PutPerson", "BatchPutPersons"))


def person(name: str, number: str, card_no: str) -> pb.Person:
    """A person with something in every kind of field there is."""
    made = pb.Person(
        person_id="01a2020e-57cd-8000-8929-5241c2e1bc91",
        name=name,
        certificate=types_pb2.Certificate(type=types_pb2.CERTIFICATE_TYPE_ID_CARD, number=number),
        card_no=card_no,
        premium_years=[pb.PremiumYear(year=2025, kind=pb.PREMIUM_YEAR_KIND_PAID)],
        identities=["13", "19"],
        home_region="150100",
        enrolments=[pb.Enrolment(region="150100", person_type=types_pb2.PERSON_TYPE_ACTIVE)],
    )
    made.birth_date.year, made.birth_date.month, made.birth_date.day = 1980, 1, 31
    return made


CLEAR = person("王小明" * 20, "150102198001310015", "K000000001")
MASKED = person("王" + "*" * 59, "*" * 14 + "0015", "******0001")
REFUSED = pb.BatchPutPersonsResult(index=3)
REFUSED.error.code, REFUSED.error.message = 9, "王小明 is not known"
ANSWERS = [
    (PUT, pb.PutPersonResponse(person=CLEAR), pb.PutPersonResponse(person=MASKED)),
    (
        BATCH,
        pb.BatchPutPersonsResponse(
            results=[pb.BatchPutPersonsResult(index=2, person=CLEAR, created=True), REFUSED]
        ),
        pb.BatchPutPersonsResponse(
            results=[pb.BatchPutPersonsResult(index=2, person=MASKED, created=True), REFUSED]
        ),
    ),
    (PUT, pb.PutPersonResponse(created=True), pb.PutPersonResponse(created=True)),
]


@pytest.mark.parametrize(("method", "clear", "masked"), ANSWERS)
def test_names_and_numbers_are_masked_and_the_rest_stays(
    method: str, clear: Message, masked: Message
) -> None:
    made = masked_answer(method, clear.SerializeToString())
    assert type(clear).FromString(made) == masked
    assert masked_answer(method, made) == made


def test_what_is_kept_in_the_database_is_masked_by_migrating(empty_database: Database) -> None:
    at = datetime.now(UTC)
    kept = {
        "1": (PUT, ANSWERS[0][1].SerializeToString()),
        "2": (BATCH, ANSWERS[1][1].SerializeToString()),
        "3": ("/gongji.v1.SettlementService/Settle", b"\x0a\x06\xe7\x8e\x8b\xe5\xb0\x8f"),
        "4": (PUT, None),
    }
    rows = [
        {
            "region": "150100",
            "caller": "150100",
            "request_id": request_id,
            "method": method,
            "content": b"",
            "answer": answer,
            "created_at": at,
        }
        for request_id, (method, answer) in kept.items()
    ]
    with Database(empty_database.owner_url) as owned, owned.transaction() as tx:
        command.upgrade(migrate._config(tx, runtime_role=empty_database.runtime_role), "0014")
        tx.execute(insert(tables.requests), rows)
    empty_database.migrate()
    requests = tables.requests.c
    with empty_database.reader() as tx:
        rows_kept = tx.execute(select(requests.request_id, requests.answer)).all()
    found: dict[str, bytes | None] = {row.request_id: row.answer for row in rows_kept}
    assert pb.PutPersonResponse.FromString(found["1"] or b"") == ANSWERS[0][2]
    assert pb.BatchPutPersonsResponse.FromString(found["2"] or b"") == ANSWERS[1][2]
    assert found["3"] == kept["3"][1]
    assert found["4"] is None
