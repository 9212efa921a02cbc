"""What else is read of strange bytes, and needs no database: tokens, certificates, one-time codes,
page tokens, rows of files, JSON, the frames between front and writer.

Rule: what is not right is refused as the code says it is; what is right comes back as it was.
"""

import base64
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from google.protobuf.json_format import SerializeToJsonError
from jwt import PyJWS

from gateway.problems import BadField
from gateway.rpcs import ROUTES, Shape
from gateway.transcoding import parse, read_query, read_request, to_json
from gongji.v1 import settlement_pb2 as pb
from gongji_svc import regions
from gongji_svc.domain.access import Caller, Role
from gongji_svc.domain.errors import InvalidField, PageTokenInvalid, Unauthenticated
from gongji_svc.domain.one_time_code import NONCE_BYTES, OneTimeCode, written
from gongji_svc.pipe import Answer, AnswerReader, Request, RequestReader
from gongji_svc.services import messages, paging, till
from gongji_svc.services.allocating import copied, looked_at
from gongji_svc.services.certificates import Certificates
from gongji_svc.services.contract import METHODS
from gongji_svc.services.identity import DevelopmentTokens, KeyUnknown, Tokens
from gongji_svc.services.loading_kinds import KINDS
from gongji_svc.services.office import Office
from gongji_svc.services.provider import Provider, ProviderTokens
from gongji_svc.services.rows import Unsound, read_rows
from gongji_svc.services.watched import Unusable
from gongji_svc.signals import trace
from gongji_svc.storage.sealing import Sealer
from tests.authority import AUDIENCE, ISSUER, Authority, Signer, key_set, put
from tests.families import KEYS
from tests.fuzz.choice import Choice, FromBytes, one_in, pick
from tests.fuzz.files import ALLOCATIONS, columns_of, csv_file
from tests.fuzz.made_up import Maker

_SEALER = Sealer(KEYS)
_KEY = b"a key that only these tests know, long enough"
_MOST_TEXT, _MOST_JSON, _MOST_PIECE = 300, 2000, 40
_ROLES = tuple(role.value for role in Role)
_PAGED = [one for one in METHODS if "page_token" in one.request.DESCRIPTOR.fields_by_name]
_CLAIMS = (
    "iss", "aud", "sub", "exp", "iat", "nbf", "gongji_role", "gongji_subject", "role", "actor", "x",
)  # fmt: skip
_JWS = PyJWS()
_WORDS: Sequence[Any] = (
    None, True, 0, -1, 1e308, 10**400, 4_102_444_800, "", "citizen", "agency", "audit", "c-1",
    " c-1", "150100", "019a0000-0000-8000-8092-94c000000001", ISSUER, AUDIENCE, "a\0b", "\ud800",
    [], {}, [AUDIENCE], ["citizen"], {"a": {}},
)  # fmt: skip


