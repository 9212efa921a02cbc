"""UploadDocument, documents as an application names them, and what becomes of the others."""

import hashlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from google.protobuf.message import Message

from gongji.v1 import binding_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.storage.database import Database
from gongji_svc.storage.documents import content_of, read_document, remove_unattached
from gongji_svc.storage.ids import region_of
from gongji_svc.upkeep.documents import remove_old_documents
from tests.families import Families
from tests.services.applications import (
    CLERK,
    DAY,
    HOHHOT,
    JPEG,
    SERVICE,
    TIELING,
    ULANQAB,
    application,
    changed,
    create,
    documents_for,
    donor_in,
    header,
    pieces,
    relative_in,
    upload,
)
from tests.services.changes import bind, bound, end, in_force
from tests.services.driver import Driver

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
PDF = b"%PDF-1.7\n%%EOF\n"
MOST_BYTES = 10 * 1024 * 1024
MEBIBYTE = 1024 * 1024
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Driver:
    return Driver(shared_database, on=DAY)


def content_in(database: Database, driver: Driver, document_id: str) -> bytes:
    """What is kept of a document's content."""
    with database.reader() as tx:
        document = read_document(tx, UUID(document_id))
        assert document is not None
        return b"".join(content_of(tx, document, driver.office.sealer))


def kept(database: Database, uploader: object) -> tuple[object, ...]:
    """How many documents and chunks of theirs there are."""
    query = """SELECT count(DISTINCT id), count(chunk_no) FROM documents
               LEFT JOIN document_chunks ON document_id = id
               WHERE uploaded_by ->> 'subject' = %s"""
    with database.connect() as tx:
        row = tx.execute(query, [str(uploader)]).fetchone()
    assert row is not None
    return row


@pytest.mark.requirement("HOH-13")
@pytest.mark.parametrize(
    ("media_type", "content"),
    [("image/jpeg", JPEG), ("image/png", PNG), ("application/pdf", PDF)],
)
def test_a_document_is_kept_as_it_came(
    driver: Driver, shared_database: Database, families: Families, media_type: str, content: bytes
) -> None:
    donor = donor_in(families, HOHHOT)
    answer = upload(driver, donor, header(media_type=media_type), content[:5], content[5:])
    assert answer.sha256 == hashlib.sha256(content).hexdigest()
    assert answer.size_bytes == len(content)
    assert content_in(shared_database, driver, answer.document_id) == content


def test_a_document_of_the_greatest_size_is_kept_in_sealed_chunks(
    driver: Driver, shared_database: Database, families: Families
) -> None:
    content = JPEG + bytes(MOST_BYTES - len(JPEG))
    chunks = [content[start : start + MEBIBYTE] for start in range(0, MOST_BYTES, MEBIBYTE)]
    answer = upload(driver, donor_in(families, HOHHOT), header(), *chunks)
    with shared_database.connect() as tx:
        query = """SELECT count(*), sum(position(%s::bytea IN content)) FROM document_chunks
                   WHERE document_id = %s"""
        found = tx.execute(query, [JPEG[6:], answer.document_id]).fetchone()
        assert found == (20, 0)
    assert content_in(shared_database, driver, answer.document_id) == content


def test_a_document_beyond_the_greatest_size_is_refused_and_not_kept(
    driver: Driver, shared_database: Database, families: Families
) -> None:
    donor = donor_in(families, HOHHOT)
    chunks = [JPEG, *[bytes(MEBIBYTE)] * 10]
    with pytest.raises(errors.DocumentTooLarge):
        upload(driver, donor, header(), *chunks)
    assert kept(shared_database, donor) == (0, 0)


@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        ("image/jpeg", PNG),
        ("application/pdf", JPEG),
        ("image/png", b"MZ\x90\0"),
        ("image/jpeg", b"<html>"),
        ("image/jpeg", b"\xff"),
    ],
)
def test_the_content_decides_and_not_the_name(
    driver: Driver, shared_database: Database, families: Families, media_type: str, content: bytes
) -> None:
    donor = donor_in(families, HOHHOT)
    with pytest.raises(errors.DocumentNotReadable):
        upload(driver, donor, header(media_type=media_type), content)
    assert kept(shared_database, donor) == (0, 0)


def _nothing() -> Iterator[Message]:
    yield from ()


def _header_only() -> Iterator[Message]:
    yield from pieces(header())


def _no_header() -> Iterator[Message]:
    yield pb.UploadDocumentRequest(chunk=JPEG)


def _two_headers() -> Iterator[Message]:
    yield from pieces(header(), JPEG)
    yield from pieces(header(), JPEG)


@pytest.mark.parametrize("sent", [_nothing, _header_only, _no_header, _two_headers])
def test_an_upload_without_its_parts_is_refused(
    driver: Driver, shared_database: Database, families: Families, sent: object
) -> None:
    assert callable(sent)
    donor = donor_in(families, HOHHOT)
    with pytest.raises(errors.DocumentIncomplete):
        driver.upload("citizen", donor, SERVICE, "UploadDocument", sent())
    assert kept(shared_database, donor) == (0, 0)


