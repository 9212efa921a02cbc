"""Everything that is sealed: made by the services, and opened again in clear; and the key files of
a rotation, from one step to the next.
"""

from datetime import UTC, datetime
from itertools import cycle
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Table, select

from gongji.v1 import settlement_pb2, types_pb2
from gongji_svc.domain.person import Person
from gongji_svc.storage import packed, tables
from gongji_svc.storage.bindings import kept_from, phone_of
from gongji_svc.storage.database import Database
from gongji_svc.storage.documents import DocumentRow, content_of
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.people import Identity, PersonRow, Registered
from gongji_svc.storage.rekeying import used
from gongji_svc.storage.sealing import KeyRing, Sealer
from gongji_svc.storage.statements import Write
from tests.end_to_end.purchases import at_work
from tests.families import BORN, KEYS, identity_card
from tests.services.applications import application, create, donor_in, relative_in
from tests.services.driver import Driver
from tests.services.till import request_of, settle

HOHHOT, ULANQAB = "150100", "150900"
_BOTH = {**KEYS.data_keys, 2: bytes(range(16, 32))}
KNOWN = KeyRing(KEYS.index_key, _BOTH, current=1)
CURRENT = KeyRing(KEYS.index_key, _BOTH, current=2)
ALONE = KeyRing(KEYS.index_key, {2: _BOTH[2]}, current=2)


def make_sealed(database: Database, families_of: int = 1) -> None:
    """Families of which each kind of sealed value is kept."""
    driver, families = Driver(database), at_work(database)
    for number in range(families_of):
        region = (HOHHOT, ULANQAB)[number % 2]
        donor, child = donor_in(families, region), relative_in(families, region)
        phone = f"1380000{number:04d}"
        request = application(driver, donor, child, region=region)
        request.beneficiary.phone = phone
        create(driver, donor, request)
        code = families.institution(region)
        purchase = request_of(code, child, request_id=uuid4().hex)
        purchase.agent.CopyFrom(agent(phone))
        settle(driver, code, purchase)
    driver.close()


def make_people(database: Database, count: int) -> None:
    """Many people at once."""
    sealer, rows = Sealer(KEYS), []
    for number, region in zip(range(count), cycle((HOHHOT, ULANQAB)), strict=False):
        person = Person(new_id(region), f"王{number}", BORN)
        card = identity_card(region, BORN, number)
        identity = Identity("ID_CARD", card, person.name, f"C{number}")
        rows.append(Registered(person, identity).rows(sealer, datetime.now(UTC))[0])
    with database.connect() as tx:
        packed.register(tx)
        Write(tables.persons).run(tx, rows, by_region=False)


def agent(phone: str) -> settlement_pb2.ProxyBuyer:
    """Who buys for a patient."""
    return settlement_pb2.ProxyBuyer(
        name="李代办",
        certificate=types_pb2.Certificate(
            type=types_pb2.CERTIFICATE_TYPE_ID_CARD, number="150902199001011239"
        ),
        phone=phone,
        principal_certificate_seen=True,
    )


def opened(database: Database, keys: KeyRing) -> dict[tuple[str, UUID], Any]:
    """Every sealed value in clear, by table and id; SealBroken where one does not open."""
    sealer = Sealer(keys)
    found: dict[tuple[str, UUID], Any] = {}
    with database.reader() as tx:

        def rows(table: Table) -> Any:
            return tx.execute(select(*table.c)).all()

        for row in rows(tables.persons):
            found["persons", row.id] = PersonRow(*row).opened(sealer)
        for row in rows(tables.bindings):
            found["bindings", row.id] = phone_of(kept_from(tuple(row)), sealer)
        for row in rows(tables.documents):
            content = b"".join(content_of(tx, DocumentRow(*row), sealer))
            found["document_chunks", row.id] = content
        for row in rows(tables.settlements):
            if "agent" in row.detail:
                key_id, _, sealed = row.detail["agent"].partition(":")
                clear = sealer.open(bytes.fromhex(sealed), int(key_id), row.id.bytes)
                found["settlements", row.id] = clear
    return found


def key_ids(database: Database) -> dict[str, set[int]]:
    """With which data keys each table's rows are sealed."""
    with database.reader() as tx:
        found = used(tx)
    return {one.table: {same.key_id for same in found if same.table == one.table} for one in found}
