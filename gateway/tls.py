"""How the gateway knows the core, and the core the gateway: files that may be replaced.

Rule: files that can't be used as a whole are told in the log and not taken: what was last right
goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

_log = structlog.get_logger()

# What reading a certificate or a key may raise.
_UNREADABLE = (ValueError, UnsupportedAlgorithm, x509.InvalidVersion)

Stamp = tuple[int, int, int] | None


class Unusable(Exception):
    """A file is not what it should be; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a channel is opened with, and when the gateway's own certificate ends, in Unix seconds;
    None: it shows none.
    """

    credentials: grpc.ChannelCredentials
    until: float | None


@dataclass(frozen=True, slots=True)
class Tls:
    """Who issued the core's certificate, and the certificate and key that the gateway shows where
    it is asked for one.
    """

    authorities: Path
    certificate: Path | None = None
    key: Path | None = None

    @property
    def files(self) -> Sequence[Path]:
        """All of them."""
        return [one for one in (self.authorities, self.certificate, self.key) if one is not None]

    def read(self) -> Shown:
        """What the files hold; Unusable."""
        authorities = _content(self.authorities)
        _certificate(self.authorities, authorities)
        if self.certificate is None or self.key is None:
            return Shown(grpc.ssl_channel_credentials(authorities), None)
        chain, key = _content(self.certificate), _content(self.key)
        try:
            private = load_pem_private_key(key, None)
        except (*_UNREADABLE, TypeError) as error:
            raise Unusable(
                f"{self.key} holds no private key in PEM without a password, or one of a kind we "
                "don't know"
            ) from error
        own = _certificate(self.certificate, chain)
        if private.public_key() != own.public_key():
            raise Unusable(f"{self.key} is not the key of the certificate in {self.certificate}")
        credentials = grpc.ssl_channel_credentials(authorities, key, chain)
        return Shown(credentials, own.not_valid_after_utc.timestamp())


class Material:
    """What the files hold; the first reading may raise Unusable."""

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        self._seen = self._stamps()
        self.current = tls.read()

    def look(self) -> bool:
        """Read again if a file is another than when it was last read; whether it was taken."""
        stamps = self._stamps()
        if stamps == self._seen:
            return False
        self._seen = stamps
        files = [str(path) for path in self._tls.files]
        try:
            self.current = self._tls.read()
        except Unusable as wrong:
            _log.error("a changed file is not used", files=files, why=str(wrong))
            return False
        _log.info("a changed file is used", files=files)
        return True

    def _stamps(self) -> list[Stamp]:
        return [_stamp(path) for path in self._tls.files]


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unusable(f"{path} can't be read: {error.strerror}") from error


def _certificate(path: Path, content: bytes) -> x509.Certificate:
    """The first certificate of a file, its key of a kind we know."""
    try:
        first = x509.load_pem_x509_certificates(content)[0]
        first.public_key()
    except _UNREADABLE as error:
        raise Unusable(
            f"{path} holds no certificate in PEM, or one of a kind we don't know"
        ) from error
    return first
