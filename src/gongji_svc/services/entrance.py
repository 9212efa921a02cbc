"""The door: the port that callers come to, and how each proves who it is.

Rule: a port with a certificate speaks TLS only; with authorities for clients, only to those who
hold a certificate of theirs. What the files say is looked at every second and taken without a
restart; connections that are open go on with the server certificate they began with.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gongji_svc.services.certificates import UNREADABLE, Certificates
from gongji_svc.services.identity import DevelopmentTokens, Verifier
from gongji_svc.services.provider import Provider, ProviderKeys, ProviderTokens
from gongji_svc.services.watched import Unusable, Watched, content
from gongji_svc.signals.catalogue import Figure

_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths of what TLS needs; no authorities for clients: none is asked for a certificate."""

    certificate: str
    key: str
    client_ca: str = ""
    crl: str = ""


@dataclass(frozen=True, slots=True)
class _Own:
    """What the service shows, and when its certificate ends, in Unix seconds."""

    configuration: grpc.ServerCertificateConfiguration
    until: float


class Entrance:
    """What a front lets callers in by; Unusable when a file is not what it should be."""

    def __init__(self, tls: TlsFiles | None, provider: Provider | None, token_key: bytes) -> None:
        self._looks: list[Callable[[], Awaitable[None]]] = []
        self._looking: list[asyncio.Task[None]] = []
        self._material: Watched[_Own] | None = None
        self._asks_clients = False
        self._keys: ProviderKeys | None = None
        self._certificates: Certificates | None = None
        if tls is not None:
            self._material = _material(tls)
            self._looks.append(partial(asyncio.to_thread, self._material.look))
        if tls is not None and tls.client_ca:
            self._asks_clients = True
            crl = Path(tls.crl) if tls.crl else None
            self._certificates = Certificates(Path(tls.client_ca), crl)
            self._looks.append(partial(asyncio.to_thread, self._certificates.files.look))
        if provider is None:
            self.verifier = Verifier(DevelopmentTokens(token_key), self._certificates)
        else:
            tokens = ProviderTokens(provider)
            self._keys = tokens.keys
            self._looks.append(tokens.keys.look)
            self.verifier = Verifier(tokens, self._certificates)

    def __iter__(self) -> Iterator[Figure]:
        """Until when what it has is good, and when keys were read; nothing of what isn't set."""
        until = None if self._material is None else self._material.current.until
        due = None if self._certificates is None else self._certificates.due
        read_at = None if self._keys is None else self._keys.read_at
        for name, at in (
            ("gongji_certificate_not_after_timestamp_seconds", until),
            ("gongji_crl_next_update_timestamp_seconds", due),
            ("gongji_jwks_read_timestamp_seconds", read_at),
        ):
            yield name, {} if at is None else {(): at}

    def open(self, server: grpc.aio.Server, address: str) -> int:
        """Have the server listen on HOST:PORT; the port it got."""
        if self._material is None:
            return server.add_insecure_port(address)
        credentials = grpc.dynamic_ssl_server_credentials(
            self._material.current.configuration,
            _changes(self._material),  # type: ignore[arg-type]  # gRPC takes None, its stub does not
            self._asks_clients,
        )
        return server.add_secure_port(address, credentials)

    async def start(self) -> None:
        """Look once, then again and again."""
        for look in self._looks:
            await look()
        self._looking = [asyncio.create_task(_again_and_again(look)) for look in self._looks]

    async def stop(self) -> None:
        """Look no more."""
        for task in self._looking:
            task.cancel()
        await asyncio.gather(*self._looking, return_exceptions=True)


async def _again_and_again(look: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        await look()


def _changes(
    material: Watched[_Own],
) -> Callable[[], grpc.ServerCertificateConfiguration | None]:
    """What gRPC asks at each new connection: what to use from now on, None for what it has."""
    given = material.current

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        nonlocal given
        if given is material.current:
            return None
        given = material.current
        return given.configuration

    return fetch


def _material(tls: TlsFiles) -> Watched[_Own]:
    files = [Path(name) for name in (tls.certificate, tls.key, tls.client_ca) if name]
    return Watched(files, partial(_read, tls))


def _read(tls: TlsFiles) -> _Own:
    """Certificate and key, which belong together, and the authorities for clients."""
    chain, key = content(Path(tls.certificate)), content(Path(tls.key))
    try:
        own = x509.load_pem_x509_certificates(chain)[0]
        public = own.public_key()
    except UNREADABLE as error:
        raise Unusable(
            f"{tls.certificate} holds no certificate in PEM, or one of a kind we don't know"
        ) from error
    try:
        private = load_pem_private_key(key, None)
    except (*UNREADABLE, TypeError) as error:
        raise Unusable(
            f"{tls.key} holds no private key in PEM without a password, or one of a kind we don't "
            "know"
        ) from error
    if private.public_key() != public:
        raise Unusable(f"{tls.key} is not the key of the certificate in {tls.certificate}")
    authorities = content(Path(tls.client_ca)) if tls.client_ca else None
    configuration = grpc.ssl_server_certificate_configuration([(key, chain)], authorities)
    return _Own(configuration, own.not_valid_after_utc.timestamp())
