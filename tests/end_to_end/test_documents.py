"""Documents over the wire: whole, refused, broken off, held back; nobody holds more than the time a
call has.
"""

import hashlib
import json
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import grpc
import pytest
from grpc import StatusCode
from grpc_health.v1.health_pb2 import HealthCheckResponse

from gongji.v1 import binding_pb2 as pb
from gongji.v1.binding_pb2_grpc import BindingServiceStub
from gongji_svc.pipe import Settings
from gongji_svc.server import FrontSettings
from gongji_svc.storage.database import Database
from tests.end_to_end.purchases import HOHHOT
from tests.end_to_end.refusals import Refusal, refusal_of
from tests.end_to_end.service import TOKEN_KEY, Service, health, metadata_of, until
from tests.families import KEYS, Families, Made
from tests.services.driver import Driver

JPEG = b"\xff\xd8\xff\xe0" + b"\0\x10JFIF" * 4
MOST_BYTES = 10 * 1024 * 1024
MEBIBYTE = 1024 * 1024
_CHANCE = random.Random(20250506)  # noqa: S311 - the same content in every run
GREATEST = JPEG + _CHANCE.randbytes(MOST_BYTES - len(JPEG))
HEADER = pb.DocumentHeader(
    kind=pb.DOCUMENT_KIND_ID_FRONT, of=pb.DOCUMENT_OF_DONOR, media_type="image/jpeg"
)


@pytest.fixture
def donor(families: Families) -> Made:
    return families.person(HOHHOT)


def pieces(content: bytes) -> Iterator[pb.UploadDocumentRequest]:
    """The messages of an upload."""
    yield pb.UploadDocumentRequest(header=HEADER)
    for start in range(0, len(content), MEBIBYTE):
        yield pb.UploadDocumentRequest(chunk=content[start : start + MEBIBYTE])


def upload(channel: grpc.Channel, donor: Made, content: bytes) -> pb.UploadDocumentResponse:
    return BindingServiceStub(channel).UploadDocument(
        pieces(content), metadata=metadata_of("citizen", donor), timeout=30
    )


def refused(channel: grpc.Channel, donor: Made, content: bytes) -> Refusal:
    with pytest.raises(grpc.RpcError) as caught:
        upload(channel, donor, content)
    return refusal_of(caught.value)


def download(
    channel: grpc.Channel, donor: Made, document_id: str
) -> "grpc._CallIterator[pb.DownloadDocumentResponse]":
    """A download of which nothing is read yet."""
    request = pb.DownloadDocumentRequest(document_id=document_id)
    return BindingServiceStub(channel).DownloadDocument(
        request, metadata=metadata_of("citizen", donor), timeout=30
    )


def kept(database: Database, donor: Made) -> object:
    """How many documents of the donor there are, and how many chunks of them."""
    query = """SELECT count(DISTINCT id), count(chunk_no) FROM documents
               LEFT JOIN document_chunks ON document_id = id
               WHERE uploaded_by ->> 'subject' = %s"""
    with database.connect() as tx:
        return tx.execute(query, [str(donor)]).fetchone()


def open_transactions(database: Database) -> int:
    """How many transactions wait for their client."""
    query = """SELECT count(*) FROM pg_stat_activity
               WHERE datname = current_database() AND state = 'idle in transaction'"""
    with database.connect() as tx:
        row = tx.execute(query).fetchone()
    assert row is not None
    return int(str(row[0]))


def spoil_second_chunk(database: Database, document_id: str) -> None:
    query = """UPDATE document_chunks SET content = content || 'x'
               WHERE document_id = %s AND chunk_no = 1"""
    with database.connect() as tx:
        tx.execute(query, [document_id])


def test_a_document_of_the_greatest_size_goes_up_and_comes_down_unchanged(
    service: Service, donor: Made
) -> None:
    answer = upload(service.channel, donor, GREATEST)
    assert answer.size_bytes == MOST_BYTES
    first, *rest = download(service.channel, donor, answer.document_id)
    came = hashlib.sha256(b"".join(piece.chunk for piece in rest)).hexdigest()
    sent = hashlib.sha256(GREATEST).hexdigest()
    assert came == sent == answer.sha256 == first.document.sha256


