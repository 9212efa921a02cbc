"""People for those who look, without a lock."""

from collections.abc import Iterable, Iterator
from uuid import UUID

import sqlalchemy
from sqlalchemy import select, tuple_

from gongji_svc.domain.person import Person
from gongji_svc.storage import tables
from gongji_svc.storage.people import PersonRow, Registered, person_from, registered_from
from gongji_svc.storage.sealing import Sealer
from gongji_svc.storage.state import key_of
from gongji_svc.storage.statements import Row


def read_people(
    tx: sqlalchemy.Connection, person_ids: Iterable[UUID], sealer: Sealer
) -> dict[UUID, Person]:
    """The people with these ids, as far as there are any."""
    return {
        kept.id: person_from(kept, enrolments, sealer) for kept, enrolments in _rows(tx, person_ids)
    }


def read_registered(
    tx: sqlalchemy.Connection, person_ids: Iterable[UUID], sealer: Sealer
) -> dict[UUID, Registered]:
    """The same with what identifies them."""
    return {
        kept.id: registered_from(kept, enrolments, sealer)
        for kept, enrolments in _rows(tx, person_ids)
    }


def find_people(tx: sqlalchemy.Connection, hashes: Iterable[bytes]) -> dict[bytes, UUID]:
    """Who is registered under these hashes of certificates or cards."""
    directory = tables.person_directory.c
    query = select(directory.hash, directory.person_id).where(directory.hash.in_(set(hashes)))
    return {bytes(row.hash): row.person_id for row in tx.execute(query)}


def _rows(
    tx: sqlalchemy.Connection, person_ids: Iterable[UUID]
) -> Iterator[tuple[PersonRow, list[Row]]]:
    keys = [key_of(person_id) for person_id in set(person_ids)]
    if not keys:
        return
    persons, enrolments = tables.persons.c, tables.enrolments.c
    insured: dict[UUID, list[Row]] = {}
    where = tuple_(enrolments.region, enrolments.person_id).in_(keys)
    for row in tx.execute(select(*enrolments).where(where)):
        insured.setdefault(row.person_id, []).append(tuple(row))
    query = select(*persons).where(tuple_(persons.region, persons.id).in_(keys))
    for row in tx.execute(query):
        kept = PersonRow(*row)
        yield kept, insured.get(kept.id, [])
