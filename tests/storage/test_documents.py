"""The bytes of documents: sealed, and bound to their place."""

from uuid import UUID

import pytest

from gongji_svc.storage.database import Database
from gongji_svc.storage.documents import chunk_rows, content_of
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.sealing import SealBroken, Sealer
from tests.families import KEYS, Families

REGION = "150100"
CONTENT = bytes(range(256)) * 5000


def written(database: Database, content: bytes) -> UUID:
    document_id = new_id(REGION)
    chunks = chunk_rows(document_id, content, Sealer(KEYS))
    Families(database).write(*(("document_chunks", chunk) for chunk in chunks))
    return document_id


def test_what_was_kept_comes_back_whole_and_in_order(database: Database) -> None:
    document_id = written(database, CONTENT)
    with database.reader() as tx:
        assert content_of(tx, document_id, Sealer(KEYS)) == CONTENT


def test_chunks_that_changed_places_do_not_open(database: Database) -> None:
    document_id = written(database, CONTENT)
    with database.connect() as tx:
        tx.execute("UPDATE document_chunks SET chunk_no = -1 - chunk_no WHERE chunk_no < 2")
        tx.execute("UPDATE document_chunks SET chunk_no = 2 + chunk_no WHERE chunk_no < 0")
    with pytest.raises(SealBroken), database.reader() as tx:
        content_of(tx, document_id, Sealer(KEYS))


def test_a_chunk_of_another_document_does_not_open(database: Database) -> None:
    first, second = written(database, CONTENT), written(database, b"other")
    with database.connect() as tx:
        tx.execute("DELETE FROM document_chunks WHERE document_id = %s", [second])
        tx.execute("UPDATE document_chunks SET document_id = %s", [second])
    assert first != second
    with pytest.raises(SealBroken), database.reader() as tx:
        content_of(tx, second, Sealer(KEYS))
