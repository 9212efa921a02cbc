"""Where the tax authority is told of premiums, and how: one signed HTTP request a message.

Rule: the contract is docs/tax-bureau.md. Only a 2xx means taken; a request whose outcome is not
known is sent again with the same key, so the other side hears it at least once and acts once.
Nothing but the status of an answer is read, so no log and no row can repeat what it says of people.
"""

import ssl
import time
from dataclasses import dataclass, field
from enum import Enum
from functools import cache, partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit
from uuid import UUID

from cryptography.hazmat.primitives import hashes, hmac

from gongji_svc.config import Config
from gongji_svc.storage.sealing import KeyFileInvalid

METHOD = "POST"
KEY_BYTES = 32
_NOT_NOW = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}


@dataclass(frozen=True, slots=True)
class TaxEndpoint:
    """Where premiums are told, and the key (32 bytes) that both sides know."""

    url: str
    key: bytes = field(repr=False)
    timeout_seconds: float = 10.0  # to connect, and then for the answer


class Heard(Enum):
    """What became of a message."""

    TAKEN = "taken"
    REFUSED = "refused"  # as it is; somebody must look
    UNKNOWN = "unknown"  # not now, or no answer


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a message, and by which sign."""

    heard: Heard
    sign: str


def configured_endpoint(config: Config) -> TaxEndpoint | None:
    """The endpoint of the settings, None when none is set; KeyFileInvalid for a wrong key file."""
    if config.tax_url is None or config.tax_key is None:
        return None
    try:
        key = bytes.fromhex(config.tax_key.read_text())
    except ValueError:
        key = b""
    except OSError as error:
        raise KeyFileInvalid(
            f"GONGJI_TAX_KEY: {config.tax_key} can't be read: {error.strerror}"
        ) from error
    if len(key) != KEY_BYTES:
        raise KeyFileInvalid(
            f"GONGJI_TAX_KEY: {config.tax_key} must hold {2 * KEY_BYTES} hexadecimal digits"
        )
    return TaxEndpoint(config.tax_url, key)


def signature(key: bytes, path: str, timestamp: str, body: bytes) -> str:
    """HMAC-SM3 in hexadecimal of method, path, timestamp and body, a line each."""
    signing = hmac.HMAC(key, hashes.SM3())
    signing.update(f"{METHOD}\n{path}\n{timestamp}\n".encode() + body)
    return signing.finalize().hex()


def deliver(endpoint: TaxEndpoint, message_id: UUID, body: bytes) -> Delivery:
    """Send one message and say what became of it; waits for some seconds at most."""
    url = urlsplit(endpoint.url)
    path, timestamp = url.path or "/", str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": str(message_id),
        "Gongji-Timestamp": timestamp,
        "Gongji-Signature": signature(endpoint.key, path, timestamp, body),
    }
    make = partial(HTTPSConnection, context=_trusted()) if url.scheme == "https" else HTTPConnection
    connection = make(url.hostname or "", url.port, timeout=endpoint.timeout_seconds)
    try:
        connection.request(METHOD, path, body, headers)
        return _delivery(connection.getresponse().status)
    except OSError as error:
        return Delivery(Heard.UNKNOWN, f"{type(error).__name__}: {error}")
    except HTTPException as error:
        return Delivery(Heard.UNKNOWN, type(error).__name__)
    finally:
        connection.close()


def _delivery(status: int) -> Delivery:
    sign = f"HTTP {status}"
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Delivery(Heard.TAKEN, sign)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _NOT_NOW:
        return Delivery(Heard.UNKNOWN, sign)
    return Delivery(Heard.REFUSED, sign)  # a redirection too: what is signed names the path


@cache
def _trusted() -> ssl.SSLContext:
    """Whom we believe: the system's authorities, or those of SSL_CERT_FILE."""
    return ssl.create_default_context()
