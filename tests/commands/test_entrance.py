"""What stops a service whose callers could be overheard, or could not come in."""

from pathlib import Path

import httpx
import pytest

from gongji_svc.storage.database import Database
from tests.authority import AUDIENCE, ISSUER, Authority, Signer, key_set, put
from tests.commands.program import gongji as gongji_of
from tests.commands.test_serving import gongji
from tests.end_to_end.service import free_address


@pytest.mark.parametrize(
    ("command", "setting"),
    [
        ("serve", "GONGJI_GRPC_LISTEN"),
        ("up", "GONGJI_GRPC_LISTEN"),
        ("up", "GONGJI_HTTP_LISTEN"),
        ("gateway", "GONGJI_HTTP_LISTEN"),
    ],
)
@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])  # noqa: S104  # refused, not listened on
def test_plain_text_off_loopback_does_not_start(
    reachable_path: Path, command: str, setting: str, host: str
) -> None:
    done = gongji(reachable_path, command, **{setting: f"{host}:50999"})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"gongji: {setting}: {host}:50999 ")
    assert "GONGJI_PLAINTEXT=allow" in done.stderr


def test_a_gateway_sends_no_plain_text_to_another_machine(reachable_path: Path) -> None:
    done = gongji(reachable_path, "gateway", GONGJI_GRPC_LISTEN="core.example:50051")
    assert done.returncode == 2
    assert "set GONGJI_GATEWAY_CA" in done.stderr


def test_plain_text_that_is_asked_for_by_name_is_let_off_loopback(reachable_path: Path) -> None:
    port = free_address().rpartition(":")[2]
    done = gongji(
        reachable_path,
        "serve",
        GONGJI_GRPC_LISTEN=f"0.0.0.0:{port}",
        GONGJI_PLAINTEXT="allow",
    )
    assert "GONGJI_DATA_KEY" in done.stderr  # what is missing next


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"TLS_CERT": "nothing.pem"}, "nothing.pem can't be read"),
        ({"TLS_CERT": "server.key"}, "holds no certificate"),
        ({"TLS_KEY": "server.pem"}, "holds no private key"),
        ({"TLS_KEY": "other.key"}, "is not the key of the certificate"),
        ({"TLS_CLIENT_CA": "server.key"}, "holds no certificates"),
        ({"TLS_CLIENT_CA": "clients.pem", "TLS_CRL": "clients.pem"}, "holds no revocation list"),
        ({"TLS_CLIENT_CA": "clients.pem", "TLS_CRL": "other.crl"}, "none of the authorities"),
        ({"JWKS": "server.pem"}, "holds no JSON Web Key Set"),
        ({"JWKS": "shared.json"}, "has no public key"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_nothing_starts(
    reachable_path: Path, settings: dict[str, str], why: str
) -> None:
    authority = Authority()
    own, other = authority.issue(), authority.issue()
    for name, content in {
        "server.pem": own.pem,
        "server.key": own.key,
        "other.key": other.key,
        "clients.pem": authority.pem,
        "other.crl": Authority("Other").list(),
        "shared.json": key_set({"kty": "oct", "kid": "1", "k": "c2VjcmV0"}),
    }.items():
        put(reachable_path / name, content)
    named = {"TLS_CERT": "server.pem", "TLS_KEY": "server.key"} | settings
    paths = {f"GONGJI_{name}": str(reachable_path / file) for name, file in named.items()}
    if "GONGJI_JWKS" in paths:
        paths |= {"GONGJI_JWT_ISSUER": "https://login.example", "GONGJI_JWT_AUDIENCE": "gongji"}
    done = gongji(reachable_path, "serve", **paths)
    assert (done.returncode, done.stdout) == (2, "")
    assert why in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_with_an_identity_provider_there_are_no_development_tokens(reachable_path: Path) -> None:
    provider = {
        "GONGJI_JWKS": str(put(reachable_path / "jwks.json", key_set(Signer("1").public))),
        "GONGJI_JWT_ISSUER": "https://login.example",
        "GONGJI_JWT_AUDIENCE": "gongji",
    }
    for arguments in (
        ("token", "--role", "pos", "--subject", "P1"),
        ("up", "--demo"),
        ("demo", "premium"),
    ):
        done = gongji(reachable_path, *arguments, **provider)
        assert (done.returncode, done.stdout) == (2, "")
        assert "GONGJI_JWKS" in done.stderr
    assert not (reachable_path / "development-token.key").exists()


def test_a_gateway_beside_a_service_with_tls_must_know_its_authority(reachable_path: Path) -> None:
    own = Authority().issue()
    done = gongji(
        reachable_path,
        "up",
        GONGJI_TLS_CERT=str(put(reachable_path / "server.pem", own.pem)),
        GONGJI_TLS_KEY=str(put(reachable_path / "server.key", own.key)),
    )
    assert done.returncode == 2
    assert done.stderr.startswith("gongji: GONGJI_GATEWAY_CA: ")


def test_up_serves_people_by_its_gateway_over_tls(database: Database, tmp_path: Path) -> None:
    authority, signer = Authority(), Signer("key-1")
    own, gateway = authority.issue(), authority.issue("gongji:gateway")
    contents = {
        "TLS_CERT": own.pem,
        "TLS_KEY": own.key,
        "TLS_CLIENT_CA": authority.pem,
        "TLS_CRL": authority.list(),
        "GATEWAY_CA": authority.pem,
        "GATEWAY_CERT": gateway.pem,
        "GATEWAY_KEY": gateway.key,
        "JWKS": key_set(signer.public),
    }
    files = {f"GONGJI_{name}": str(put(tmp_path / name, kept)) for name, kept in contents.items()}
    provider = {"GONGJI_JWT_ISSUER": ISSUER, "GONGJI_JWT_AUDIENCE": AUDIENCE}
    with gongji_of(database, tmp_path, "up", **files, **provider) as process:
        assert process.stdout is not None
        web = next(line for line in process.stdout if "serves the web on" in line).split()[-1]
        for signed, status in ((signer, 200), (Signer("key-1"), 401)):
            headers = {"authorization": f"Bearer {signed.token()}"}
            answer = httpx.get(f"{web}/v1/policies/150900", headers=headers, timeout=30)
            assert answer.status_code == status
        process.terminate()
        assert process.wait(60) == 0
    assert not (tmp_path / "development-token.key").exists()
