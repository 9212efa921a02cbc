"""Documents and their bytes: the one place that knows where they are kept.

Rule: a document is kept whole or not at all; its bytes stand sealed in chunks, each bound to its
document and its place in it. An object store would take the place of the chunks here, and nowhere
else.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self
from uuid import UUID

import sqlalchemy
from sqlalchemy import select

from gongji_svc.storage import tables
from gongji_svc.storage.ids import region_of
from gongji_svc.storage.sealing import Sealer
from gongji_svc.storage.statements import Row

_CHUNK_BYTES = 512 * 1024


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
        sealed = sealer.seal_bytes(piece, _place(document_id, number))
        yield (region, document_id, number, sealer.key_id, sealed)


def content_of(tx: sqlalchemy.Connection, document_id: UUID, sealer: Sealer) -> bytes:
    """The whole content of a document; empty when there is none."""
    chunks = tables.document_chunks.c
    query = (
        select(chunks.chunk_no, chunks.key_id, chunks.content)
        .where(chunks.region == region_of(document_id), chunks.document_id == document_id)
        .order_by(chunks.chunk_no)
    )
    return b"".join(
        sealer.open_bytes(sealed, key_id, _place(document_id, number))
        for number, key_id, sealed in tx.execute(query)
    )


def _place(document_id: UUID, number: int) -> bytes:
    return document_id.bytes + number.to_bytes(2, "big")