def test_an_upload_that_breaks_off_leaves_nothing(
    driver: Driver, shared_database: Database, families: Families
) -> None:
    donor = donor_in(families, HOHHOT)

    def broken() -> Iterator[Message]:
        yield from pieces(header(), JPEG, bytes(MEBIBYTE))
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        driver.upload("citizen", donor, SERVICE, "UploadDocument", broken())
    assert kept(shared_database, donor) == (0, 0)


def test_a_header_that_says_nothing_is_reported_by_field(
    driver: Driver, families: Families
) -> None:
    with pytest.raises(errors.InvalidField) as refused:
        upload(driver, donor_in(families, HOHHOT), pb.DocumentHeader(media_type="text/html"))
    fields = {violation.field for violation in refused.value.violations}
    assert fields == {"header.kind", "header.of", "header.media_type"}


def test_a_repeated_upload_keeps_one_document(
    driver: Driver, shared_database: Database, families: Families
) -> None:
    donor = donor_in(families, HOHHOT)
    first, again = (upload(driver, donor, header(request_id="d-1")) for _ in range(2))
    assert (first.replayed, again.replayed) == (False, True)
    assert first.document_id == again.document_id
    assert kept(shared_database, donor) == (1, 1)


def test_another_content_under_the_same_id_names_the_field(
    driver: Driver, families: Families
) -> None:
    donor = donor_in(families, HOHHOT)
    upload(driver, donor, header(request_id="d-1"))
    with pytest.raises(errors.RequestIdReused) as refused:
        upload(driver, donor, header(request_id="d-1"), JPEG + b"\0")
    assert [violation.field for violation in refused.value.violations] == ["chunk"]


def test_a_document_is_kept_in_the_uploaders_region(driver: Driver, families: Families) -> None:
    donor = donor_in(families, HOHHOT, home=ULANQAB)
    by_donor = upload(driver, donor, header())
    by_clerk = upload(driver, HOHHOT, header(), role="counter")
    regions = [region_of(UUID(answer.document_id)) for answer in (by_donor, by_clerk)]
    assert regions == [ULANQAB, HOHHOT]


# --- named by an application


@pytest.mark.requirement("HOH-13")
def test_a_binding_describes_its_documents(driver: Driver, families: Families) -> None:
    donor, child = donor_in(families, HOHHOT), relative_in(families, HOHHOT)
    request = application(driver, donor, child, region=HOHHOT)
    documents = create(driver, donor, request).binding.documents
    assert [document.document_id for document in documents] == list(request.document_ids)
    assert {document.kind for document in documents} == {
        pb.DOCUMENT_KIND_ID_FRONT,
        pb.DOCUMENT_KIND_ID_BACK,
    }


def test_a_document_belongs_to_one_binding(driver: Driver, families: Families) -> None:
    donor = donor_in(families, HOHHOT)
    first = application(driver, donor, relative_in(families, HOHHOT), region=HOHHOT)
    create(driver, donor, first)
    other = relative_in(families, HOHHOT)
    second = application(driver, donor, other, region=HOHHOT, document_ids=list(first.document_ids))
    with pytest.raises(errors.DocumentAlreadyAttached):
        create(driver, donor, second)


def test_a_validation_does_not_use_up_documents(driver: Driver, families: Families) -> None:
    donor, child = donor_in(families, HOHHOT), relative_in(families, HOHHOT)
    request = application(driver, donor, child, region=HOHHOT)
    create(driver, donor, changed(request, validate_only=True))
    assert create(driver, donor, request).binding.binding_id


def test_documents_of_a_rejected_application_can_be_named_again(
    driver: Driver, shared_database: Database, families: Families
) -> None:
    donor, child = donor_in(families, TIELING), relative_in(families, TIELING)
    first = application(driver, donor, child, region=TIELING)
    rejected = create(driver, donor, first).binding.binding_id
    with shared_database.connect() as tx:
        tx.execute("UPDATE bindings SET state = 'REJECTED' WHERE id = %s", [rejected])
    again = application(driver, donor, child, region=TIELING, document_ids=first.document_ids)
    assert len(create(driver, donor, again).binding.documents) == 3


def test_documents_of_a_withdrawn_application_can_be_named_again(
    driver: Driver, families: Families
) -> None:
    pair = bound(driver, families, TIELING)
    end(driver, "citizen", pair.donor, pair.id)
    documents = [one.document_id for one in pair.binding.documents]
    again = bind(driver, pair.donor, pair.beneficiary, TIELING, document_ids=documents)
    assert [one.document_id for one in again.binding.documents] == documents


