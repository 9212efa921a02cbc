"""An identity provider to play with: whoever comes says who they are, and is believed.

Rule: it speaks OpenID Connect as a real one does (authorization code, PKCE by S256, a public
client), so that the web client has one way to sign in. It answers only pages of its own origin. A
code is good once and for a minute; a session ends by itself. What it knows is forgotten when the
process ends.
"""

import hashlib
import re
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl, urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from gateway.origin import own_origin
from gongji_svc.demo.identity_page import STYLE, page
from gongji_svc.domain.access import Caller
from gongji_svc.services.identity import issue_token

PATH = "/dev-idp"
"""Where it stands on the gateway."""

_CODE_SECONDS = 60
_TOKEN_SECONDS = 15 * 60
_SESSION_SECONDS = 12 * 3600
_MOST_KEPT = 10_000
_MOST_BODY_BYTES = 16 * 1024
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_ALGORITHM = "ES256"
_KEY_ID = "development"
_ASKED = (
    "response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge",
    "code_challenge_method",
)  # fmt: skip
_NOT_KEPT = {"cache-control": "no-store"}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody who may sign in; `group` is under which heading they are listed."""

    key: str
    name: str
    group: str
    caller: Caller


@dataclass(frozen=True, slots=True)
class _Grant:
    """What a code stands for."""

    who: Known
    redirect_uri: str
    challenge: str
    nonce: str


@dataclass(slots=True)
class _Kept(Generic[T]):
    """Secrets that were given out, each for some seconds; bounded."""

    seconds: float
    _values: dict[str, tuple[float, T]] = field(default_factory=dict)

    def give(self, value: T) -> str:
        """A new secret that stands for `value`."""
        if len(self._values) >= _MOST_KEPT:
            del self._values[next(iter(self._values))]
        secret = secrets.token_urlsafe(32)
        self._values[secret] = (time.monotonic() + self.seconds, value)
        return secret

    def find(self, secret: str) -> T | None:
        """What it stands for; None when it is unknown, used or too old."""
        until, value = self._values.get(secret, (0.0, None))
        return value if time.monotonic() < until else None

    def take(self, secret: str) -> T | None:
        """As `find`, once."""
        value = self.find(secret)
        self._values.pop(secret, None)
        return value


class IdentityProvider:
    """A provider of development tokens, signed with `key`, for these people."""

    def __init__(self, key: bytes, client_id: str, people: Sequence[Known]) -> None:
        self._key = key
        self._client_id = client_id
        self._people = {one.key: one for one in people}
        self._codes: _Kept[_Grant] = _Kept(_CODE_SECONDS)
        self._sessions: _Kept[Known] = _Kept(_SESSION_SECONDS)
        self._signing = ec.generate_private_key(ec.SECP256R1())

    def mount(self) -> Mount:
        """Its routes, for the gateway."""
        return Mount(
            PATH,
            routes=[
                Route("/.well-known/openid-configuration", self._configuration),
                Route("/keys", self._keys),
                Route("/page.css", _style),
                Route("/authorize", self._ask),
                Route("/authorize", self._authorize, methods=["POST"]),
                Route("/token", self._token, methods=["POST"]),
            ],
        )

    async def _configuration(self, request: Request) -> Response:
        issuer = _issuer(request)
        return JSONResponse(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
                "jwks_uri": f"{issuer}/keys",
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code", "refresh_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": [_ALGORITHM],
                "scopes_supported": ["openid", "offline_access"],
                "token_endpoint_auth_methods_supported": ["none"],
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": True,
            }
        )

    async def _keys(self, _: Request) -> Response:
        public = ECAlgorithm.to_jwk(self._signing.public_key(), as_dict=True)
        return JSONResponse({"keys": [{**public, "kid": _KEY_ID, "alg": _ALGORITHM, "use": "sig"}]})

    async def _ask(self, request: Request) -> Response:
        """The page on which somebody says who they are."""
        asked = self._checked(request, dict(request.query_params))
        groups: dict[str, list[tuple[str, str]]] = {}
        for one in self._people.values():
            groups.setdefault(one.group, []).append((one.key, one.name))
        return HTMLResponse(page(PATH, asked, groups), headers=_NOT_KEPT)

    async def _authorize(self, request: Request) -> Response:
        """Back to the web client, with a code."""
        form = await _form(request)
        asked = self._checked(request, form)
        who = self._people.get(form.get("who", ""))
        if who is None:
            raise HTTPException(400, "who: not one of those that are listed")
        grant = _Grant(who, asked["redirect_uri"], asked["code_challenge"], asked["nonce"])
        answer = {"code": self._codes.give(grant), "state": asked["state"], "iss": _issuer(request)}
        joint = "&" if "?" in grant.redirect_uri else "?"
        return RedirectResponse(f"{grant.redirect_uri}{joint}{urlencode(answer)}", 303, _NOT_KEPT)

    def _checked(self, request: Request, said: Mapping[str, str]) -> dict[str, str]:
        """The parameters of an authorization; HTTPException for what no page of ours asks."""
        asked = {name: said.get(name, "") for name in _ASKED}
        own = f"{own_origin(request)}/"
        for name, is_right in (
            ("response_type", asked["response_type"] == "code"),
            ("client_id", asked["client_id"] == self._client_id),
            (
                "redirect_uri",
                asked["redirect_uri"].startswith(own) and "#" not in asked["redirect_uri"],
            ),
            ("code_challenge_method", asked["code_challenge_method"] == "S256"),
            ("code_challenge", _CHALLENGE.fullmatch(asked["code_challenge"]) is not None),
        ):
            if not is_right:
                raise HTTPException(400, f"{name}: not what this provider knows")
        return asked

    async def _token(self, request: Request) -> Response:
        form = await _form(request)
        if form.get("client_id") != self._client_id:
            return _refused("invalid_client")
        kind = form.get("grant_type")
        if kind == "refresh_token":
            # The same again, not a new one each time: its answer may be lost on the way.
            session = form.get("refresh_token", "")
            known = self._sessions.find(session)
            return (
                _refused("invalid_grant")
                if known is None
                else self._tokens(request, known, session)
            )
        if kind != "authorization_code":
            return _refused("unsupported_grant_type")
        grant = self._codes.take(form.get("code", ""))
        if grant is None or form.get("redirect_uri") != grant.redirect_uri:
            return _refused("invalid_grant")
        if not secrets.compare_digest(_challenge(form.get("code_verifier", "")), grant.challenge):
            return _refused("invalid_grant")
        session = self._sessions.give(grant.who)
        return self._tokens(request, grant.who, session, grant.nonce)

    def _tokens(self, request: Request, who: Known, session: str, nonce: str = "") -> Response:
        now = int(time.time())
        caller = who.caller
        claims = {
            "iss": _issuer(request),
            "aud": self._client_id,
            "sub": caller.actor or caller.subject,
            "iat": now,
            "exp": now + _TOKEN_SECONDS,
            "name": who.name,
            "gongji_role": caller.role.value,  # as any provider is to say it: docs/identity.md
            "gongji_subject": caller.subject,  # the person's id; of staff the region
            **({"nonce": nonce} if nonce else {}),
        }
        answer = {
            "access_token": issue_token(self._key, caller, _TOKEN_SECONDS),
            "token_type": "Bearer",
            "expires_in": _TOKEN_SECONDS,
            "refresh_token": session,
            "id_token": jwt.encode(claims, self._signing, _ALGORITHM, {"kid": _KEY_ID}),
            "scope": "openid offline_access",
        }
        return JSONResponse(answer, headers=_NOT_KEPT)


def _issuer(request: Request) -> str:
    return f"{own_origin(request)}{PATH}"


def _challenge(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636)."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


async def _form(request: Request) -> dict[str, str]:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_BODY_BYTES:
            raise HTTPException(413, "more than a form")
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True))
    except ValueError as wrong:
        raise HTTPException(400, "not a form") from wrong


async def _style(_: Request) -> Response:
    return Response(STYLE, media_type="text/css")


def _refused(error: str) -> Response:
    answer: dict[str, Any] = {"error": error}
    return JSONResponse(answer, 400, headers=_NOT_KEPT)
