"""The gateway before a core that asks for certificates: its own is shown, replaced and believed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest
from sqlalchemy import select

from gateway import core
from gateway.tls import Material, Tls, Unusable
from gongji.v1 import settlement_pb2
from gongji.v1.settlement_pb2_grpc import SettlementServiceStub
from gongji_svc.services.entrance import TlsFiles
from gongji_svc.storage.database import Database
from gongji_svc.storage.tables import audit_records
from tests.authority import Authority, Pair, put
from tests.end_to_end.purchases import HOHHOT, at_work
from tests.end_to_end.service import Service, opened, running, until
from tests.families import Made
from tests.gateway.browser import address_of, before, by
from tests.strange import as_sm2, as_version_8

_NAME = "gongji:gateway"


@dataclass(slots=True)
class Place:
    """A core behind mutual TLS, and the files by which a gateway comes to it."""

    folder: Path
    service: Service
    clients: Authority
    servers: Authority
    first: Pair  # the gateway's, when it starts
    owner: Made
    pharmacy: str

    @property
    def tls(self) -> Tls:
        """The gateway's files."""
        return Tls(self.folder / "servers.pem", self.folder / "own.pem", self.folder / "own.key")

    def put(self, pair: Pair) -> None:
        """Another certificate, and then its key."""
        put(self.folder / "own.pem", pair.pem)
        put(self.folder / "own.key", pair.key)

    def take_back(self, pair: Pair) -> None:
        """Have the core refuse a certificate."""
        self.clients.revoke(pair)
        put(self.folder / "revoked.pem", self.clients.list())

    @contextmanager
    def gateway(self) -> Iterator[httpx.Client]:
        """A gateway with these files, and a client of it."""
        with before(address_of(self.service), tls=self.tls) as client:
            yield client

    def answers(self, client: httpx.Client) -> bool:
        """Whether the gateway is let in."""
        path = f"/v1/accounts/{self.owner.account_id}"
        return client.get(path, headers=by("agency", HOHHOT)).status_code == 200

    def origins(self) -> dict[str, str]:
        """From where each role has read."""
        columns = audit_records.c
        with self.service.database.reader() as tx:
            rows = tx.execute(select(columns.role, columns.origin)).all()
        return {str(role): str(origin) for role, origin in rows}


@pytest.fixture
def place(database: Database, tmp_path: Path) -> Iterator[Place]:
    clients, servers = Authority("Clients"), Authority("Servers")
    own, gateway = servers.issue(), clients.issue(_NAME)
    names = ("server.pem", "server.key", "clients.pem", "revoked.pem")
    contents = (own.pem, own.key, clients.pem, clients.list())
    files = [str(put(tmp_path / name, kept)) for name, kept in zip(names, contents, strict=True)]
    put(tmp_path / "servers.pem", servers.pem)
    shown = grpc.ssl_channel_credentials(servers.pem, gateway.key, gateway.pem)
    families = at_work(database)
    owner, pharmacy = families.person(HOHHOT, balance_fen=0), families.institution(HOHHOT)
    with running(database, tls=TlsFiles(*files), credentials=shown) as service:
        made = Place(tmp_path, service, clients, servers, gateway, owner, pharmacy)
        made.put(gateway)
        yield made


def test_a_replaced_certificate_is_shown_without_a_restart(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "_LOOK_SECONDS", 0.1)
    with place.gateway() as client:
        assert place.answers(client)
        place.put(place.clients.issue(_NAME))
        place.take_back(place.first)
        until(lambda: place.answers(client))


def test_a_stream_on_the_old_certificate_ends_and_is_taken_up_on_the_new(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(core, "_GRACE_SECONDS", 0.5)
    path = f"/v1/accounts/{place.owner.account_id}/entries:watch"
    headers = by("citizen", place.owner)
    with place.gateway() as client:
        with client.stream("GET", path, headers=headers) as response:
            assert response.status_code == 200
            place.put(place.clients.issue(_NAME))
            assert "event: problem" not in list(response.iter_lines())  # its end is no fault
        with client.stream("GET", path, headers=headers) as response:
            assert response.status_code == 200


def test_files_that_do_not_belong_together_are_not_taken(place: Place) -> None:
    material = Material(place.tls)
    before_it = material.current
    other = place.clients.issue(_NAME)
    for wrong in (other.pem, b"no certificate", b""):
        put(place.folder / "own.pem", wrong)
        assert not material.look()
        assert material.current is before_it
    place.put(other)
    assert material.look()
    assert material.current is not before_it
    assert not material.look()


def test_a_file_of_a_kind_that_is_not_known_is_not_taken_and_a_good_one_after_it_is(
    tmp_path: Path,
) -> None:
    own, servers = Authority("Clients").issue(_NAME), Authority("Servers").pem
    tls = Tls(
        put(tmp_path / "servers.pem", servers),
        put(tmp_path / "own.pem", own.pem),
        put(tmp_path / "own.key", own.key),
    )
    material = Material(tls)
    for name, good, wrong in (
        ("servers.pem", servers, as_sm2(servers)),
        ("servers.pem", servers, as_version_8(servers)),
        ("own.pem", own.pem, as_sm2(own.pem)),
        ("own.pem", own.pem, as_version_8(own.pem)),
        ("own.key", own.key, as_sm2(own.key)),
    ):
        before_it = material.current
        put(tmp_path / name, wrong)
        assert not material.look()
        assert material.current is before_it
        with pytest.raises(Unusable, match=f"{name} .+ of a kind we don't know"):
            Material(tls)
        put(tmp_path / name, good)
        assert material.look()


@pytest.mark.parametrize("name", ["servers.pem", "own.pem", "own.key"])
def test_a_gateway_without_a_usable_file_does_not_start(place: Place, name: str) -> None:
    (place.folder / name).write_bytes(b"-----BEGIN NOTHING-----")
    with pytest.raises(Unusable, match=name):
        Material(place.tls)
    (place.folder / name).unlink()
    with pytest.raises(Unusable, match=name):
        Material(place.tls)


def test_only_a_gateway_is_believed_where_its_client_is(place: Place) -> None:
    headers = {**by("agency", HOHHOT), "x-forwarded-for": "192.0.2.7"}
    with place.gateway() as client:
        path = f"/v1/accounts/{place.owner.account_id}"
        assert client.get(path, headers=headers).status_code == 200
    pair = place.clients.issue(f"gongji:platform:{HOHHOT}")
    shown = grpc.ssl_channel_credentials(place.servers.pem, pair.key, pair.pem)
    request = settlement_pb2.ListSettlementsRequest(institution_code=place.pharmacy)
    with opened(address_of(place.service), shown) as channel:
        SettlementServiceStub(channel).ListSettlements(
            request, metadata=(("x-forwarded-for", "192.0.2.8"),), timeout=30
        )
    assert place.origins() == {"agency": "192.0.2.7", "platform": "127.0.0.1"}