def test_documents_of_a_binding_that_was_in_force_cannot_be_named_again(
    driver: Driver, families: Families
) -> None:
    pair = in_force(driver, families, TIELING)
    end(driver, "citizen", pair.donor, pair.id)
    documents = [one.document_id for one in pair.binding.documents]
    with pytest.raises(errors.DocumentAlreadyAttached):
        bind(driver, pair.donor, pair.beneficiary, TIELING, document_ids=documents)


def test_what_somebody_else_uploaded_is_not_found(driver: Driver, families: Families) -> None:
    donor, stranger = donor_in(families, HOHHOT), donor_in(families, HOHHOT)
    policy = driver.office.policy(HOHHOT, DAY)
    theirs = documents_for(driver, policy, stranger)
    request = application(
        driver, donor, relative_in(families, HOHHOT), region=HOHHOT, document_ids=theirs
    )
    with pytest.raises(errors.DocumentNotFound):
        create(driver, donor, request)


@pytest.mark.parametrize(
    "unknown", ["0196a000-0000-8000-8000-000000000000", "12345678-1234-1234-1234-123456789012"]
)
def test_an_unknown_document_is_not_found(driver: Driver, families: Families, unknown: str) -> None:
    donor, child = donor_in(families, ULANQAB), relative_in(families, ULANQAB)
    request = application(driver, donor, child, region=ULANQAB, document_ids=[unknown])
    with pytest.raises(errors.DocumentNotFound):
        create(driver, donor, request)


def test_what_one_clerk_uploaded_another_of_the_region_may_use(
    driver: Driver, families: Families
) -> None:
    donor, child = donor_in(families, HOHHOT), relative_in(families, HOHHOT)
    policy = driver.office.policy(HOHHOT, DAY)
    request = application(
        driver,
        donor,
        child,
        region=HOHHOT,
        channel=pb.CHANNEL_COUNTER,
        certificates_seen=True,
        document_ids=documents_for(driver, policy, HOHHOT, role="counter"),
    )
    assert create(driver, HOHHOT, request, role="counter").binding.created_by.actor == CLERK


# --- attached by no application


def test_what_nobody_attached_is_removed_after_a_day(database: Database) -> None:
    driver, families = Driver(database, on=DAY), Families(database)
    donor = donor_in(families, HOHHOT)
    request = application(driver, donor, relative_in(families, HOHHOT), region=HOHHOT)
    create(driver, donor, request)
    forgotten = donor_in(families, ULANQAB)
    upload(driver, forgotten, header())
    driver.office.clock_offset += 23 * HOUR
    assert remove_old_documents(driver.office) == 0
    driver.office.clock_offset += 2 * HOUR
    assert remove_old_documents(driver.office) == 1
    assert kept(database, forgotten) == (0, 0)
    assert kept(database, donor) == (len(request.document_ids), len(request.document_ids))


def test_all_that_is_old_is_removed_however_much_it_is(database: Database) -> None:
    driver, families = Driver(database, on=DAY), Families(database)
    donors = [donor_in(families, region) for region in (HOHHOT, ULANQAB)]
    for number in range(110):
        upload(driver, donors[number % 2], header())
    driver.office.clock_offset += 25 * HOUR
    assert remove_old_documents(driver.office) == 110


def test_an_application_that_comes_too_late_finds_no_documents(database: Database) -> None:
    driver, families = Driver(database, on=DAY), Families(database)
    donor = donor_in(families, HOHHOT)
    request = application(driver, donor, relative_in(families, HOHHOT), region=HOHHOT)
    with ThreadPoolExecutor(1) as thread, database.transaction() as tx:
        removed = remove_unattached(tx, driver.office.now() + HOUR, 100)
        late = thread.submit(create, driver, donor, request)
        while not _waits_for_a_lock(database):
            assert not late.done()
            time.sleep(0.01)
    assert removed == len(request.document_ids)
    assert isinstance(late.exception(), errors.DocumentNotFound)


def test_documents_are_attached_or_removed_and_never_both(database: Database) -> None:
    driver, families = Driver(database, on=DAY), Families(database)

    def remove() -> int:
        with database.transaction() as tx:
            return remove_unattached(tx, driver.office.now() + HOUR, 100)

    for _ in range(20):
        donor, child = donor_in(families, HOHHOT), relative_in(families, HOHHOT)
        request = application(driver, donor, child, region=HOHHOT)
        count = len(request.document_ids)
        with ThreadPoolExecutor(2) as both:
            created, removed = both.submit(create, driver, donor, request), both.submit(remove)
        left = 0 if created.exception() else count
        # What the application still held when the others went is for the next time.
        assert removed.result() + remove() == count - left
        assert kept(database, donor) == (left, left)


def _waits_for_a_lock(database: Database) -> bool:
    query = """SELECT count(*) FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock'"""
    with database.connect() as tx:
        return tx.execute(query).fetchone() != (0,)
