"""Documents and their bytes: the one place that knows where they are kept.

Rule: a document is kept whole or not at all, and read whole or with an error; its bytes stand
sealed in chunks, each bound to its document and its place in it. An object store would take the
place of the chunks here, and nowhere else.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self
from uuid import UUID

import sqlalchemy
from sqlalchemy import and_, delete, select

from gongji_svc.storage import tables
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.sealing import Sealer
from gongji_svc.storage.statements import Row

_CHUNK_BYTES = 512 * 1024
_DOCUMENTS, _CHUNKS = tables.documents.c, tables.document_chunks.c


class DocumentNotWhole(Exception):
    """Chunks of a document are missing, or it was removed while it was read."""


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A row of `documents`, by name."""

    region: str
    id: UUID
    kind: str
    of: str
    media_type: str
    sha256: bytes
    size_bytes: int
    uploaded_by: dict[str, str]
    binding_id: UUID | None
    created_at: datetime

    def row(self) -> Row:
        """The values in column order."""
        return (
            self.region,
            self.id,
            self.kind,
            self.of,
            self.media_type,
            self.sha256,
            self.size_bytes,
            self.uploaded_by,
            self.binding_id,
            self.created_at,
        )

    def attached_to(self, binding_id: UUID) -> Self:
        """The document as attached to a binding."""
        return replace(self, binding_id=binding_id)


def chunk_rows(document_id: UUID, content: bytes, sealer: Sealer) -> Iterator[Row]:
    """The rows of `document_chunks` that keep `content`."""
    region = region_of(document_id)
    for number, start in enumerate(range(0, len(content), _CHUNK_BYTES)):
        piece = content[start : start + _CHUNK_BYTES]
        sealed = sealer.seal_bytes(piece, chunk_place(document_id, number))
        yield (region, document_id, number, sealer.key_id, sealed)


def read_document(tx: sqlalchemy.Connection, document_id: UUID) -> DocumentRow | None:
    """The document with this id, without its content."""
    query = select(*_DOCUMENTS).where(
        _DOCUMENTS.region == region_of(document_id), _DOCUMENTS.id == document_id
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else DocumentRow(*row)


def content_of(tx: sqlalchemy.Connection, document: DocumentRow, sealer: Sealer) -> Iterator[bytes]:
    """The content of a document, a chunk at a time; one chunk is in memory.

    SealBroken for a chunk that does not open, DocumentNotWhole at the end where any is missing.
    """
    query = (
        select(_CHUNKS.chunk_no, _CHUNKS.key_id, _CHUNKS.content)
        .where(_CHUNKS.region == document.region, _CHUNKS.document_id == document.id)
        .order_by(_CHUNKS.chunk_no)
    )
    left_bytes = document.size_bytes
    with tx.execute(query, execution_options={"yield_per": 1}) as chunks:
        for number, key_id, sealed in chunks:
            chunk = sealer.open_bytes(sealed, key_id, chunk_place(document.id, number))
            left_bytes -= len(chunk)
            yield chunk
    if left_bytes:
        raise DocumentNotWhole(f"document {document.id} lacks {left_bytes} bytes")


def remove_unattached(tx: sqlalchemy.Connection, before: datetime, limit: int) -> int:
    """Remove at most `limit` documents that were uploaded before then and that nobody attached;
    how many were.

    One that an application is just attaching is locked, and left; so any number may remove at once.
    """
    old = and_(_DOCUMENTS.binding_id.is_(None), _DOCUMENTS.created_at < before)
    removed = 0
    # Where regions are on several servers, only a statement on one region can lock.
    for region in tx.scalars(select(_DOCUMENTS.region).where(old).distinct()).all():
        one_region = _DOCUMENTS.region == region
        query = select(_DOCUMENTS.id).where(one_region, old).limit(limit - removed)
        ids = tx.scalars(query.with_for_update(skip_locked=True)).all()
        theirs = and_(_CHUNKS.region == region, _CHUNKS.document_id.in_(ids))
        tx.execute(delete(tables.document_chunks).where(theirs))
        tx.execute(delete(tables.documents).where(one_region, _DOCUMENTS.id.in_(ids)))
        removed += len(ids)
        if removed == limit:
            break
    return removed


def chunk_place(document_id: UUID, number: int) -> bytes:
    """To what the content of a document's chunk is bound."""
    return document_id.bytes + number.to_bytes(2, "big")
