"""The request to the tax authority: its page, its signature, its key and whom it believes."""

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gongji_svc.config import Config
from gongji_svc.services.tax_endpoint import (
    Heard,
    TaxEndpoint,
    configured_endpoint,
    deliver,
    signature,
)
from gongji_svc.storage.sealing import KeyFileInvalid

_PAGE = (Path(__file__).parents[2] / "docs" / "tax-bureau.md").read_text(encoding="utf-8")
_KEY = bytes(range(32))


def blocks(page: str) -> list[str]:
    """The code blocks of the page, in order."""
    return [part.partition("\n")[2].removesuffix("\n") for part in page.split("```")[1::2]]


def test_the_pages_example_has_the_signature_that_it_says() -> None:
    key, body, told, *_ = blocks(_PAGE)
    assert "`/premiums`" in _PAGE
    assert "`1760500800`" in _PAGE
    assert signature(bytes.fromhex(key), "/premiums", "1760500800", body.encode()) == told


@pytest.mark.parametrize(
    ("path", "timestamp", "body"),
    [("/other", "1", b"{}"), ("/premiums", "2", b"{}"), ("/premiums", "1", b"{ }")],
)
def test_the_signature_covers_path_time_and_body(path: str, timestamp: str, body: bytes) -> None:
    assert signature(_KEY, path, timestamp, body) != signature(_KEY, "/premiums", "1", b"{}")


def configured(key_file: Path) -> Config:
    return Config.from_environment(
        {"GONGJI_TAX_URL": "https://tax.example/premiums", "GONGJI_TAX_KEY": str(key_file)}
    )


def test_the_key_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "tax.key").write_text(_KEY.hex() + "\n")
    endpoint = configured_endpoint(configured(tmp_path / "tax.key"))
    assert endpoint == TaxEndpoint("https://tax.example/premiums", _KEY)
    assert _KEY.hex() not in repr(endpoint)
    assert repr(_KEY) not in repr(endpoint)


@pytest.mark.parametrize("text", ["", "00" * 31, "00" * 33, "zz" * 32, "\xff"])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "tax.key").write_text(text, encoding="latin-1")
    with pytest.raises(KeyFileInvalid, match="64 hexadecimal digits"):
        configured_endpoint(configured(tmp_path / "tax.key"))


def test_a_key_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileInvalid, match=r"^GONGJI_TAX_KEY: .*tax\.key can't be read"):
        configured_endpoint(configured(tmp_path / "tax.key"))


def test_without_an_address_there_is_no_endpoint() -> None:
    assert configured_endpoint(Config.from_environment({})) is None


@pytest.fixture
def strangers_port(tmp_path: Path) -> Iterator[int]:
    """The port of an HTTPS server whose certificate nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "both.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # it is told too
        server.socket = context.wrap_socket(server.socket, server_side=True)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield server.server_port
        server.shutdown()
        serving.join()


def test_a_bureau_that_nobody_vouches_for_hears_nothing(strangers_port: int) -> None:
    endpoint = TaxEndpoint(f"https://127.0.0.1:{strangers_port}/premiums", _KEY)
    delivery = deliver(endpoint, uuid4(), b"{}")
    assert delivery.heard is Heard.UNKNOWN
    assert delivery.sign.startswith("SSLCertVerificationError")


def test_an_answer_that_is_no_http_is_an_unknown_outcome(answers_rubbish: int) -> None:
    delivery = deliver(TaxEndpoint(f"http://127.0.0.1:{answers_rubbish}/", _KEY), uuid4(), b"{}")
    assert (delivery.heard, delivery.sign) == (Heard.UNKNOWN, "BadStatusLine")


@pytest.fixture
def answers_rubbish() -> Iterator[int]:
    """The port of a server that speaks no HTTP."""

    class Rubbish(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.wfile.write("赵示例\r\n\r\n".encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Rubbish) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield server.server_port
        server.shutdown()
        serving.join()
