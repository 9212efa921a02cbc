"""Who is calling: certificates and bearer tokens to callers.

Rule: a caller is what a verified certificate or token says and nothing else; the algorithm is
pinned, a token without an expiry is refused. Development tokens are signed with a key that lies in
the data folder of this installation, and are good only where no identity provider is set.
"""

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import jwt

from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.errors import Unauthenticated
from gongji_svc.services.certificates import Certificates
from gongji_svc.storage.keyfile import make_once

_ALGORITHM = "HS256"
_ISSUER = "gongji-development"
_AUDIENCE = "gongji"
_KEY_FILE = "development-token.key"
_CACHED_TOKENS = 10_000
_BEARER = "bearer "
_YEAR_10000 = 253_402_300_800
_REGION = re.compile(r"[0-9]{6}")

STAFF = frozenset({Role.COUNTER, Role.REVIEWER, Role.AGENCY, Role.TAX, Role.AUDIT})
"""Roles that people hold: a token names the member of staff behind the call."""


def development_key(data_dir: Path) -> bytes:
    """The key of development tokens, made at first need (0600)."""
    path = data_dir / _KEY_FILE
    make_once(path, secrets.token_hex(32))
    return path.read_bytes()


def issue_token(key: bytes, caller: Caller, lifetime_seconds: int) -> str:
    """A development token for `caller`."""
    now = int(time.time())
    claims = {
        "iss": _ISSUER,
        "aud": _AUDIENCE,
        "role": caller.role.value,
        "sub": caller.subject,
        "actor": caller.actor,
        "iat": now,
        "exp": now + lifetime_seconds,
    }
    return jwt.encode(claims, key, _ALGORITHM)


class KeyUnknown(Exception):
    """A token names a key that is not known, perhaps not yet."""


class Tokens(Protocol):
    """Who issues tokens: an identity provider, or this installation for development."""

    @property
    def edition(self) -> object:
        """Another object when what was verified before must be verified again."""

    def read(self, token: str) -> tuple[float, Caller]:
        """Until when a token is good (Unix seconds), and whose it is; Unauthenticated when it is
        not good, KeyUnknown when the key that signed it is not known.
        """

    async def renew(self) -> None:
        """Ask for keys that are not known yet."""


@dataclass(frozen=True, slots=True)
class DevelopmentTokens:
    """Tokens that `issue_token` signed with `key`."""

    key: bytes

    @property
    def edition(self) -> object:
        """Always the same: the key does not change while the service runs."""
        return self.key

    async def renew(self) -> None:
        """There are no other keys."""

    def read(self, token: str) -> tuple[float, Caller]:
        """Until when a token is good (Unix seconds), and whose it is; Unauthenticated."""
        try:
            claims = jwt.decode(
                token,
                self.key,
                [_ALGORITHM],
                audience=_AUDIENCE,
                issuer=_ISSUER,
                options={"require": ["exp", "sub", "role"]},
            )
            return good_until(claims), _caller(claims)
        except (jwt.InvalidTokenError, ValueError, OverflowError) as wrong:
            raise Unauthenticated from wrong


def good_until(claims: Mapping[str, Any]) -> float:
    """The `exp` of claims, in Unix seconds; ValueError when it is no such number."""
    exp = claims["exp"]
    if isinstance(exp, bool) or not isinstance(exp, int | float) or not 0 <= exp < _YEAR_10000:
        raise ValueError("exp is no time")
    return float(exp)


def _caller(claims: Mapping[str, Any]) -> Caller:
    """The caller of good claims; ValueError when they name none."""
    caller = Caller(Role(claims["role"]), claims["sub"], str(claims.get("actor") or ""))
    if caller.role in STAFF | {Role.PLATFORM} and not _REGION.fullmatch(caller.subject):
        raise ValueError("sub is no region")
    if caller.role in STAFF and not caller.actor:
        raise ValueError("actor names nobody")
    # "c-17" and "c-17 " would be two people to a rule that asks for a second one.
    if not f"{caller.subject}{caller.actor}".isprintable() or caller.actor != caller.actor.strip():
        raise ValueError("sub or actor is no name")
    return caller


class Verifier:
    """Turns what comes beside a call into its caller; remembers tokens until they expire.

    With `certificates`, each connection has one: a till's or a platform's says who calls, and a
    gateway's that a token does.
    """

    def __init__(self, tokens: Tokens, certificates: Certificates | None = None) -> None:
        self._tokens = tokens
        self._certificates = certificates
        self._edition = tokens.edition
        self._known: dict[str, tuple[float, Caller]] = {}

    @property
    def asks_certificates(self) -> bool:
        """Whether a caller's certificate is looked at."""
        return self._certificates is not None

    def check_certificate(self, certificate: bytes) -> None:
        """Unauthenticated unless a certificate, in PEM, is believed, whoever it names."""
        if self._certificates is not None:
            self._certificates.check(certificate)

    def is_gateways(self, certificate: bytes) -> bool:
        """Whether a certificate, in PEM, is a gateway's; Unauthenticated for one that is not
        believed.
        """
        return self._certificates is not None and self._certificates.caller(certificate) is None

    async def caller(self, authorization: str, certificate: bytes = b"") -> Caller:
        """The caller by its `authorization` header ("": none) and its certificate in PEM;
        Unauthenticated when they do not prove one.
        """
        if self._certificates is not None:
            named = self._certificates.caller(certificate)
            if named is not None:
                if authorization:  # two answers to who calls are none
                    raise Unauthenticated
                return named
        if self._edition is not self._tokens.edition:
            self._edition = self._tokens.edition
            self._known.clear()
        known = self._known.get(authorization)
        if known is not None and time.time() < known[0]:
            return known[1]
        if authorization[: len(_BEARER)].lower() != _BEARER:
            raise Unauthenticated
        return await self._verified(authorization)

    async def _verified(self, authorization: str) -> Caller:
        token = authorization[len(_BEARER) :]
        try:
            try:
                known = self._tokens.read(token)
            except KeyUnknown:
                await self._tokens.renew()
                known = self._tokens.read(token)
        except KeyUnknown as unknown:
            raise Unauthenticated from unknown
        if len(self._known) >= _CACHED_TOKENS:
            self._known.clear()
        self._known[authorization] = known
        return known[1]
