"""Who calls by mutual TLS: client certificates to callers.

Rule: a caller is the one name of ours in the certificate: a URI among its subjectAltNames, which no
host name or free text can be taken for. TLS has checked that the caller holds the key; authority,
dates and revocation are looked at with every call, for a connection lives longer than they do. With
a revocation list, an authority that has none in it is believed nothing.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.errors import Unauthenticated
from gongji_svc.services.watched import Unusable, Watched, content

_log = structlog.get_logger()

_CACHED = 10_000
_OURS = "gongji:"
_GATEWAY = "gongji:gateway"
_NAMES = re.compile(r"gongji:(pos):([0-9A-Za-z_-]{1,30})|gongji:(platform):([0-9]{6})")
# What reading a certificate, a key or a list may raise.
UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
_LIST = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Authority:
    """Who may issue, and the serial numbers it took back; None: lists are not asked for. `due`:
    when its list is out of date, in Unix seconds.
    """

    certificate: x509.Certificate
    revoked: frozenset[int] | None
    is_listed: bool
    due: float | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """What was found of a certificate: the time it is good for, in Unix seconds, and whose it is;
    `caller` is None for a gateway's. `trusted`: an authority vouches for it, whatever its name.
    `untold`: its serial number, while the log does not have its fault.
    """

    since: float
    until: float
    caller: Caller | None
    fault: str = ""
    trusted: bool = False
    untold: str = ""


class Certificates:
    """The callers of certificates that these authorities issued."""

    def __init__(self, client_ca: Path, crl: Path | None) -> None:
        files = [client_ca] if crl is None else [client_ca, crl]
        self.files = Watched(files, lambda: _authorities(client_ca, crl))
        self._believed = self.files.current
        self._known: dict[bytes, _Known] = {}

    @property
    def due(self) -> float | None:
        """When the first authority's revocation list is out of date, in Unix seconds."""
        return min((one.due for one in self.files.current if one.due is not None), default=None)

    def caller(self, pem: bytes) -> Caller | None:
        """Whose certificate it is; None for a gateway, whose calls bring tokens. Unauthenticated
        for one that is not or no longer trusted.
        """
        known = self._looked(pem)
        if known.fault:
            if known.untold:
                _tell(known.untold, known.fault)
                self._known[pem] = replace(known, untold="")
            raise Unauthenticated
        return known.caller

    def check(self, pem: bytes) -> None:
        """Unauthenticated for a certificate that is not or no longer trusted, whomever it names:
        that of a probe, perhaps the server's own, may name nobody.
        """
        if not self._looked(pem).trusted:
            raise Unauthenticated

    def _looked(self, pem: bytes) -> _Known:
        """What is known of a certificate; Unauthenticated before its time and after it."""
        if self._believed is not self.files.current:
            self._believed = self.files.current
            self._known.clear()
        known = self._known.get(pem)
        if known is None:
            known = self._look(pem)
            if len(self._known) >= _CACHED:
                self._known.clear()
            self._known[pem] = known
        if not known.since <= time.time() < known.until:
            raise Unauthenticated
        return known

    def _look(self, pem: bytes) -> _Known:
        try:
            certificate = x509.load_pem_x509_certificate(pem)
            caller, fault = _named(certificate)
        except UNREADABLE as error:  # TLS reads more leniently than we do
            _log.warning("a client certificate is refused", why=str(error))
            return _Known(0.0, 0.0, None, "unreadable")
        distrust = self._fault(certificate)
        untold = f"{certificate.serial_number:x}"
        if distrust:  # once: the answer is kept
            _tell(untold, distrust)
            fault, untold = distrust, ""
        since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        return _Known(since.timestamp(), until.timestamp(), caller, fault, not distrust, untold)

    def _fault(self, certificate: x509.Certificate) -> str:
        issuers = [one for one in self._believed if _issued(certificate, one.certificate)]
        if not issuers:
            return "none of the authorities issued it"
        for issuer in issuers:
            if issuer.revoked is not None and not issuer.is_listed:
                return "its authority has no revocation list"
            if certificate.serial_number in (issuer.revoked or ()):
                return "revoked"
        return ""


def _tell(serial: str, fault: str) -> None:
    _log.warning("a client certificate is refused", serial=serial, why=fault)


def _named(certificate: x509.Certificate) -> tuple[Caller | None, str]:
    """Whom a certificate names, or what is wrong with the name."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None, "it has no subjectAltName"
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    ours = [uri for uri in uris if uri.startswith(_OURS)]
    if len(ours) != 1:
        return None, f"{len(ours)} names that begin with {_OURS}, not one"
    if ours[0] == _GATEWAY:
        return None, ""
    found = _NAMES.fullmatch(ours[0])
    if found is None:
        return None, "its name is neither an institution's, a platform's nor a gateway's"
    role, subject = filter(None, found.groups())
    return Caller(Role(role), subject), ""


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _authorities(client_ca: Path, crl: Path | None) -> tuple[_Authority, ...]:
    try:
        certificates = x509.load_pem_x509_certificates(content(client_ca))
        for authority in certificates:
            authority.public_key()  # of a kind we know, or nothing it signed could be looked at
    except UNREADABLE as error:
        raise Unusable(
            f"{client_ca} holds no certificates in PEM, or one of a kind we don't know"
        ) from error
    if crl is None:
        return tuple(_Authority(one, None, is_listed=False) for one in certificates)
    lists = list(_lists(crl))
    for one in lists:
        if not any(_signed(one, certificate) for certificate in certificates):
            raise Unusable(f"{crl}: a list that none of the authorities in {client_ca} signed")
    authorities = []
    for certificate in certificates:
        own = [one for one in lists if _signed(one, certificate)]
        serials = frozenset(revoked.serial_number for one in own for revoked in one)
        dues = [one.next_update_utc.timestamp() for one in own if one.next_update_utc is not None]
        due = max(dues, default=None)
        authorities.append(_Authority(certificate, serials, bool(own), due))
    return tuple(authorities)


def _lists(path: Path) -> Iterator[x509.CertificateRevocationList]:
    kept = content(path)
    pems = _LIST.findall(kept)
    try:
        lists = [x509.load_pem_x509_crl(pem) for pem in pems] or [x509.load_der_x509_crl(kept)]
        for one in lists:
            if any(extension.critical for extension in one.extensions):
                raise Unusable(f"{path}: a list of changes or of a part; a whole one is needed")
            due = one.next_update_utc
            if due is not None and due < datetime.now(UTC):
                # Tills that can't settle would be the greater harm: it is told, and goes on.
                _log.error("a revocation list is out of date", file=str(path), due=str(due))
            yield one
    except UNREADABLE as error:
        raise Unusable(
            f"{path} holds no revocation list in PEM or DER, or one of a kind we don't know"
        ) from error


def _signed(one: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    try:
        return one.issuer == authority.subject and one.is_signature_valid(
            authority.public_key()  # type: ignore[arg-type]  # a key of another kind is a TypeError
        )
    except (TypeError, UnsupportedAlgorithm):
        return False
