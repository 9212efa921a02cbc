"""An authority that issues certificates and takes them back, and a provider that signs tokens."""

import ipaddress
import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER = "https://login.example/gongji"
AUDIENCE = "gongji-core"
_DAY = timedelta(days=1)

Private = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    private: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key(self) -> bytes:
        """The key."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@dataclass(slots=True)
class Authority:
    """Issues certificates; `name` is its own."""

    name: str = "Region"
    own: Pair = field(init=False)
    _revoked: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        private = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(self._subject, private, datetime.now(UTC) - _DAY, timedelta(days=3650))
        builder = builder.issuer_name(self._subject)
        builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
        self.own = Pair(builder.sign(private, hashes.SHA256()), private)

    @property
    def pem(self) -> bytes:
        """Its own certificate."""
        return self.own.pem

    @property
    def _subject(self) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, self.name)])

    def issue(
        self, *uris: str, since: datetime | None = None, lifetime: timedelta = 30 * _DAY
    ) -> Pair:
        """A certificate with these URIs as its names; a server's of this machine besides."""
        private = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gongji:pos:NOT-READ")])
        names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        names += [x509.UniformResourceIdentifier(uri) for uri in uris]
        builder = _builder(subject, private, since or datetime.now(UTC) - _DAY, lifetime)
        builder = builder.issuer_name(self._subject)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return Pair(builder.sign(self.own.private, hashes.SHA256()), private)

    def revoke(self, *pairs: Pair) -> None:
        """Take certificates back; the next list says so."""
        self._revoked += [pair.certificate.serial_number for pair in pairs]

    def list(
        self,
        encoding: Encoding = Encoding.PEM,
        *,
        due: datetime | None = None,
        changes_only: bool = False,
    ) -> bytes:
        """Its revocation list."""
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._subject)
        builder = builder.last_update(now - 2 * _DAY).next_update(due or now + _DAY)
        for serial in self._revoked:
            revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now)
            builder = builder.add_revoked_certificate(revoked.build())
        if changes_only:
            builder = builder.add_extension(x509.DeltaCRLIndicator(1), critical=True)
        return builder.sign(self.own.private, hashes.SHA256()).public_bytes(encoding)


@dataclass(frozen=True, slots=True)
class Signer:
    """One key of an identity provider."""

    kid: str
    private: Private = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def algorithm(self) -> str:
        """What it signs with."""
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            return "ES256"
        return "RS256" if isinstance(self.private, rsa.RSAPrivateKey) else "EdDSA"

    @property
    def public(self) -> dict[str, Any]:
        """Its public key as a JSON Web Key."""
        key = self.private.public_key()
        if isinstance(key, ec.EllipticCurvePublicKey):
            jwk = ECAlgorithm.to_jwk(key, as_dict=True)
        elif isinstance(key, rsa.RSAPublicKey):
            jwk = RSAAlgorithm.to_jwk(key, as_dict=True)
        else:
            jwk = OKPAlgorithm.to_jwk(key, as_dict=True)
        return {**jwk, "kid": self.kid, "use": "sig"}

    def token(self, **claims: object) -> str:
        """A token for an agency's clerk; `claims` replace its own, None leaves one out."""
        now = int(time.time())
        usual = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "clerk-1",
            "iat": now,
            "exp": now + 600,
            "gongji_role": "agency",
            "gongji_subject": "150900",
        }
        kept = {name: value for name, value in (usual | claims).items() if value is not None}
        return jwt.encode(kept, self.private, self.algorithm, {"kid": self.kid})


def key_set(*keys: Mapping[str, Any]) -> bytes:
    """A JSON Web Key Set."""
    return json.dumps({"keys": keys}).encode()


def put(path: Path, content: bytes | Iterable[bytes]) -> Path:
    """Write a file as an operator should: whole, under another name, then renamed."""
    new = path.with_suffix(".new")
    new.write_bytes(content if isinstance(content, bytes) else b"".join(content))
    os.replace(new, path)
    return path


def _builder(
    subject: x509.Name, private: ec.EllipticCurvePrivateKey, since: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).public_key(private.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(since).not_valid_after(since + lifetime)
