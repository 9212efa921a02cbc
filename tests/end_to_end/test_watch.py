"""Accounts watched over the wire, while money moves."""

import asyncio
import json
import random
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import grpc
import pytest
from grpc import StatusCode

from gongji.v1 import account_pb2 as pb
from gongji.v1.account_pb2_grpc import AccountServiceStub
from gongji_svc import regions
from gongji_svc.pipe import Settings
from gongji_svc.server import Front, FrontSettings
from gongji_svc.services import interceptors, watching
from gongji_svc.services.office import Office
from gongji_svc.storage.database import Database
from gongji_svc.storage.ids import new_id
from gongji_svc.storage.sealing import Sealer
from tests.end_to_end.purchases import HOHHOT
from tests.end_to_end.refusals import Refusal, refusal_of
from tests.end_to_end.service import TOKEN_KEY, Service, metadata_of
from tests.families import KEYS, Families, Made
from tests.services.accounts import crediting
from tests.services.watchers import append, rows

if TYPE_CHECKING:
    from gongji.v1.account_pb2_grpc import AccountServiceAsyncStub

_AGENCY = metadata_of("agency", HOHHOT)
_WATCHERS = 200
_CREDITS_EACH = 20


def watch(
    channel: grpc.Channel, owner: object, account_id: object, after_seq: int = 0
) -> "grpc._CallIterator[pb.WatchAccountResponse]":
    """A stream of which nothing is read yet."""
    request = pb.WatchAccountRequest(account_id=str(account_id), after_seq=after_seq)
    return AccountServiceStub(channel).WatchAccount(
        request, metadata=metadata_of("citizen", owner), timeout=120
    )


def credit(channel: grpc.Channel, account_id: object, amount_fen: int = 100) -> pb.Entry:
    """The entry that the agency is told of."""
    request = crediting(account_id, amount_fen, request_id=uuid4().hex)
    return AccountServiceStub(channel).Credit(request, metadata=_AGENCY, timeout=30).entry


def upto(last: int) -> list[int]:
    """1, 2, ... last."""
    return list(range(1, last + 1))


@pytest.fixture
def owner(families: Families) -> Made:
    return families.person(HOHHOT, balance_fen=0)


def test_a_watch_catches_up_and_stays_live(service: Service, owner: Made) -> None:
    told = [credit(service.channel, owner.account_id, fen) for fen in (100, 200, 300)]
    stream = watch(service.channel, owner, owner.account_id, after_seq=1)
    seen = [next(stream).entry, next(stream).entry]
    for fen in (400, 500):
        told.append(credit(service.channel, owner.account_id, fen))
        seen.append(next(stream).entry)
    assert seen == told[1:]
    stream.cancel()


def test_what_another_process_books_is_seen(two: Service) -> None:
    owner = Families(two.database).person(HOHHOT, balance_fen=0)
    streams = [watch(channel, owner, owner.account_id) for channel in two.channels]
    for number in range(10):
        told = credit(two.channels[number % 2], owner.account_id)
        assert [next(stream).entry for stream in streams] == [told, told]
    for stream in streams:
        stream.cancel()


def test_clients_that_break_off_and_come_back_see_every_entry_once(
    service: Service, owner: Made
) -> None:
    chance = random.Random(20250602)  # noqa: S311 - the same course in every run
    last = 300
    booking = threading.Thread(
        target=lambda: [credit(service.channel, owner.account_id) for _ in range(last)]
    )
    booking.start()
    seen: list[int] = []
    while len(seen) < last:
        stream = watch(service.channel, owner, owner.account_id, after_seq=len(seen))
        for _ in range(min(chance.randint(1, 30), last - len(seen))):
            seen.append(next(stream).entry.seq)
        stream.cancel()
    booking.join()
    assert seen == upto(last)


def test_many_watchers_see_each_their_own(service: Service, families: Families) -> None:
    owners = [families.person(HOHHOT, balance_fen=0) for _ in range(_WATCHERS)]

    async def seen_by(stub: "AccountServiceAsyncStub", owner: Made) -> list[tuple[str, int]]:
        request = pb.WatchAccountRequest(account_id=str(owner.account_id))
        call = stub.WatchAccount(request, metadata=metadata_of("citizen", owner), timeout=200)
        seen: list[tuple[str, int]] = []
        async for answer in call:
            seen.append((answer.entry.account_id, answer.entry.seq))
            if len(seen) == _CREDITS_EACH:
                call.cancel()
                break
        return seen

    async def course() -> None:
        address = f"127.0.0.1:{service.workers.ports[0]}"
        async with grpc.aio.insecure_channel(address) as channel:
            stub = AccountServiceStub(channel)
            watchers = [asyncio.create_task(seen_by(stub, one)) for one in owners]
            for _ in range(_CREDITS_EACH):
                requests = [crediting(one.account_id, request_id=uuid4().hex) for one in owners]
                calls = [stub.Credit(one, metadata=_AGENCY, timeout=60) for one in requests]
                for call in calls:
                    await call
            for owner, watcher in zip(owners, watchers, strict=True):
                expected = [(str(owner.account_id), seq) for seq in upto(_CREDITS_EACH)]
                assert await watcher == expected

    asyncio.run(course())


# --- who may not


def refused(
    service: Service, role: str, subject: object, account_id: object, after_seq: int = 0
) -> Refusal:
    request = pb.WatchAccountRequest(account_id=str(account_id), after_seq=after_seq)
    stream = AccountServiceStub(service.channel).WatchAccount(
        request, metadata=metadata_of(role, subject), timeout=30
    )
    with pytest.raises(grpc.RpcError) as caught:
        next(stream)
    return refusal_of(caught.value)