class Credentials:
    """Who can call: an authority, a provider and this installation's own tokens."""

    def __init__(self, folder: Path) -> None:
        self._authority = Authority()
        self._leaf = ec.generate_private_key(ec.SECP256R1())
        self.certificates = Certificates(put(folder / "ca.pem", self._authority.pem), None)
        self._folder = folder
        self._signer = Signer("k1", ed25519.Ed25519PrivateKey.generate())
        jwks = put(folder / "keys.json", key_set(self._signer.public))
        self._provider = ProviderTokens(Provider(str(jwks), ISSUER, AUDIENCE))
        self._own = DevelopmentTokens(_KEY)

    def any_token(self, choice: Choice) -> None:
        """Any text, to both who read tokens."""
        text = choice.text(_MOST_TEXT)
        if one_in(choice, 2):
            head = base64.urlsafe_b64encode(choice.raw(_MOST_PIECE)).decode().rstrip("=")
            text = f"{head}.{text}"
        for tokens in (self._own, self._provider):
            _check_caller(tokens, text)

    def signed_token(self, choice: Choice) -> None:
        """Claims made up and signed as they should be."""
        now = time.time()
        usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "c-1", "exp": now + 600, "role": "agency"}
        usual |= {"gongji_role": pick(choice, _ROLES), "gongji_subject": pick(choice, _WORDS)}
        made_up = {pick(choice, _CLAIMS): _claim(choice) for _ in range(choice.whole(0, 4))}
        payload = json.dumps(usual | made_up).encode()
        signer = self._signer
        signed = _JWS.encode(payload, signer.private, signer.algorithm, {"kid": signer.kid})
        _check_caller(self._provider, signed)
        own = {**usual, "iss": "gongji-development", "aud": "gongji", "actor": "c-1", **made_up}
        _check_caller(self._own, _JWS.encode(json.dumps(own).encode(), _KEY, "HS256"))

    def key_set(self, choice: Choice) -> None:
        """A provider's keys; ours with other values, or any bytes."""
        key = {
            **self._signer.public,
            pick(choice, ("kty", "crv", "x", "alg", "use", "kid")): _claim(choice),
        }
        said = choice.raw(_MOST_TEXT) if one_in(choice, 3) else key_set(key)
        jwks = put(self._folder / "made-up.json", said)
        with suppress(Unusable):
            ProviderTokens(Provider(str(jwks), ISSUER, AUDIENCE))

    def certificate(self, choice: Choice) -> None:
        """A certificate with any names, now and then damaged; or any bytes."""
        pem = choice.raw(_MOST_TEXT) if one_in(choice, 8) else self._issued(choice)
        with suppress(Unauthenticated):
            caller = self.certificates.caller(pem)
            assert caller is None or caller.role in (Role.POS, Role.PLATFORM)
            assert caller is None or caller.subject.isascii()

    def _issued(self, choice: Choice) -> bytes:
        names = [self._name(choice) for _ in range(choice.whole(0, 3))]
        now = datetime.now(UTC)
        named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, self._authority.name)])
        builder = x509.CertificateBuilder(named, named, self._leaf.public_key(), 1)
        builder = builder.not_valid_before(now - timedelta(days=1))
        builder = builder.not_valid_after(now + timedelta(days=choice.whole(0, 30000)))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        der = builder.sign(self._authority.own.private, hashes.SHA256()).public_bytes(Encoding.DER)
        if one_in(choice, 2):
            at = choice.whole(0, len(der) - 1)
            der = der[:at] + choice.raw(4) + der[at + choice.whole(0, 4) :]
        body = base64.encodebytes(der)
        return b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n"

    def _name(self, choice: Choice) -> x509.GeneralName:
        text = "".join(one for one in choice.text(_MOST_PIECE) if one.isascii())
        begin = pick(choice, ("gongji:pos:", "gongji:platform:", "gongji:", "gongji:gateway", ""))
        kind = pick(choice, (x509.UniformResourceIdentifier, x509.DNSName))
        return kind(begin + text)


def _claim(choice: Choice) -> Any:
    return choice.text(_MOST_PIECE) if one_in(choice, 3) else pick(choice, _WORDS)


def _check_caller(tokens: Tokens, text: str) -> None:
    """Whoever is let in gets through the pipe as who they are."""
    with suppress(Unauthenticated, KeyUnknown):
        until, caller = tokens.read(text)
        assert until > 0
        _check_frames([Request(1, 0, 0.0, caller, b"")], FromBytes(b""))


def frames(choice: Choice) -> None:
    """Calls and answers through the pipe, however their bytes come."""
    numbers = [choice.whole(0, (1 << 32) - 1) for _ in range(choice.whole(0, 4))]
    callers = [Caller(Role.POS, "P1"), Caller(Role.AGENCY, "150100", "王1", "10.0.0.7")]
    _check_frames(
        [
            Request(one, one % len(METHODS), float(one), pick(choice, callers), choice.raw(300))
            for one in numbers
        ],
        choice,
    )
    answers = [Answer(one, one % 17, choice.raw(300)) for one in numbers]
    reader = AnswerReader()
    pieces = _cut(b"".join(one.dump() for one in answers), choice)
    assert [one for piece in pieces for one in reader.feed(piece)] == answers


def _check_frames(requests: Sequence[Request], choice: Choice) -> None:
    reader = RequestReader()
    pieces = _cut(b"".join(one.dump() for one in requests), choice)
    read = [one for piece in pieces for one in reader.feed(piece)]
    assert [replace(one, came_ns=0) for one in read] == requests


def _cut(data: bytes, choice: Choice) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = start + (choice.whole(0, 255) or len(data))
        yield data[start:end]
        start = end


def traceparent(choice: Choice) -> None:
    """The context of a trace: any text, or what looks like one."""
    parts = (choice.raw(size).hex() for size in (1, 16, 8, 1))
    for said in (choice.text(_MOST_TEXT), "-".join(parts)):
        found = trace.read(said)
        assert found is None or len(found) == trace.SIZE