@pytest.mark.parametrize("extra_bytes", [1, MOST_BYTES])
def test_a_document_beyond_the_greatest_size_is_refused(
    service: Service, donor: Made, extra_bytes: int
) -> None:
    refusal = refused(service.channel, donor, GREATEST + bytes(extra_bytes))
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "DOCUMENT_TOO_LARGE")
    assert kept(service.database, donor) == (0, 0)


def test_content_of_another_type_is_refused(service: Service, donor: Made) -> None:
    refusal = refused(service.channel, donor, b"%PDF-1.7\n%%EOF\n")
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "DOCUMENT_NOT_READABLE")
    assert kept(service.database, donor) == (0, 0)


# --- uploads that break off

Break = Callable[[grpc.Channel, "grpc._CallFuture[pb.UploadDocumentResponse]"], object]


def break_off(service: Service, donor: Made, leave: Break, seconds: float = 30.0) -> None:
    """An upload whose client leaves when it has sent a sound beginning."""
    sent, gone = threading.Event(), threading.Event()

    def beginning() -> Iterator[pb.UploadDocumentRequest]:
        yield from pieces(GREATEST[: 2 * MEBIBYTE])
        sent.set()
        gone.wait()

    address = f"127.0.0.1:{service.workers.ports[0]}"
    own = (("grpc.use_local_subchannel_pool", 1),)
    with grpc.insecure_channel(address, own) as channel:
        call = BindingServiceStub(channel).UploadDocument.future(
            beginning(), metadata=metadata_of("citizen", donor), timeout=seconds
        )
        sent.wait(seconds)
        leave(channel, call)
        gone.set()


def test_an_upload_that_breaks_off_leaves_nothing_behind(start: Callable[..., Service]) -> None:
    service = start()
    donor = Families(service.database).person(HOHHOT)
    for _ in range(5):
        break_off(service, donor, lambda _, call: call.cancel())
        break_off(service, donor, lambda channel, _: channel.close())
        break_off(service, donor, lambda _, call: call.exception(), seconds=0.5)
    upload(service.channel, donor, JPEG)
    service.workers.stop()  # what was begun is done then
    assert kept(service.database, donor) == (1, 1)


# --- downloads that end before their end


def test_a_download_that_is_not_allowed_is_refused_before_anything_comes(
    service: Service, families: Families, donor: Made
) -> None:
    document_id = upload(service.channel, donor, JPEG).document_id
    coming = download(service.channel, families.person(HOHHOT), document_id)
    with pytest.raises(grpc.RpcError) as caught:
        next(coming)
    refusal = refusal_of(caught.value)
    assert (refusal.code, refusal.reason) == (StatusCode.PERMISSION_DENIED, "ACCESS_DENIED")


def test_an_error_in_the_middle_is_a_status_behind_what_came(service: Service, donor: Made) -> None:
    document_id = upload(service.channel, donor, GREATEST).document_id
    spoil_second_chunk(service.database, document_id)
    coming = download(service.channel, donor, document_id)
    assert next(coming).HasField("document")
    assert next(coming).HasField("chunk")
    with pytest.raises(grpc.RpcError) as caught:
        next(coming)
    refusal = refusal_of(caught.value)
    assert (refusal.code, refusal.reason) == (StatusCode.INTERNAL, "INTERNAL")


def test_a_client_that_does_not_read_holds_back_what_is_read_for_it_until_it_leaves(
    service: Service, donor: Made
) -> None:
    document_id = upload(service.channel, donor, GREATEST).document_id
    coming = download(service.channel, donor, document_id)
    assert next(coming).HasField("document")
    until(lambda: open_transactions(service.database) == 1)
    coming.cancel()
    until(lambda: open_transactions(service.database) == 0)
    assert len(list(download(service.channel, donor, document_id))) == 21


