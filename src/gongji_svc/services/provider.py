"""People and staff: tokens of an OpenID Connect provider to callers.

Rule: the provider's public keys decide, by asymmetric algorithms only, each with the one algorithm
it is for. A key that is not known is asked for once more, at most every few seconds however many
such tokens come. A token makes nobody a till or a platform: those have certificates.
"""

import asyncio
import json
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import structlog

from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.errors import Unauthenticated
from gongji_svc.services.identity import STAFF, KeyUnknown, good_until
from gongji_svc.services.watched import Unusable, Watched, content
from gongji_svc.storage.ids import parse_id

_log = structlog.get_logger()

_ALGORITHMS = {"RS256", "ES256", "EdDSA"}
_LEEWAY_SECONDS = 60.0  # between our clock and the provider's
_RENEW_SECONDS = 300.0
_PAUSE_SECONDS = 5.0
_TIMEOUT_SECONDS = 3.0
_MOST_BYTES = 1 << 20
_LEAST_RSA_BITS = 2048
_MOST_ACTOR_CHARACTERS = 200
_REGION = re.compile(r"[0-9]{6}")

Keys = Mapping[str, jwt.PyJWK]


@dataclass(frozen=True, slots=True)
class Provider:
    """Who signs people in; `jwks` is a file or an address."""

    jwks: str
    issuer: str
    audience: str


class ProviderKeys:
    """The provider's keys by their id, kept current."""

    def __init__(self, jwks: str) -> None:
        self._url = jwks if "://" in jwks else ""
        path = Path(jwks)
        self._file = None if self._url else Watched([path], lambda: _keys(content(path), jwks))
        self._fetched: Keys = {}
        self._fetched_at = 0.0
        self._document = b""
        self._asking = asyncio.Lock()
        self._asked_at = self._due_at = float("-inf")

    @property
    def current(self) -> Keys:
        """The keys as last read; another object only when they changed."""
        return self._fetched if self._file is None else self._file.current

    @property
    def read_at(self) -> float:
        """When they were last read well, in Unix seconds, changed or not; 0: never."""
        return self._fetched_at if self._file is None else self._file.good_at

    async def look(self) -> None:
        """Read them again if the file changed, or when the address is to be asked again."""
        if self._file is not None:
            await asyncio.to_thread(self._file.look)
        elif time.monotonic() >= self._due_at:
            await self._ask()

    async def renew(self) -> None:
        """Read them again now; many who want that share one question."""
        if self._file is not None:
            self._file.look()
        else:
            await self._ask()

    async def _ask(self) -> None:
        async with self._asking:
            if time.monotonic() < self._asked_at + _PAUSE_SECONDS:
                return
            try:
                document = await asyncio.to_thread(_fetch, self._url)
                if document != self._document:
                    self._fetched = _keys(document, self._url)
                    self._document = document
                    _log.info("the identity provider's keys are read", keys=sorted(self._fetched))
                self._fetched_at = time.time()
                wait_seconds = _RENEW_SECONDS
            except Unusable as wrong:
                _log.error("the identity provider's keys can't be read", why=str(wrong))
                wait_seconds = _PAUSE_SECONDS
            self._asked_at = time.monotonic()
            self._due_at = self._asked_at + wait_seconds


class ProviderTokens:
    """Tokens of the provider, for this service, in time."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.keys = ProviderKeys(provider.jwks)

    @property
    def edition(self) -> object:
        """Another object when what was verified before must be verified again."""
        return self.keys.current

    async def renew(self) -> None:
        """Ask for keys that are not known yet."""
        await self.keys.renew()

    def read(self, token: str) -> tuple[float, Caller]:
        """Until when a token is good (Unix seconds), and whose it is; Unauthenticated when it is
        not good, KeyUnknown when the key that signed it is not known.
        """
        try:
            key = self.keys.current.get(str(jwt.get_unverified_header(token).get("kid")))
            if key is None:
                raise KeyUnknown
            claims = jwt.decode(
                token,
                key,
                [key.algorithm_name],
                audience=self._provider.audience,
                issuer=self._provider.issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
            return good_until(claims) + _LEEWAY_SECONDS, _caller(claims)
        except (jwt.PyJWTError, ValueError, OverflowError) as wrong:
            _log.info("a token is refused", why=type(wrong).__name__)
            raise Unauthenticated from wrong


def _caller(claims: Mapping[str, Any]) -> Caller:
    """The caller of good claims; ValueError when they name none."""
    role, subject = Role(str(claims.get("gongji_role"))), str(claims.get("gongji_subject"))
    if role is Role.CITIZEN:
        person_id = parse_id(subject)
        if person_id is None:
            raise ValueError("gongji_subject is no person's id")
        return Caller(role, str(person_id))  # who acts for oneself is audited by that id
    if role not in STAFF or not _REGION.fullmatch(subject):
        raise ValueError("neither a citizen nor staff of a region")
    actor = str(claims["sub"])
    # "c-17" and "c-17 " would be two people to a rule that asks for a second one.
    if (
        not actor.isprintable()
        or not 0 < len(actor.strip()) == len(actor) <= _MOST_ACTOR_CHARACTERS
    ):
        raise ValueError("sub names nobody")
    return Caller(role, subject, actor)


def _keys(document: bytes, source: str) -> Keys:
    """The keys of a JSON Web Key Set that we may use; Unusable when there is none."""
    try:
        listed = json.loads(document)["keys"]
        usable = {key["kid"]: jwt.PyJWK(key) for key in listed if _is_ours(key)}
    except (ValueError, TypeError, KeyError, RecursionError, jwt.PyJWTError) as error:
        raise Unusable(f"{source} holds no JSON Web Key Set") from error
    keys = {
        kid: key
        for kid, key in usable.items()
        if key.key_type != "RSA" or key.key.key_size >= _LEAST_RSA_BITS
    }
    if not keys:
        raise Unusable(
            f"{source} has no public key with a kid for one of {', '.join(sorted(_ALGORITHMS))}"
        )
    return keys


def _is_ours(key: Mapping[str, Any]) -> bool:
    """Whether a key is a public one that signs; private and shared keys have no place there."""
    curve = {"RSA": (None,), "EC": ("P-256",), "OKP": ("Ed25519",)}.get(key["kty"], ())
    is_public = "d" not in key and key.get("use", "sig") == "sig"
    is_right = key.get("crv") in curve and key.get("alg") in {None, *_ALGORITHMS}
    return is_right and is_public and isinstance(key.get("kid"), str)


def _fetch(address: str) -> bytes:
    """What is at the address; Unusable when it is not there in time."""
    url = urlsplit(address)
    make = partial(HTTPSConnection, context=_trusted()) if url.scheme == "https" else HTTPConnection
    connection = make(url.hostname or "", url.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", url.path or "/", headers={"Accept": "application/json"})
        answer = connection.getresponse()
        if answer.status != HTTPStatus.OK:
            raise Unusable(f"{address} answers HTTP {answer.status}")
        document = answer.read(_MOST_BYTES + 1)
    except (OSError, HTTPException) as error:
        raise Unusable(f"{address}: {type(error).__name__}: {error}") from error
    finally:
        connection.close()
    if len(document) > _MOST_BYTES:
        raise Unusable(f"{address} answers more than {_MOST_BYTES} bytes")
    return document


@cache
def _trusted() -> ssl.SSLContext:
    """Whom we believe: the system's authorities, or those of SSL_CERT_FILE."""
    return ssl.create_default_context()
