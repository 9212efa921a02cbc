"""Who comes in by mutual TLS and by a provider's tokens; and that certificates, revocations and
keys change while calls go on.
"""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import httpx
import pytest
from grpc import StatusCode
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from gateway.app import Settings, make_app
from gateway.tls import Tls
from gongji.v1 import registry_pb2
from gongji.v1.registry_pb2_grpc import RegistryServiceStub
from gongji_svc.commands.gateway import listening
from gongji_svc.config import Address
from gongji_svc.services.entrance import TlsFiles
from gongji_svc.services.provider import Provider
from gongji_svc.storage.database import Database
from tests.authority import AUDIENCE, ISSUER, Authority, Pair, Signer, key_set, put
from tests.end_to_end.purchases import ULANQAB, at_work, purchase
from tests.end_to_end.refusals import refusal_of
from tests.end_to_end.service import (
    Metadata,
    Service,
    Till,
    health,
    metadata_of,
    opened,
    running,
    until,
)
from tests.families import Families, Made

_REFUSED = (StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


@dataclass(slots=True)
class House:
    """A service behind mutual TLS, and who issues what it believes."""

    folder: Path
    service: Service
    families: Families
    code: str
    patient: Made
    clients: Authority
    servers: Authority
    signer: Signer
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def address(self) -> str:
        """Where it serves."""
        return f"127.0.0.1:{self.service.workers.ports[0]}"

    @property
    def pos(self) -> str:
        """The name in a certificate of its pharmacy's till."""
        return f"gongji:pos:{self.code}"

    def channel(self, pair: Pair | None, servers: Authority | None = None) -> grpc.Channel:
        """A new connection with this certificate."""
        trusted = (servers or self.servers).pem
        return self._open.enter_context(opened(self.address, shown(pair, trusted)))

    def till(self, pair: Pair | None, metadata: Metadata = ()) -> Till:
        """A till that shows this certificate."""
        return Till(self.channel(pair), metadata)

    def sell(self, till: Till) -> None:
        """One purchase as it should be."""
        till.settle(purchase(self.code, self.patient, total_fen=100))

    def refused(self, till: Till) -> tuple[StatusCode, str]:
        """What a good purchase is answered."""
        with pytest.raises(grpc.RpcError) as caught:
            self.sell(till)
        refusal = refusal_of(caught.value)
        return refusal.code, refusal.reason

    def ask(self, channel: grpc.Channel, token: str) -> None:
        """Read the policy in force, as anybody with a role may."""
        request = registry_pb2.GetPolicyRequest(region=ULANQAB)
        metadata = (("authorization", f"Bearer {token}"),)
        RegistryServiceStub(channel).GetPolicy(request, metadata=metadata, timeout=10)


def shown(pair: Pair | None, trusted: bytes) -> grpc.ChannelCredentials:
    """Credentials of a client that trusts this authority."""
    if pair is None:
        return grpc.ssl_channel_credentials(trusted)
    return grpc.ssl_channel_credentials(trusted, pair.key, pair.pem)


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Iterator[House]:
    clients, servers, signer = Authority("Tills"), Authority("Servers"), Signer("key-1")
    own = servers.issue()
    names = ("server.pem", "server.key", "clients.pem", "revoked.pem", "jwks.json")
    contents = (own.pem, own.key, clients.pem, clients.list(), key_set(signer.public))
    files = [str(put(tmp_path / name, kept)) for name, kept in zip(names, contents, strict=True)]
    families = at_work(database)
    code = families.institution(ULANQAB)
    patient = families.person(ULANQAB, balance_fen=1_000_000)
    with running(
        database,
        tls=TlsFiles(*files[:4]),
        provider=Provider(files[4], ISSUER, AUDIENCE),
        credentials=shown(clients.issue("gongji:gateway"), servers.pem),
    ) as service:
        house = House(tmp_path, service, families, code, patient, clients, servers, signer)
        with house._open:
            yield house


def test_a_certificate_is_all_a_till_or_a_platform_needs(house: House) -> None:
    house.sell(house.till(house.clients.issue(house.pos)))
    house.sell(house.till(house.clients.issue(f"gongji:platform:{ULANQAB}")))
    other = house.families.institution(ULANQAB)
    assert house.refused(house.till(house.clients.issue(f"gongji:pos:{other}"))) == (
        StatusCode.PERMISSION_DENIED,
        "ACCESS_DENIED",
    )


def test_a_certificate_that_names_nobody_comes_in_and_is_refused(house: House) -> None:
    assert house.refused(house.till(house.clients.issue())) == _REFUSED
    assert house.refused(house.till(house.clients.issue("gongji:gateway"))) == _REFUSED


def test_nobody_connects_without_a_certificate_of_the_authorities(house: House) -> None:
    stranger = Authority("Tills").issue(house.pos)
    channels = [house.channel(pair) for pair in (None, stranger)]
    channels.append(house._open.enter_context(opened(house.address)))  # plain text
    channels.append(house.channel(house.clients.issue(house.pos), servers=Authority("Servers")))
    for channel in channels:
        with pytest.raises(grpc.RpcError) as caught:
            house.sell(Till(channel, ()))
        assert isinstance(caught.value, grpc.Call)
        assert caught.value.code() is StatusCode.UNAVAILABLE


def test_people_come_by_a_gateway_with_the_providers_tokens(house: House) -> None:
    gateway = house.channel(house.clients.issue("gongji:gateway"))
    house.ask(gateway, house.signer.token())
    citizen = house.signer.token(gongji_role="citizen", gongji_subject=str(house.patient))
    house.ask(gateway, citizen)
    till = house.till(house.clients.issue("gongji:gateway"), bearer(citizen))
    assert house.refused(till) == (StatusCode.PERMISSION_DENIED, "ACCESS_DENIED")
    pos = house.signer.token(gongji_role="pos", gongji_subject=house.code)
    for metadata in (bearer(pos), metadata_of("pos", house.code), metadata_of("agency", ULANQAB)):
        assert house.refused(Till(gateway, metadata)) == _REFUSED


def test_a_till_that_shows_a_token_as_well_is_refused(house: House) -> None:
    pair = house.clients.issue(house.pos)
    assert house.refused(house.till(pair, bearer(house.signer.token()))) == _REFUSED


def test_a_revoked_certificate_is_refused_on_the_connection_it_has(house: House) -> None:
    lost, kept = house.clients.issue(house.pos), house.clients.issue(house.pos)
    lost_till, kept_till = house.till(lost), house.till(kept)
    house.sell(lost_till)
    house.clients.revoke(lost)
    put(house.folder / "revoked.pem", house.clients.list())
    until(lambda: is_refused(house, lost_till))
    assert house.refused(lost_till) == _REFUSED
    assert house.refused(house.till(lost)) == _REFUSED
    house.sell(kept_till)


def test_health_and_reflection_are_for_those_whose_certificate_is_good(house: House) -> None:
    lost, of_no_name = house.clients.issue(house.pos), house.clients.issue()
    lost_channel, kept_channel = house.channel(lost), house.channel(of_no_name)
    assert health(lost_channel) == HealthCheckResponse.SERVING
    house.clients.revoke(lost)
    put(house.folder / "revoked.pem", house.clients.list())
    until(lambda: is_refused(house, Till(lost_channel, ())))
    for ask in (health, services_told):
        with pytest.raises(grpc.RpcError) as caught:
            ask(lost_channel)
        assert isinstance(caught.value, grpc.Call)
        assert caught.value.code() is StatusCode.UNAUTHENTICATED
        ask(kept_channel)


def services_told(channel: grpc.Channel) -> list[str]:
    """What reflection tells of."""
    told: list[str] = ProtoReflectionDescriptorDatabase(channel).get_services()
    return told


def test_the_certificate_changes_while_calls_go_on(house: House) -> None:
    pair = house.clients.issue(house.pos)
    with selling(house, house.till(pair)):
        new = Authority("New servers")
        own = new.issue()
        put(house.folder / "server.pem", own.pem)  # for a moment they don't belong together
        put(house.folder / "server.key", own.key)
        until(lambda: connects(house, pair, new))
        assert not connects(house, pair, house.servers)


def test_the_authorities_change_while_calls_go_on(house: House) -> None:
    old, new = house.clients, Authority("New tills")
    old_till = house.till(old.issue(house.pos))
    with selling(house, old_till):
        put(house.folder / "revoked.pem", [old.list()])
        put(house.folder / "clients.pem", [old.pem, new.pem])
        put(house.folder / "revoked.pem", [old.list(), new.list()])
        until(lambda: connects(house, new.issue(house.pos), house.servers))
        new_till = house.till(new.issue(house.pos))
        until(lambda: not is_refused(house, new_till))
    put(house.folder / "revoked.pem", new.list())
    put(house.folder / "clients.pem", new.pem)
    until(lambda: is_refused(house, old_till))
    house.sell(new_till)


def test_the_providers_keys_change_while_calls_go_on(house: House) -> None:
    gateway, new = house.channel(house.clients.issue("gongji:gateway")), Signer("key-2")
    old_token, new_token = house.signer.token(), new.token()
    house.ask(gateway, old_token)
    put(house.folder / "jwks.json", key_set(house.signer.public, new.public))
    house.ask(gateway, new_token)
    house.ask(gateway, old_token)
    put(house.folder / "jwks.json", key_set(new.public))

    def is_over() -> bool:
        try:
            house.ask(gateway, old_token)
        except grpc.RpcError as error:
            return refusal_of(error).code is StatusCode.UNAUTHENTICATED
        return False

    until(is_over)
    house.ask(gateway, new_token)


def test_the_gateway_comes_in_by_its_certificate(house: House) -> None:
    own = house.clients.issue("gongji:gateway")
    tls = Tls(
        put(house.folder / "servers.pem", house.servers.pem),
        put(house.folder / "gateway.pem", own.pem),
        put(house.folder / "gateway.key", own.key),
    )
    with web(Settings(core=house.address, tls=tls)) as client:
        headers = {"authorization": f"Bearer {house.signer.token()}"}
        assert client.get(f"/v1/policies/{ULANQAB}", headers=headers).status_code == 200
        assert client.get("/healthz").status_code == 200
    with web(Settings(core=house.address)) as client:
        assert client.get("/healthz").status_code == 503


@contextlib.contextmanager
def web(settings: Settings) -> Iterator[httpx.Client]:
    """A gateway that serves."""
    with (
        listening(make_app(settings), Address("127.0.0.1", 0)) as served,
        httpx.Client(base_url=served.url) as client,
    ):
        yield client


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


def is_refused(house: House, till: Till) -> bool:
    try:
        house.sell(till)
    except grpc.RpcError as error:
        return refusal_of(error).code is StatusCode.UNAUTHENTICATED
    return False


def connects(house: House, pair: Pair, servers: Authority) -> bool:
    """Whether a new connection is made with this certificate, to one of these servers."""
    with opened(house.address, shown(pair, servers.pem)) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=1)
        except grpc.FutureTimeoutError:
            return False
    return True


@contextlib.contextmanager
def selling(house: House, till: Till) -> Iterator[None]:
    """Purchases on one connection all the while; each must be answered."""
    ended = threading.Event()
    faults: list[Exception] = []

    def sell() -> None:
        while not (ended.is_set() or faults):
            try:
                house.sell(till)
            except grpc.RpcError as error:
                faults.append(error)

    thread = threading.Thread(target=sell)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert faults == []