def test_clients_that_do_not_read_hold_up_nobody_else(service: Service, donor: Made) -> None:
    document_id = upload(service.channel, donor, GREATEST).document_id
    unread = [download(service.channel, donor, document_id) for _ in range(20)]
    until(lambda: open_transactions(service.database) == 4)  # the others wait for their turn
    assert upload(service.channel, donor, JPEG).size_bytes == len(JPEG)
    with pytest.raises(grpc.RpcError) as caught:
        BindingServiceStub(service.channel).GetBinding(
            pb.GetBindingRequest(binding_id=document_id),
            metadata=metadata_of("citizen", donor),
            timeout=30,
        )
    assert refusal_of(caught.value).reason == "ACCESS_DENIED"
    for one in unread:
        one.cancel()
    until(lambda: open_transactions(service.database) == 0)


def test_each_call_has_one_line_in_the_log(
    start: Callable[..., Service], capfd: pytest.CaptureFixture[str]
) -> None:
    service = start()
    donor = Families(service.database).person(HOHHOT)
    document_id = upload(service.channel, donor, GREATEST).document_id
    break_off(service, donor, lambda _, call: call.cancel())
    list(download(service.channel, donor, document_id))
    cancelled = download(service.channel, donor, document_id)
    next(cancelled)
    cancelled.cancel()
    spoil_second_chunk(service.database, document_id)
    with pytest.raises(grpc.RpcError):
        list(download(service.channel, donor, document_id))
    service.workers.stop()
    log = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line[:1] == "{"]
    assert Counter((line["method"], line["code"]) for line in log if line["event"] == "call") == {
        ("UploadDocument", "OK"): 1,
        ("UploadDocument", "CANCELLED"): 1,
        ("DownloadDocument", "OK"): 1,
        ("DownloadDocument", "CANCELLED"): 1,
        ("DownloadDocument", "INTERNAL"): 1,
    }


# --- clients that neither go on nor leave

_IMPATIENT = """
from gongji_svc import server
from gongji_svc.services import interceptors
interceptors._LONGEST_CALL_SECONDS = 2.0
interceptors._LONGEST_UPLOAD_SECONDS = 2.0
server.main(0)
"""


# Or a quick client takes in a whole document before anybody reads it.
_SMALL_WINDOW = ("grpc.http2.bdp_probe", 0)


@pytest.fixture
def impatient(database: Database) -> Iterator[grpc.Channel]:
    """The way to a front that gives a call two seconds."""
    writer = Settings(database.runtime_url, 5, KEYS.dump(), 0.0)
    settings = FrontSettings("127.0.0.1:0", False, TOKEN_KEY, writer)
    command = [sys.executable, "-c", _IMPATIENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as front:
        assert front.stdin is not None and front.stdout is not None
        front.stdin.write(settings.dump())
        front.stdin.flush()
        address = f"127.0.0.1:{int(front.stdout.readline())}"
        with grpc.insecure_channel(address, options=[_SMALL_WINDOW]) as channel:
            assert health(channel) == HealthCheckResponse.SERVING
            yield channel


def test_a_download_that_is_never_read_ends_with_its_time(
    database: Database, impatient: grpc.Channel
) -> None:
    donor = Families(database).person(HOHHOT)
    sent = Driver(database).upload(
        "citizen", donor, "BindingService", "UploadDocument", pieces(GREATEST)
    )
    coming = download(impatient, donor, sent.document_id)
    assert next(coming).HasField("document")
    until(lambda: open_transactions(database) == 1)
    until(lambda: open_transactions(database) == 0)
    with pytest.raises(grpc.RpcError) as caught:
        list(coming)
    refusal = refusal_of(caught.value)
    assert (refusal.code, refusal.reason) == (StatusCode.DEADLINE_EXCEEDED, "DEADLINE_PASSED")


def test_an_upload_that_stands_still_ends_with_its_time(
    database: Database, impatient: grpc.Channel
) -> None:
    donor = Families(database).person(HOHHOT)
    over = threading.Event()

    def beginning() -> Iterator[pb.UploadDocumentRequest]:
        yield from pieces(JPEG)
        over.wait()

    with pytest.raises(grpc.RpcError) as caught:
        BindingServiceStub(impatient).UploadDocument(
            beginning(), metadata=metadata_of("citizen", donor), timeout=30
        )
    over.set()
    refusal = refusal_of(caught.value)
    assert (refusal.code, refusal.reason) == (StatusCode.DEADLINE_EXCEEDED, "DEADLINE_PASSED")
    assert kept(database, donor) == (0, 0)
