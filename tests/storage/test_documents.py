"""The bytes of documents: sealed and bound to their place; removed where nobody took them up."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from gongji_svc.storage.database import Database
from gongji_svc.storage.documents import (
    DocumentNotWhole,
    DocumentRow,
    chunk_rows,
    content_of,
    read_document,
    remove_unattached,
)
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.sealing import SealBroken, Sealer
from tests.families import KEYS, Families

REGION, OTHER = "150100", "150900"
CONTENT = bytes(range(256)) * 5000
CHUNK_BYTES = 512 * 1024
NOW = datetime(2025, 5, 6, 4, 0, tzinfo=UTC)
DAY = timedelta(days=1)
OLD = NOW - 2 * DAY


def written(
    database: Database,
    content: bytes,
    *,
    region: str = REGION,
    created_at: datetime = NOW,
    binding_id: UUID | None = None,
) -> DocumentRow:
    """A document as an upload keeps it."""
    document = DocumentRow(
        region=region,
        id=new_id(region),
        kind="ID_FRONT",
        of="DONOR",
        media_type="image/jpeg",
        sha256=bytes(32),
        size_bytes=len(content),
        uploaded_by={"role": "counter", "subject": region, "actor": "c-17"},
        binding_id=binding_id,
        created_at=created_at,
    )
    chunks = chunk_rows(document.id, content, Sealer(KEYS))
    rows = (("document_chunks", chunk) for chunk in chunks)
    Families(database).write(("documents", document.row()), *rows)
    return document


def read(database: Database, document: DocumentRow) -> bytes:
    """The whole content."""
    with database.reader() as tx:
        return b"".join(content_of(tx, document, Sealer(KEYS)))


def left(database: Database) -> tuple[set[object], set[object]]:
    """Which documents there are, and which have bytes."""
    with database.connect() as tx:
        documents = {found for (found,) in tx.execute("SELECT id FROM documents")}
        with_bytes = {found for (found,) in tx.execute("SELECT document_id FROM document_chunks")}
    return documents, with_bytes


def test_what_was_kept_comes_back_whole_and_in_order(database: Database) -> None:
    document = written(database, CONTENT)
    assert read(database, document) == CONTENT


def test_what_was_described_comes_back_the_same(database: Database) -> None:
    document = written(database, CONTENT)
    with database.reader() as tx:
        assert read_document(tx, document.id) == document
        assert read_document(tx, new_id(REGION)) is None


def test_a_chunk_is_read_when_it_is_asked_for(database: Database) -> None:
    document = written(database, CONTENT)
    with database.connect() as tx:
        tx.execute("UPDATE document_chunks SET content = content || 'x' WHERE chunk_no > 0")
    with database.reader() as tx:
        chunks = content_of(tx, document, Sealer(KEYS))
        assert next(chunks) == CONTENT[:CHUNK_BYTES]
        with pytest.raises(SealBroken):
            next(chunks)


def test_chunks_that_changed_places_do_not_open(database: Database) -> None:
    document = written(database, CONTENT)
    with database.connect() as tx:
        tx.execute("UPDATE document_chunks SET chunk_no = -1 - chunk_no WHERE chunk_no < 2")
        tx.execute("UPDATE document_chunks SET chunk_no = 2 + chunk_no WHERE chunk_no < 0")
    with pytest.raises(SealBroken):
        read(database, document)


def test_a_chunk_of_another_document_does_not_open(database: Database) -> None:
    first, second = written(database, CONTENT), written(database, b"other")
    with database.connect() as tx:
        tx.execute("DELETE FROM document_chunks WHERE document_id = %s", [second.id])
        tx.execute("UPDATE document_chunks SET document_id = %s", [second.id])
    assert first != second
    with pytest.raises(SealBroken):
        read(database, second)


@pytest.mark.parametrize("lost", [0, 2])
def test_a_document_that_lacks_a_chunk_is_not_read_to_its_end(
    database: Database, lost: int
) -> None:
    document = written(database, CONTENT)
    with database.connect() as tx:
        tx.execute("DELETE FROM document_chunks WHERE chunk_no = %s", [lost])
    with pytest.raises(DocumentNotWhole):
        read(database, document)


def test_old_documents_that_nobody_attached_are_removed_with_their_bytes(
    database: Database,
) -> None:
    young = written(database, CONTENT, created_at=NOW)
    attached = written(database, b"attached", created_at=OLD, binding_id=new_id(REGION))
    for region in (REGION, OTHER, REGION):
        written(database, CONTENT, region=region, created_at=OLD)
    with database.transaction() as tx:
        assert remove_unattached(tx, NOW - DAY, 100) == 3
    assert left(database) == ({young.id, attached.id}, {young.id, attached.id})


def test_no_more_are_removed_at_once_than_asked_for(database: Database) -> None:
    for region in (REGION, OTHER, REGION, OTHER, REGION):
        written(database, b"old", region=region, created_at=OLD)
    steps = []
    for _ in range(4):
        with database.transaction() as tx:
            steps.append(remove_unattached(tx, NOW, 2))
    assert steps == [2, 2, 1, 0]


def test_a_document_that_an_application_holds_is_left_alone(database: Database) -> None:
    held, free = (written(database, b"old", created_at=OLD) for _ in range(2))
    with database.connect() as application:
        application.execute("SELECT FROM documents WHERE id = %s FOR UPDATE", [held.id])
        with database.transaction() as tx:
            assert remove_unattached(tx, NOW, 100) == 1
        attach = "UPDATE documents SET binding_id = %s WHERE id = %s"
        application.execute(attach, [new_id(REGION), held.id])
    with database.transaction() as tx:
        assert remove_unattached(tx, NOW, 100) == 0
    assert left(database) == ({held.id}, {held.id})
    assert free.id != held.id


def test_two_that_remove_at_once_share_the_work(database: Database) -> None:
    for _ in range(5):
        written(database, b"old", created_at=OLD)
    with database.transaction() as one, database.transaction() as other:
        assert remove_unattached(one, NOW, 3) == 3
        assert remove_unattached(other, NOW, 100) == 2
    assert left(database) == (set(), set())
