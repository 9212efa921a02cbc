"""DownloadDocument: who reads a document, and what comes."""

import hashlib
import random
from collections.abc import Sequence

import pytest

from gongji.v1 import binding_pb2 as pb
from gongji_svc.domain import errors
from gongji_svc.domain.guardian import Guardian, GuardianKind
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.sealing import SealBroken
from tests.families import Families, Made
from tests.services.applications import (
    DAY,
    HOHHOT,
    JPEG,
    SERVICE,
    TIELING,
    ULANQAB,
    application,
    at_counter,
    create,
    donor_in,
    header,
    relative_in,
    upload,
)
from tests.services.driver import Driver

NOWHERE = "postgresql://gongji:none@127.0.0.1:1/gongji"
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def families(shared_database: Database) -> Families:
    return Families(shared_database)


@pytest.fixture(scope="module")
def driver(shared_database: Database) -> Driver:
    return Driver(shared_database, on=DAY)


def download(
    driver: Driver, role: str, subject: object, document_id: object, *, actor: str = ""
) -> Sequence[pb.DownloadDocumentResponse]:
    """All pieces of a download."""
    request = pb.DownloadDocumentRequest(document_id=str(document_id))
    return list(driver.download(role, subject, SERVICE, "DownloadDocument", request, actor=actor))


def attached(driver: Driver, families: Families, region: str, donor: Made, child: Made) -> str:
    """The first document of the donor's application for the child."""
    request = application(driver, donor, child, region=region)
    create(driver, donor, request)
    return request.document_ids[0]


def reads(driver: Driver, role: str, subject: object, document_id: str) -> bool:
    """Whether the caller is shown the document."""
    try:
        return bool(download(driver, role, subject, document_id))
    except errors.AccessDenied:
        return False


def test_the_description_comes_first_and_then_the_content(
    driver: Driver, families: Families
) -> None:
    donor = donor_in(families, HOHHOT)
    sent = upload(driver, donor, header("MARRIAGE", "BOTH"))
    first, *rest = download(driver, "citizen", donor, sent.document_id)
    described = first.document
    assert (described.document_id, described.sha256) == (sent.document_id, sent.sha256)
    assert (described.kind, described.of) == (pb.DOCUMENT_KIND_MARRIAGE, pb.DOCUMENT_OF_BOTH)
    assert (described.media_type, described.size_bytes) == ("image/jpeg", len(JPEG))
    assert described.uploaded_at.ToDatetime().date() == DAY
    assert [piece.chunk for piece in rest] == [JPEG]


def test_a_great_document_comes_in_pieces_and_as_it_was_sent(
    driver: Driver, families: Families
) -> None:
    donor = donor_in(families, HOHHOT)
    rest_bytes = 10 * MEBIBYTE - len(JPEG)
    content = JPEG + random.Random(20250506).randbytes(rest_bytes)  # noqa: S311  # no secret
    chunks = [content[start : start + MEBIBYTE] for start in range(0, len(content), MEBIBYTE)]
    sent = upload(driver, donor, header(), *chunks)
    first, *rest = download(driver, "citizen", donor, sent.document_id)
    assert max(len(piece.chunk) for piece in rest) <= MEBIBYTE
    came = hashlib.sha256(b"".join(piece.chunk for piece in rest)).hexdigest()
    assert came == first.document.sha256 == hashlib.sha256(content).hexdigest()


# --- who reads


def test_a_citizen_reads_what_the_citizen_uploaded_and_nobody_else_does(
    driver: Driver, families: Families
) -> None:
    donor, stranger = donor_in(families, HOHHOT), donor_in(families, HOHHOT)
    document_id = upload(driver, donor, header()).document_id
    assert reads(driver, "citizen", donor, document_id)
    assert not reads(driver, "citizen", stranger, document_id)
    for role in ("counter", "reviewer"):
        assert not reads(driver, role, HOHHOT, document_id)


def test_every_clerk_of_a_region_reads_what_one_of_them_uploaded(
    driver: Driver, families: Families
) -> None:
    document_id = upload(driver, HOHHOT, header(), role="counter").document_id
    assert download(driver, "counter", HOHHOT, document_id, actor="another clerk")
    assert not reads(driver, "counter", ULANQAB, document_id)
    assert not reads(driver, "reviewer", HOHHOT, document_id)


def test_the_donor_reads_what_a_clerk_uploaded_for_the_donors_binding(
    driver: Driver, families: Families
) -> None:
    donor, child = donor_in(families, HOHHOT), relative_in(families, HOHHOT)
    request = at_counter(driver, application(driver, donor, child, region=HOHHOT), HOHHOT)
    document_id = request.document_ids[0]
    assert not reads(driver, "citizen", donor, document_id)
    create(driver, HOHHOT, request, role="counter")
    assert reads(driver, "citizen", donor, document_id)
    assert not reads(driver, "citizen", child, document_id)


