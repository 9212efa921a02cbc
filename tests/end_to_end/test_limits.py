"""Limits as a client meets them: calls, previews, guesses, connections, and answers not taken."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from uuid import uuid4

import grpc
import pytest
import sqlalchemy
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest

from bench import http2
from gongji.v1 import account_pb2, binding_pb2, settlement_pb2
from gongji.v1.account_pb2_grpc import AccountServiceStub
from gongji.v1.binding_pb2_grpc import BindingServiceStub
from gongji.v1.settlement_pb2_grpc import SettlementServiceStub
from gongji_svc.domain.limits import Limits
from gongji_svc.storage.database import Database
from tests.end_to_end.purchases import ULANQAB, at_work, line, purchase
from tests.end_to_end.refusals import Refusal, refusal_of
from tests.end_to_end.service import Service, Till, health, metadata_of, opened, until
from tests.end_to_end.test_documents import upload
from tests.families import Families, Made
from tests.services.accounts import crediting
from tests.services.till import asked

_CHANNELZ = "/grpc.channelz.v1.Channelz/GetServers"
_REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
_LIST_SERVICES = ServerReflectionRequest(list_services="").SerializeToString()
_WATCH = "/gongji.v1.AccountService/WatchAccount"
_FRAME_BYTES = 16_384
BATCH_SETTLE = "/gongji.v1.SettlementService/BatchSettle"
_LIMITED = (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
_NO_WINDOW = struct.pack("!HI", 4, 0)  # SETTINGS_INITIAL_WINDOW_SIZE 0
_WAITING = """SELECT count(*) FROM pg_locks
              WHERE NOT granted AND relation = 'bindings'::regclass
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""

Start = Callable[..., Service]