def test_an_account_is_watched_by_nobody_else(
    service: Service, families: Families, owner: Made
) -> None:
    stranger = families.person(HOHHOT)
    credit(service.channel, owner.account_id)
    callers: Sequence[tuple[str, object, UUID | None]] = [
        ("citizen", stranger, owner.account_id),
        ("citizen", stranger, new_id(HOHHOT)),
        ("agency", HOHHOT, owner.account_id),
    ]
    answers = [refused(service, *caller) for caller in callers]
    assert {one.reason for one in answers} == {"ACCESS_DENIED"}
    assert len({one.message_zh for one in answers}) == 1


def test_nobody_knows_an_entry_that_is_yet_to_come(service: Service, owner: Made) -> None:
    credit(service.channel, owner.account_id)
    for after_seq in (2, 2**63 - 1):
        refusal = refused(service, "citizen", owner, owner.account_id, after_seq)
        assert (refusal.code, refusal.fields) == (StatusCode.INVALID_ARGUMENT, ["after_seq"])


# --- how it ends


def test_a_service_that_stops_sends_its_watchers_elsewhere(start: Callable[..., Service]) -> None:
    service = start()
    owners = [Families(service.database).person(HOHHOT, balance_fen=0) for _ in range(20)]
    streams = [watch(service.channel, owner, owner.account_id) for owner in owners]
    for owner, stream in zip(owners, streams, strict=True):
        credit(service.channel, owner.account_id)
        assert next(stream).entry.seq == 1
    service.workers.stop()
    for stream in streams:
        with pytest.raises(grpc.RpcError) as caught:
            next(stream)
        refusal = refusal_of(caught.value)
        assert (refusal.code, refusal.reason) == (StatusCode.UNAVAILABLE, "SERVICE_UNAVAILABLE")


def test_a_client_that_leaves_has_one_line_in_the_log(
    start: Callable[..., Service], capfd: pytest.CaptureFixture[str]
) -> None:
    service = start()
    owner = Families(service.database).person(HOHHOT, balance_fen=0)
    stream = watch(service.channel, owner, owner.account_id)
    credit(service.channel, owner.account_id)
    next(stream)
    stream.cancel()
    credit(service.channel, owner.account_id)  # what was cancelled before it, is
    service.workers.stop()
    log = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line[:1] == "{"]
    ended = [one["code"] for one in log if one.get("method") == "WatchAccount"]
    assert ended == ["CANCELLED"]


def test_a_client_that_does_not_read_holds_up_nobody(service: Service, families: Families) -> None:
    slow, quick = (families.person(HOHHOT, balance_fen=0) for _ in range(2))
    for one in (slow, quick):
        assert one.account_id is not None
        append(service.database, rows(one.account_id, 1, 3000))
    unread = watch(service.channel, slow, slow.account_id)
    assert next(unread).entry.seq == 1
    read = watch(service.channel, quick, quick.account_id)
    assert [next(read).entry.seq for _ in range(3000)] == upto(3000)
    assert [next(unread).entry.seq for _ in range(2999)] == upto(3000)[1:]
    unread.cancel()
    read.cancel()


# --- a front in this process


@asynccontextmanager
async def front_on(database: Database) -> AsyncIterator["AccountServiceAsyncStub"]:
    """The way to a front of this process, with writers of its own."""
    settings = FrontSettings(
        listen="127.0.0.1:0",
        shares_port=False,
        token_key=TOKEN_KEY,
        writer=Settings(database.runtime_url, 5, KEYS.dump(), 0.0),
    )
    office = Office(Database(database.runtime_url), regions.load(), Sealer(KEYS))
    front = Front(settings, office)
    await front.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{front.port}") as channel:
        yield AccountServiceStub(channel)
    await front.stop()


async def next_seq(
    call: "grpc.aio.UnaryStreamCall[pb.WatchAccountRequest, pb.WatchAccountResponse]",
) -> int:
    """The seq of the next entry that comes."""
    answer = await call.read()
    assert isinstance(answer, pb.WatchAccountResponse)
    return answer.entry.seq


def test_a_watch_lasts_longer_than_other_calls_may(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interceptors, "_LONGEST_CALL_SECONDS", 0.5)
    owner = Families(database).person(HOHHOT, balance_fen=0)
    assert owner.account_id is not None
    account_id = owner.account_id

    async def course() -> None:
        async with front_on(database) as stub:
            request = pb.WatchAccountRequest(account_id=str(account_id))
            call = stub.WatchAccount(request, metadata=metadata_of("citizen", owner), timeout=60)
            await asyncio.sleep(1.5)
            append(database, rows(account_id, 1, 1))
            assert await next_seq(call) == 1
            call.cancel()

    asyncio.run(course())


def test_the_writers_hints_are_heard_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_TICK_SECONDS", 3600.0)
    owner = Families(database).person(HOHHOT, balance_fen=0)

    async def course() -> None:
        async with front_on(database) as stub:
            request = pb.WatchAccountRequest(account_id=str(owner.account_id))
            call = stub.WatchAccount(request, metadata=metadata_of("citizen", owner), timeout=60)
            for seq in upto(20):
                booking = crediting(owner.account_id, request_id=uuid4().hex)
                await stub.Credit(booking, metadata=_AGENCY, timeout=30)
                assert await next_seq(call) == seq
            call.cancel()

    asyncio.run(course())