def page_token(choice: Choice) -> None:
    """A page token: any text, ours, or ours for another list."""
    method = pick(choice, _PAGED)
    request: Any = method.request()
    Maker(choice, {}).fill(request)
    position = choice.raw(_MOST_PIECE)
    how = choice.whole(0, 2)
    if how == 0:
        request.page_token = paging.token_after(request, position, _SEALER)
        assert paging.position_in(request, _SEALER) == (position or None) or not position
        return
    request.page_token = choice.text(_MOST_TEXT)
    if how == 1:
        request.page_token = paging.token_after(method.request(), position, _SEALER)[:-1] + "x"
    with suppress(PageTokenInvalid):
        assert paging.position_in(request, _SEALER) is None


def one_time_code(choice: Choice) -> None:
    """What a till scans: any text, or a code of ours, now and then damaged."""
    text = choice.text(_MOST_TEXT)
    is_ours = one_in(choice, 2)
    if is_ours:
        person_id, nonce = UUID(int=choice.whole(0, (1 << 128) - 1)), b"n" * NONCE_BYTES
        code = OneTimeCode.issue(person_id, datetime.now(UTC), nonce)
        text = written(code.pack(), _SEALER.sign(code.pack()))
        assert till.shown(_e_credential(text), _SEALER).code is not None
        text = text[: choice.whole(0, 63)] + text[64 - choice.whole(0, 63) :]
    for kind in pb.CredentialType.values()[1:]:
        till.shown(pb.Credential(type=kind, value=text), _SEALER)


def _e_credential(text: str) -> pb.Credential:
    return pb.Credential(type=pb.CREDENTIAL_TYPE_E_CREDENTIAL, value=text)


class Rows:
    """Rows of files of every kind, as far as they are read without the database."""

    def __init__(self) -> None:
        self._office = Office(None, regions.load(), _SEALER)  # type: ignore[arg-type]  # rows are read without one

    def read(self, choice: Choice) -> None:
        """The rows, and what each stands for; faults are told, nothing is raised."""
        kind = pick(choice, (*KINDS, ALLOCATIONS))
        columns = columns_of(kind)
        file = BytesIO(csv_file(choice, columns, {}))
        for record in read_rows(file, columns, lambda _: None, lambda _: None):
            with suppress(Unsound):
                if kind == ALLOCATIONS:
                    line = copied(looked_at(record), _SEALER)
                    assert line.count("\t") == 6 and "\n" not in line
                else:
                    KINDS[kind].item(self._office, "150100", [record])


def http(choice: Choice) -> None:
    """A request over HTTP, as its parts or any JSON; what is taken means the same again."""
    route = pick(choice, ROUTES)
    query = parse_qsl(choice.text(_MOST_TEXT), keep_blank_values=True)
    path = {name: choice.text(_MOST_PIECE) for name in route.path_fields}
    body = choice.raw(_MOST_JSON)
    if one_in(choice, 2):
        message = route.request()
        Maker(choice, {}).fill(message)
        with suppress(SerializeToJsonError):  # a moment that JSON has no words for
            body = _spoilt(choice, json.dumps(to_json(message)).encode())
    with suppress(BadField):
        if route.shape is Shape.UPLOAD:
            read_query(route.header, query)
            return
        taken = read_request(route, path, query, body)
        assert parse(route.request(), route.takes, _said(taken)) == taken
        with suppress(InvalidField):
            messages.read(route.request, taken.SerializeToString())


def _said(message: Any) -> Any:
    return json.loads(json.dumps(to_json(message)))


def _spoilt(choice: Choice, body: bytes) -> bytes:
    at = choice.whole(0, len(body))
    return body[:at] + choice.raw(8) + body[at + choice.whole(0, 3) :]


def target(folder: Path) -> Callable[[bytes], None]:
    """What is called with a fuzzer's bytes; files are made in `folder`."""
    credentials = Credentials(folder)
    parts = _parts(credentials, Rows())

    def one(data: bytes) -> None:
        choice = FromBytes(data)
        pick(choice, parts)(choice)

    return one


def _parts(credentials: Credentials, rows: Rows) -> Sequence[Callable[[Choice], None]]:
    return (
        credentials.any_token,
        credentials.signed_token,
        credentials.key_set,
        credentials.certificate,
        frames,
        traceparent,
        page_token,
        one_time_code,
        rows.read,
        http,
    )


_PARTS = 10


def seeds() -> Iterator[bytes]:
    """Some of every part."""
    deep = b"[" * 200
    for part in range(_PARTS):
        for first in range(0, 256, 16):
            yield bytes([part, first, *range(first, 200)])
        yield bytes([part, 0, 0]) + deep
