"""What is not one answer: entries as they come, documents, and clients that break off."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest

from gateway.app import Settings, make_app
from gongji.v1.account_pb2_grpc import AccountServiceStub
from gongji_svc.commands.gateway import listening
from gongji_svc.config import Address
from tests.end_to_end.purchases import HOHHOT
from tests.end_to_end.service import Service, metadata_of, until
from tests.end_to_end.test_documents import GREATEST, JPEG, MOST_BYTES, kept, open_transactions
from tests.families import Families, Made
from tests.gateway.browser import address_of, by
from tests.services.accounts import crediting

_ABOUT = "kind=DOCUMENT_KIND_ID_FRONT&of=DOCUMENT_OF_DONOR"
_UPLOAD = f"/v1/documents?{_ABOUT}"


@pytest.fixture
def owner(families: Families) -> Made:
    return families.person(HOHHOT, balance_fen=0)


def credit(service: Service, owner: Made, count: int = 1) -> None:
    """So many entries more."""
    for _ in range(count):
        AccountServiceStub(service.channel).Credit(
            crediting(owner.account_id, 100, request_id=uuid4().hex),
            metadata=metadata_of("agency", HOHHOT),
            timeout=30,
        )


# --- entries as they come


@dataclass(slots=True)
class Events:
    """An open stream of events."""

    response: httpx.Response
    lines: Iterator[str]

    def next(self) -> dict[str, str]:
        """The fields of the next event."""
        fields: dict[str, str] = {}
        for line in self.lines:
            if not line and fields:
                return fields
            name, _, value = line.partition(": ")
            if name:
                fields[name] = value
        raise EOFError


@contextmanager
def watching(
    client: httpx.Client, owner: Made, after: str = "", **headers: str
) -> Iterator[Events]:
    path = f"/v1/accounts/{owner.account_id}/entries:watch{after}"
    with client.stream("GET", path, headers={**by("citizen", owner), **headers}) as response:
        yield Events(response, response.iter_lines())


def test_a_stream_ends_when_the_gateway_does(service: Service, owner: Made) -> None:
    app, gateway = make_app(Settings(core=address_of(service))), contextlib.ExitStack()
    web = gateway.enter_context(listening(app, Address("127.0.0.1", 0)))
    with (
        httpx.Client(base_url=web.url, timeout=60, trust_env=False) as client,
        watching(client, owner) as events,
    ):
        assert events.response.status_code == 200
        ending = threading.Thread(target=gateway.close)
        ending.start()
        with pytest.raises(EOFError):  # a whole answer, and not one that is broken off
            events.next()
    ending.join()


def test_entries_come_as_events_with_their_numbers(
    client: httpx.Client, service: Service, owner: Made
) -> None:
    credit(service, owner)
    with watching(client, owner) as events:
        assert events.response.headers["content-type"].startswith("text/event-stream")
        first = events.next()
        credit(service, owner)
        second = events.next()
    assert (first["id"], second["id"]) == ("1", "2")
    assert json.loads(first["data"])["entry"]["amount_fen"] == "100"


def test_a_stream_with_nothing_to_tell_yet_is_open(client: httpx.Client, owner: Made) -> None:
    with watching(client, owner) as events:
        assert events.response.status_code == 200


def test_a_client_that_comes_again_misses_nothing_and_sees_nothing_twice(
    client: httpx.Client, service: Service, owner: Made
) -> None:
    last = 60
    booking = threading.Thread(target=credit, args=(service, owner, last))
    booking.start()
    seen: list[str] = []
    while len(seen) < last:
        headers = {"last-event-id": seen[-1]} if seen else {}
        with watching(client, owner, **headers) as events:
            for _ in range(min(13, last - len(seen))):
                seen.append(events.next()["id"])
    booking.join()
    assert seen == [str(number) for number in range(1, last + 1)]


def test_where_the_client_was_goes_before_where_it_began(
    client: httpx.Client, service: Service, owner: Made
) -> None:
    credit(service, owner, 3)
    with watching(client, owner, "?after_seq=1", **{"last-event-id": "2"}) as events:
        assert events.next()["id"] == "3"


@pytest.mark.parametrize("last", ["x", "-1", "9" * 30, "7"])
def test_a_place_that_no_entry_has_is_refused(client: httpx.Client, owner: Made, last: str) -> None:
    with watching(client, owner, **{"last-event-id": last}) as events:
        events.response.read()
    assert (events.response.status_code, events.response.json()["status"]) == (400, 400)


def test_who_may_not_watch_is_refused_before_the_stream_begins(
    client: httpx.Client, families: Families, owner: Made
) -> None:
    headers = by("citizen", families.person(HOHHOT))
    answer = client.get(f"/v1/accounts/{owner.account_id}/entries:watch", headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (403, "ACCESS_DENIED")


# --- documents


def upload(client: httpx.Client, owner: Made, content: bytes, **headers: str) -> httpx.Response:
    usual = {**by("citizen", owner), "content-type": "image/jpeg"}
    return client.post(_UPLOAD, content=content, headers={**usual, **headers})


def test_a_document_of_the_greatest_size_goes_up_and_comes_down_unchanged(
    client: httpx.Client, owner: Made
) -> None:
    answer = upload(client, owner, GREATEST)
    assert (answer.status_code, answer.json()["size_bytes"]) == (200, str(MOST_BYTES)), answer.text
    path = f"/v1/documents/{answer.json()['document_id']}"
    down = client.get(path, headers=by("citizen", owner))
    assert (down.status_code, down.headers["content-type"]) == (200, "image/jpeg")
    assert down.content == GREATEST


@pytest.mark.parametrize("extra_bytes", [1, 10 * MOST_BYTES])
def test_a_document_that_is_too_large_is_refused_and_nothing_is_kept(
    client: httpx.Client, service: Service, owner: Made, extra_bytes: int
) -> None:
    answer = upload(client, owner, GREATEST + bytes(extra_bytes))
    assert (answer.status_code, answer.json()["reason"]) == (400, "DOCUMENT_TOO_LARGE")
    assert kept(service.database, owner) == (0, 0)


def test_content_of_another_type_than_it_says_is_refused(client: httpx.Client, owner: Made) -> None:
    answer = upload(client, owner, b"%PDF-1.7\n%%EOF\n")
    assert (answer.status_code, answer.json()["reason"]) == (400, "DOCUMENT_NOT_READABLE")


@pytest.mark.parametrize("media_type", ["text/html", "image/svg+xml", ""])
def test_a_type_that_documents_do_not_have_is_refused(
    client: httpx.Client, owner: Made, media_type: str
) -> None:
    assert upload(client, owner, JPEG, **{"content-type": media_type}).status_code == 415


@pytest.mark.parametrize(
    "query",
    [f"{_ABOUT}&media_type=image/png", f"{_ABOUT}&of=DOCUMENT_OF_BOTH", f"{_ABOUT}&x=1", ""],
)
def test_a_header_in_the_query_that_does_not_fit_is_refused(
    client: httpx.Client, owner: Made, query: str
) -> None:
    headers = {**by("citizen", owner), "content-type": "image/jpeg"}
    answer = client.post(f"/v1/documents?{query}", content=JPEG, headers=headers)
    assert answer.status_code == 400


def test_an_upload_that_breaks_off_keeps_nothing(
    client: httpx.Client, service: Service, owner: Made
) -> None:
    url = client.base_url
    for sent in (JPEG, GREATEST[: 2 << 20]):
        with socket.create_connection((url.host, url.port or 80)) as connection:
            head = (
                f"POST {_UPLOAD} HTTP/1.1\r\nhost: x\r\ncontent-type: image/jpeg\r\n"
                f"content-length: {MOST_BYTES}\r\n"
                f"authorization: {by('citizen', owner)['authorization']}\r\n\r\n"
            )
            connection.sendall(head.encode() + sent)
            time.sleep(0.3)
    assert upload(client, owner, JPEG).status_code == 200
    assert kept(service.database, owner) == (1, 1)


def test_a_download_that_is_not_allowed_is_a_problem(
    client: httpx.Client, families: Families, owner: Made
) -> None:
    document_id = upload(client, owner, JPEG).json()["document_id"]
    stranger = by("citizen", families.person(HOHHOT))
    answer = client.get(f"/v1/documents/{document_id}", headers=stranger)
    assert (answer.status_code, answer.json()["reason"]) == (403, "ACCESS_DENIED")


def test_a_download_whose_client_leaves_ends(
    client: httpx.Client, service: Service, owner: Made
) -> None:
    document_id = upload(client, owner, GREATEST).json()["document_id"]
    path = f"/v1/documents/{document_id}"
    with client.stream("GET", path, headers=by("citizen", owner)) as response:
        next(response.iter_raw())
    until(lambda: open_transactions(service.database) == 0)


def test_entries_come_as_a_table(client: httpx.Client, service: Service, owner: Made) -> None:
    credit(service, owner, 2)
    path = f"/v1/accounts/{owner.account_id}/entries:export"
    answer = client.get(path, headers=by("citizen", owner))
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert len(answer.text.strip().splitlines()) == 3