def refused(call: Callable[[], object]) -> Refusal:
    """The refusal of a call for being one too many."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    refusal = refusal_of(caught.value)
    assert (refusal.code, refusal.reason) == _LIMITED
    assert refusal.retry_after_seconds is not None
    assert refusal.retry_after_seconds > 0
    return refusal


def is_limited(call: Callable[[], object]) -> bool:
    try:
        call()
    except grpc.RpcError as error:
        refusal = refusal_of(error)
        assert (refusal.code, refusal.reason) == _LIMITED
        assert refusal.retry_after_seconds is not None
        assert 0 < refusal.retry_after_seconds <= 1.0
        return True
    return False


def identify(till: Till, value: str, code: str) -> settlement_pb2.IdentifyPatientResponse:
    request = settlement_pb2.IdentifyPatientRequest(
        institution_code=code,
        credential=settlement_pb2.Credential(
            type=settlement_pb2.CREDENTIAL_TYPE_SOCIAL_CARD, value=value
        ),
    )
    return SettlementServiceStub(till.channel).IdentifyPatient(
        request, metadata=till.metadata, timeout=10
    )


@pytest.fixture
def builders(database: Database) -> Families:
    return at_work(database)


def test_who_calls_too_often_is_told_when_to_come_again_and_others_are_served(
    start: Start, builders: Families
) -> None:
    service = start(limits=Limits(institution_calls=1))
    one, other = builders.institution(ULANQAB), builders.institution(ULANQAB)
    patient = builders.person(ULANQAB, balance_fen=1_000_000)

    def sell(code: str) -> None:
        service.till(code).settle(purchase(code, patient, total_fen=100))

    until(lambda: is_limited(lambda: sell(one)), seconds=60)
    sell(other)


def test_calls_of_nobody_are_limited_by_address_and_good_ones_beside_them_are_not(
    start: Start, builders: Families
) -> None:
    service = start(limits=Limits(address_calls=1))
    code, patient = builders.institution(ULANQAB), builders.person(ULANQAB, balance_fen=1_000_000)

    def refusal(address: str, *shown: tuple[str, str]) -> Refusal:
        till = Till(service.channel, (("x-forwarded-for", address), *shown))
        with pytest.raises(grpc.RpcError) as caught:
            till.settle(purchase(code, patient, total_fen=100))
        return refusal_of(caught.value)

    def is_too_many() -> bool:
        told = refusal("10.0.0.7", ("authorization", "Bearer x"))
        assert told.code in (grpc.StatusCode.UNAUTHENTICATED, _LIMITED[0])
        return (told.code, told.reason) == _LIMITED and bool(told.retry_after_seconds)

    until(is_too_many, seconds=60)
    assert refusal("10.0.0.8").reason == "UNAUTHENTICATED"
    good = (("x-forwarded-for", "10.0.0.7"), *metadata_of("pos", code))
    Till(service.channel, good).settle(purchase(code, patient, total_fen=100))


def ask_channelz(channel: grpc.Channel) -> None:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_CHANNELZ)
    call(b"", timeout=10)


def ask_reflection(channel: grpc.Channel) -> None:
    """Ask ten times in one call."""
    call: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(_REFLECTION)
    for _ in call(iter([_LIST_SERVICES] * 10), timeout=10):
        pass


@pytest.mark.parametrize("ask", [health, ask_channelz, ask_reflection])
def test_services_of_grpc_are_limited_by_address(
    start: Start, builders: Families, ask: Callable[[grpc.Channel], object]
) -> None:
    service = start(limits=Limits(address_calls=1))
    code, patient = builders.institution(ULANQAB), builders.person(ULANQAB, balance_fen=1_000_000)
    until(lambda: is_limited(lambda: ask(service.channel)), seconds=60)
    service.till(code).settle(purchase(code, patient, total_fen=100))


def test_a_patient_is_previewed_so_often_by_all_together(start: Start, builders: Families) -> None:
    service = start(limits=Limits(previews=2))
    tills = [builders.institution(ULANQAB) for _ in range(3)]
    patient, other = (builders.person(ULANQAB, balance_fen=10_000) for _ in range(2))
    stub = SettlementServiceStub(service.channel)

    def look(code: str, whom: Made) -> None:
        stub.PreviewSettlement(
            asked(purchase(code, whom, total_fen=100)),
            metadata=metadata_of("pos", code),
            timeout=10,
        )

    for code in tills[:2]:
        look(code, patient)
    refused(lambda: look(tills[2], patient))
    look(tills[2], other)
    service.till(tills[2]).settle(purchase(tills[2], patient, total_fen=100))


def test_who_names_cards_that_are_nobodys_can_name_none_for_a_while(
    start: Start, builders: Families
) -> None:
    service = start(limits=Limits(guesses=2))
    code, other = builders.institution(ULANQAB), builders.institution(ULANQAB)
    patient = builders.person(ULANQAB, balance_fen=10_000)
    bought = service.till(code).settle(purchase(code, patient, total_fen=100))
    with pytest.raises(grpc.RpcError) as caught:
        identify(service.till(code), "K-guess", code)
    assert refusal_of(caught.value).reason == "PERSON_NOT_MATCHED"
    guess = purchase(code, patient)
    guess.credential.value = "150100199001010000"
    with pytest.raises(grpc.RpcError) as caught:
        service.till(code).settle(guess)
    assert refusal_of(caught.value).reason == "PERSON_NOT_MATCHED"
    refused(lambda: identify(service.till(code), "K-guess", code))
    refused(lambda: service.till(code).settle(purchase(code, patient, total_fen=100)))
    SettlementServiceStub(service.channel).GetSettlement(
        settlement_pb2.GetSettlementRequest(settlement_id=bought.settlement.settlement_id),
        metadata=metadata_of("pos", code),
        timeout=10,
    )
    service.till(other).settle(purchase(other, patient, total_fen=100))


def test_answers_that_are_not_taken_count_as_calls_under_way(
    start: Start, builders: Families
) -> None:
    service = start(limits=Limits(institution_at_once=2))
    code = builders.institution(ULANQAB)
    patient = builders.person(ULANQAB, balance_fen=1_000_000)
    till = service.till(code)

    def sell() -> None:
        till.settle(purchase(code, patient, total_fen=100))

    with ExitStack() as unread:
        for number in (1, 2):
            bills = [purchase(code, patient, total_fen=100) for _ in range(200)]
            ask(unread.enter_context(connected(service)), code, bills)
            until(lambda count=200 * number: settled(service.database) == count, seconds=60)  # type: ignore[misc]  # mypy can't infer a lambda's default
        for _ in range(3):
            assert is_limited(sell)
    until(lambda: not is_limited(sell), seconds=60)


def settled(database: Database) -> int:
    """How many settlements there are; no call asks for it, which would count as one under way."""
    with database.reader() as tx:
        count = tx.execute(sqlalchemy.text("SELECT count(*) FROM settlements")).scalar_one()
    return int(count)


@contextmanager
def connected(service: Service) -> Iterator[socket.socket]:
    """A connection on which no answer may be sent, as the server has acknowledged."""
    with socket.create_connection(("127.0.0.1", service.workers.ports[0]), timeout=60) as wire:
        settings = http2.frame(http2.SETTINGS, 0, 0, _NO_WINDOW)
        wire.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings)
        said = bytearray()
        while (http2.SETTINGS, http2.ACK) not in [frame[:2] for frame in http2.frames(said)]:
            said += wire.recv(4096)
        yield wire


def ask(wire: socket.socket, code: str, bills: Sequence[settlement_pb2.SettleRequest]) -> None:
    """Settle without taking the answer, which is far more than what gRPC holds; the request fits
    what a connection may send unasked.
    """
    ((_, bearer),) = metadata_of("pos", code)
    wire.sendall(
        http2.frame(
            http2.HEADERS, http2.END_HEADERS, 1, http2.headers(BATCH_SETTLE, "localhost", bearer)
        )
    )
    body = settlement_pb2.BatchSettleRequest(settlements=bills).SerializeToString()
    message = struct.pack("!BI", 0, len(body)) + body
    assert len(message) <= http2.START_WINDOW
    for start in range(0, len(message), _FRAME_BYTES):
        last = http2.END_STREAM if start + _FRAME_BYTES >= len(message) else 0
        piece = message[start : start + _FRAME_BYTES]
        wire.sendall(http2.frame(http2.DATA, last, 1, piece))


def test_who_connects_and_says_nothing_is_hung_up_on(service: Service) -> None:
    address = ("127.0.0.1", service.workers.ports[0])
    with socket.create_connection(address, timeout=60) as wire, suppress(ConnectionResetError):
        while wire.recv(4096):
            pass


def test_who_watches_is_cut_off_when_the_token_ends(service: Service, families: Families) -> None:
    patient = Families(service.database).person(ULANQAB, balance_fen=100)
    request = account_pb2.WatchAccountRequest(account_id=str(patient.account_id))
    metadata = metadata_of("citizen", patient, lifetime_seconds=2)
    with opened(f"127.0.0.1:{service.workers.ports[0]}") as channel:
        watch = AccountServiceStub(channel).WatchAccount(request, metadata=metadata, timeout=60)
        with pytest.raises(grpc.RpcError) as caught:
            for _ in watch:
                pass
    refusal = refusal_of(caught.value)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


def test_who_watches_and_takes_nothing_is_cut_off_when_the_token_ends(
    service: Service, families: Families
) -> None:
    patient = families.person(ULANQAB, balance_fen=0)
    ((_, agency),) = metadata_of("agency", ULANQAB)
    for _ in range(2):
        credit = crediting(patient.account_id, 100, request_id=uuid4().hex)
        metadata = (("authorization", agency),)
        AccountServiceStub(service.channel).Credit(credit, metadata=metadata, timeout=30)
    request = account_pb2.WatchAccountRequest(account_id=str(patient.account_id))
    ((_, bearer),) = metadata_of("citizen", patient, lifetime_seconds=2)
    with connected(service) as wire:
        wire.settimeout(60)
        block = http2.headers(_WATCH, "localhost", bearer)
        wire.sendall(http2.call(1, block, request.SerializeToString()))
        buffer = bytearray()
        kinds: list[int] = []
        while http2.RST_STREAM not in kinds:
            data = wire.recv(65_536)
            assert data
            buffer += data
            kinds += [kind for kind, _, stream, _ in http2.frames(buffer) if stream == 1]
    assert http2.DATA not in kinds


def test_one_persons_uploads_that_say_nothing_leave_room_for_others(
    service: Service, families: Families
) -> None:
    silent, other = (families.person(ULANQAB, balance_fen=100) for _ in range(2))
    said_enough = threading.Event()

    def nothing() -> Iterator[binding_pb2.UploadDocumentRequest]:
        said_enough.wait(60)
        yield from ()

    uploads = [
        BindingServiceStub(service.channel).UploadDocument.future(
            nothing(), metadata=metadata_of("citizen", silent), timeout=60
        )
        for _ in range(20)
    ]
    until(lambda: all(one.running() for one in uploads))
    assert upload(service.channel, other, b"\xff\xd8\xff" + bytes(1000)).document_id
    assert not any(one.done() for one in uploads)
    for one in uploads:
        one.cancel()
    said_enough.set()


def test_large_bills_go_one_at_a_time_and_small_ones_in_between(
    start: Start, builders: Families
) -> None:
    service = start()
    busy, other = builders.institution(ULANQAB), builders.institution(ULANQAB)
    patient = builders.person(ULANQAB, balance_fen=1_000_000)
    buyer = builders.person(ULANQAB, balance_fen=1_000_000)
    done: list[str] = []

    def sell_much() -> None:
        large = purchase(busy, patient, total_fen=3000)
        del large.items[:]
        large.items.extend(line(number, amount_fen=1) for number in range(1, 3001))
        assert large.ByteSize() > 64 * 1024
        service.till(busy).settle(large)
        done.append("large")

    with ThreadPoolExecutor(8) as tills:
        selling = [tills.submit(sell_much) for _ in range(8)]
        until(lambda: bool(done), seconds=60)
        service.till(other).settle(purchase(other, buyer, total_fen=100))
        done.append("small")
        for one in selling:
            one.result()
    assert done[-1] == "large"


def test_reads_that_are_cancelled_keep_their_turns_until_they_end(
    start: Start, builders: Families, database: Database
) -> None:
    service = start()
    person = builders.person(ULANQAB, balance_fen=100)
    bindings, accounts = BindingServiceStub(service.channel), AccountServiceStub(service.channel)
    about = metadata_of("citizen", str(person.person_id))
    listing = binding_pb2.ListBindingsRequest(beneficiary_id=str(person.person_id))
    account = account_pb2.ListAccountsRequest(person_id=str(person.person_id))

    def waiting() -> int:
        with database.connect() as tx:
            row = tx.execute(_WAITING).fetchone()
        return 0 if row is None else int(str(row[0]))

    with database.connect() as holding:
        holding.execute("BEGIN")
        holding.execute("LOCK TABLE bindings IN ACCESS EXCLUSIVE MODE")
        reads = [bindings.ListBindings.future(listing, metadata=about) for _ in range(4)]
        until(lambda: waiting() == 4)
        for read in reads:
            read.cancel()
        with pytest.raises(grpc.RpcError):
            accounts.ListAccounts(account, metadata=about, timeout=1)
        holding.execute("ROLLBACK")
    assert accounts.ListAccounts(account, metadata=about, timeout=30).accounts