def test_a_guardian_of_the_donor_reads_it_and_a_guardian_of_the_beneficiary_does_not(
    driver: Driver, families: Families
) -> None:
    of_donor, of_child = donor_in(families, ULANQAB), donor_in(families, ULANQAB)

    def guarded(by: Made) -> list[Guardian]:
        return [Guardian(by.person_id, GuardianKind.REGISTERED)]

    donor = donor_in(families, HOHHOT, guardians=guarded(of_donor))
    child = relative_in(families, HOHHOT, guardians=guarded(of_child))
    document_id = attached(driver, families, HOHHOT, donor, child)
    assert reads(driver, "citizen", of_donor, document_id)
    assert not reads(driver, "citizen", of_child, document_id)


def test_the_reviewers_of_the_donors_region_read_what_is_attached_and_no_others(
    driver: Driver, families: Families
) -> None:
    donor = donor_in(families, TIELING, home=ULANQAB)
    document_id = attached(driver, families, TIELING, donor, relative_in(families, TIELING))
    assert reads(driver, "reviewer", TIELING, document_id)
    for region in (ULANQAB, HOHHOT):
        assert not reads(driver, "reviewer", region, document_id)


def test_clerks_do_not_read_what_the_donor_uploaded(driver: Driver, families: Families) -> None:
    donor, child = donor_in(families, TIELING), relative_in(families, TIELING)
    document_id = attached(driver, families, TIELING, donor, child)
    assert not reads(driver, "counter", TIELING, document_id)


@pytest.mark.parametrize("role", ["agency", "platform", "pos", "tax", "audit"])
def test_no_other_role_reads_documents(driver: Driver, families: Families, role: str) -> None:
    donor, child = donor_in(families, TIELING), relative_in(families, TIELING)
    document_id = attached(driver, families, TIELING, donor, child)
    assert not reads(driver, role, TIELING, document_id)


@pytest.mark.parametrize("role", ["citizen", "counter", "reviewer"])
def test_a_foreign_document_and_a_missing_one_are_one_answer(
    driver: Driver, families: Families, role: str
) -> None:
    foreign = upload(driver, donor_in(families, ULANQAB), header()).document_id
    subject = donor_in(families, HOHHOT) if role == "citizen" else HOHHOT
    answers = set()
    for each in (foreign, new_id(ULANQAB), "12345678-1234-1234-1234-123456789012"):
        with pytest.raises(errors.AccessDenied) as refused:
            download(driver, role, subject, each)
        answers.add((refused.value.message, str(refused.value.details)))
    assert len(answers) == 1


# --- what may go wrong


def test_what_is_no_id_is_reported_by_field(driver: Driver) -> None:
    with pytest.raises(errors.InvalidField) as refused:
        download(driver, "reviewer", HOHHOT, "a document")
    assert [violation.field for violation in refused.value.violations] == ["document_id"]


def test_content_that_was_altered_ends_the_download_with_an_error(
    driver: Driver, shared_database: Database, families: Families
) -> None:
    donor = donor_in(families, HOHHOT)
    document_id = upload(driver, donor, header(), JPEG, bytes(MEBIBYTE)).document_id
    with shared_database.connect() as tx:
        tx.execute(
            """UPDATE document_chunks SET content = content || 'x'
               WHERE document_id = %s AND chunk_no = 1""",
            [document_id],
        )
    request = pb.DownloadDocumentRequest(document_id=document_id)
    pieces = driver.download("citizen", donor, SERVICE, "DownloadDocument", request)
    assert next(pieces).HasField("document")
    assert next(pieces).HasField("chunk")
    with pytest.raises(SealBroken):
        next(pieces)


def test_a_download_that_is_given_up_ends_its_transaction(database: Database) -> None:
    driver, families = Driver(database, on=DAY), Families(database)
    donor = donor_in(families, HOHHOT)
    document_id = upload(driver, donor, header(), JPEG, bytes(MEBIBYTE)).document_id
    request = pb.DownloadDocumentRequest(document_id=document_id)
    pieces = driver.download("citizen", donor, SERVICE, "DownloadDocument", request)
    assert next(pieces).HasField("document")
    assert _open_transactions(database) == 1
    pieces.close()
    assert _open_transactions(database) == 0


def test_a_download_says_when_to_try_again_while_the_database_is_away() -> None:
    driver = Driver(Database(NOWHERE))
    with pytest.raises(errors.ServiceUnavailable) as away:
        download(driver, "reviewer", HOHHOT, new_id(HOHHOT))
    assert away.value.retry_after_seconds


def _open_transactions(database: Database) -> int:
    query = """SELECT count(*) FROM pg_stat_activity
               WHERE datname = current_database() AND state = 'idle in transaction'"""
    with database.connect() as tx:
        row = tx.execute(query).fetchone()
    assert row is not None
    return int(str(row[0]))
