"""Who is calling: bearer tokens to callers.

Rule: a caller is what a verified token says and nothing else; the algorithm is pinned, a token
without an expiry is refused. Development tokens are signed with a key that lies in the data folder
of this installation.
"""

import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path

import jwt

from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.errors import Unauthenticated
from gongji_svc.storage.keyfile import make_once

_ALGORITHM = "HS256"
_ISSUER = "gongji-development"
_AUDIENCE = "gongji"
_KEY_FILE = "development-token.key"
_CACHED_TOKENS = 10_000
_BEARER = "bearer "

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


@dataclass(slots=True)
class Verifier:
    """Turns authorization headers into callers; remembers tokens until they expire."""

    key: bytes
    _known: dict[str, tuple[float, Caller]] = field(default_factory=dict)

    def caller(self, authorization: str) -> Caller:
        """The caller of an `authorization` header; Unauthenticated when it does not prove one."""
        known = self._known.get(authorization)
        if known is not None and time.time() < known[0]:
            return known[1]
        if authorization[: len(_BEARER)].lower() != _BEARER:
            raise Unauthenticated
        expires_at, caller = self._verify(authorization[len(_BEARER) :])
        if len(self._known) >= _CACHED_TOKENS:
            self._known.clear()
        self._known[authorization] = (expires_at, caller)
        return caller

    def _verify(self, token: str) -> tuple[float, Caller]:
        try:
            claims = jwt.decode(
                token,
                self.key,
                [_ALGORITHM],
                audience=_AUDIENCE,
                issuer=_ISSUER,
                options={"require": ["exp", "sub", "role"]},
            )
            caller = Caller(Role(claims["role"]), claims["sub"], claims.get("actor") or "")
            unnamed = caller.role in STAFF and not caller.actor
            # "c-17" and "c-17 " would be two people to a rule that asks for a second one.
            if unnamed or caller.actor != caller.actor.strip():
                raise Unauthenticated
        except (jwt.InvalidTokenError, ValueError) as wrong:
            raise Unauthenticated from wrong
        return float(claims["exp"]), caller
