"""Documents (证明材料): a proof is received whole, checked by its content, kept, and shown to few.

Rule: nothing is written before the last byte has come, and then all of it in one transaction; an
upload that breaks off leaves nothing. A document is read by who uploaded it, and by the donor and
the reviewers of the binding it is attached to; to everybody else it does not exist.
"""

import hashlib
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from gongji.v1 import binding_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.document import MAX_BYTES, media_type_of
from gongji_svc.domain.person import Person
from gongji_svc.domain.terms import DocumentKind, DocumentOf
from gongji_svc.services.binding_access import oversees
from gongji_svc.services.binding_view import document_message
from gongji_svc.services.contract import method_of
from gongji_svc.services.names import enum_name
from gongji_svc.services.office import Office
from gongji_svc.services.reach import caller_region, reaches
from gongji_svc.storage import tables
from gongji_svc.storage.binding_reads import read_binding
from gongji_svc.storage.bindings import Kept
from gongji_svc.storage.documents import DocumentRow, chunk_rows, content_of, read_document
from gongji_svc.storage.ids import new_id, parse_id
from gongji_svc.storage.person_reads import read_people
from gongji_svc.storage.state import Claim, Decision, Keys, Lookups, State, Wanted

_DEADLINE_SECONDS = 30
_HEADER, _CONTENT = 1, 2
_FIELDS = {_HEADER: "header", _CONTENT: "chunk"}


def upload_document(
    office: Office, caller: Caller, pieces: Iterator[pb.UploadDocumentRequest]
) -> pb.UploadDocumentResponse:
    """Keep one document; it belongs to the caller until a binding takes it."""
    header, content = _received(pieces)
    if media_type_of(content) != header.media_type:
        raise errors.DocumentNotReadable
    digest = hashlib.sha256(content).digest()
    answered = office.run(_KeepDocument(office, caller, header, content, digest))
    response = pb.UploadDocumentResponse.FromString(answered.answer)
    response.replayed = answered.replayed
    return response


def download_document(
    office: Office, caller: Caller, request: pb.DownloadDocumentRequest
) -> Generator[pb.DownloadDocumentResponse, None, None]:
    """A document's description, then its content; AccessDenied for one that is missing or not the
    caller's to read.
    """
    document_id = parse_id(request.document_id)
    with office.database.reader() as tx:
        document = None if document_id is None else read_document(tx, document_id)
        if document is None:
            raise errors.AccessDenied
        kept = None if document.binding_id is None else read_binding(tx, document.binding_id)
        donors = [] if kept is None else [kept.binding.donor_id]
        people = read_people(tx, donors, office.sealer)
        if not (_uploaded(caller, document) or (kept and _may_see(caller, kept, people, office))):
            raise errors.AccessDenied
        yield pb.DownloadDocumentResponse(document=document_message(document))
        for chunk in content_of(tx, document, office.sealer):
            yield pb.DownloadDocumentResponse(chunk=chunk)


def _uploaded(caller: Caller, document: DocumentRow) -> bool:
    """Whether it is the caller's own, or that of a clerk of the caller's region."""
    uploader = document.uploaded_by
    return (uploader["role"], uploader["subject"]) == (caller.role, caller.subject)


def _may_see(caller: Caller, kept: Kept, people: dict[UUID, Person], office: Office) -> bool:
    """Whether documents of this binding are shown to the caller."""
    if caller.role is Role.CITIZEN:
        return reaches(caller, people[kept.binding.donor_id], office.today())
    return caller.role is Role.REVIEWER and oversees(caller, kept)


def _received(
    pieces: Iterator[pb.UploadDocumentRequest],
) -> tuple[pb.DocumentHeader, bytes]:
    first = next(pieces, None)
    if first is None or not first.HasField("header"):
        raise errors.DocumentIncomplete
    content = bytearray()
    for piece in pieces:
        if not piece.HasField("chunk"):
            raise errors.DocumentIncomplete
        content += piece.chunk
        if len(content) > MAX_BYTES:
            raise errors.DocumentTooLarge
    if not content:
        raise errors.DocumentIncomplete
    return first.header, bytes(content)


@dataclass(frozen=True, slots=True)
class _KeepDocument:
    """The document as a command, so that a repeat keeps one."""

    office: Office
    caller: Caller
    header: pb.DocumentHeader
    content: bytes
    sha256: bytes
    deadline: float = field(default_factory=lambda: time.time() + _DEADLINE_SECONDS)

    def lookups(self) -> Lookups:
        """Nothing is looked up."""
        return Lookups()

    def keys(self, state: State) -> Keys:  # noqa: ARG002 - a command's signature
        """The request key, where the caller chose one."""
        if not self.header.request_id:
            return Keys()
        described = pb.DocumentHeader()
        described.CopyFrom(self.header)
        described.ClearField("request_id")
        meaning = {
            _HEADER: described.SerializeToString(deterministic=True),
            _CONTENT: self.sha256,
        }
        return Keys(
            claim=Claim(
                caller_region(self.caller),
                self.caller.subject,
                self.header.request_id,
                method_of("BindingService", "UploadDocument").path,
                {number: self.office.sealer.field_hash(said) for number, said in meaning.items()},
            )
        )

    def discover(self, state: State) -> Wanted:  # noqa: ARG002 - a command's signature
        """Nothing is locked."""
        return Wanted()

    def decide(self, state: State) -> Decision:
        """Keep the document and its sealed content."""
        document = self._document(state.now)
        chunks = chunk_rows(document.id, self.content, self.office.sealer)
        response = pb.UploadDocumentResponse(
            document_id=str(document.id),
            sha256=document.sha256.hex(),
            size_bytes=document.size_bytes,
        )
        return Decision(
            answer=response.SerializeToString(),
            result_id=document.id,
            new=(
                (tables.documents, document.row()),
                *((tables.document_chunks, chunk) for chunk in chunks),
            ),
        )

    def field_name(self, number: int) -> str:
        """The contract's name of a field."""
        return _FIELDS[number]

    def _document(self, now: datetime) -> DocumentRow:
        region = caller_region(self.caller)
        caller = self.caller
        return DocumentRow(
            region=region,
            id=new_id(region),
            kind=DocumentKind(enum_name(pb.DocumentKind, self.header.kind)),
            of=DocumentOf(enum_name(pb.DocumentOf, self.header.of)),
            media_type=self.header.media_type,
            sha256=self.sha256,
            size_bytes=len(self.content),
            uploaded_by={
                "role": caller.role.value,
                "subject": caller.subject,
                "actor": caller.actor,
            },
            binding_id=None,
            created_at=now,
        )
