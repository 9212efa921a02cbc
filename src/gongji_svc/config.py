"""The settings of every process: the only reader of the environment.

Rule: every setting has a default that works on one machine; a wrong value names its variable and
the remedy; a variable that this release does not know how to honour is refused, never ignored.
"""

import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import urlsplit

from gongji_svc.domain.limits import Limits

_T = TypeVar("_T")

_PSYCOPG_PREPARE_THRESHOLD = 5  # psycopg's own default: prepared at the sixth execution
_MAX_PORT = 65535
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_MAX_WORKERS = 256


class ConfigurationError(Exception):
    """A setting is wrong; the message names the variable and the remedy."""


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a TCP port to listen on; `str()` gives HOST:PORT."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether nobody else's machine can come between."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def plus(self, number: int) -> "Address":
        """The address so many ports further."""
        return Address(self.host, self.port + number)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address in HOST:PORT; ValueError, with the remedy, when it is none."""
        host, _, port = text.rpartition(":")
        if not (host and port.isascii() and port.isdigit() and int(port) <= _MAX_PORT):
            raise ValueError(f"{text!r} is not an address: write HOST:PORT, like 127.0.0.1:50051")
        return cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting, checked. Addresses of databases and keys are secrets and stay out of repr."""

    data_dir: Path
    database_url: str | None = field(default=None, repr=False)  # None: the embedded PostgreSQL
    database_direct_url: str | None = field(default=None, repr=False)  # LISTEN, past a pooler
    migrate_url: str | None = field(default=None, repr=False)  # the owner's role
    prepare_threshold: int | None = _PSYCOPG_PREPARE_THRESHOLD  # None: never prepare (PgBouncer)
    grpc_listen: Address = Address("127.0.0.1", 50051)
    http_listen: Address = Address("127.0.0.1", 8080)
    workers: int = 1  # a worker is one front with its writer processes
    data_key: str | None = field(default=None, repr=False)
    seal_file: Path | None = None  # where sealed blocks are told; from_environment always names one
    tax_url: str | None = None  # where premiums are told to the tax authority; None: they wait
    tax_key: Path | None = None  # the file of the key that signs what is told
    oidc_issuer: str = ""  # who signs people in to the web client; empty: nobody
    oidc_client_id: str = "gongji-web"
    tls_cert: Path | None = None  # of the gRPC port, with its chain; None: plain text
    tls_key: Path | None = None
    tls_client_ca: Path | None = None  # who issues certificates to tills, platforms and gateways
    tls_crl: Path | None = None  # which of them were taken back
    gateway_ca: Path | None = None  # who issued the certificate that the gateway expects
    gateway_cert: Path | None = None  # what the gateway shows
    gateway_key: Path | None = None
    plaintext: bool = False  # without TLS off loopback too
    jwks: str = ""  # the identity provider's keys, a file or an address; empty: development tokens
    jwt_issuer: str = ""
    jwt_audience: str = ""
    metrics_listen: Address | None = None  # /metrics and /healthz; None: nowhere
    traces: str = ""  # where spans go by OTLP over HTTP; empty: there are none
    limits: Limits = field(default_factory=Limits)  # what each caller may ask, and how often

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read and check every GONGJI_ variable; an empty one counts as not set."""
        settings = {name: value.strip() for name, value in environ.items() if value.strip()}
        _refuse_unknown(settings)

        def read(name: str, parse: Callable[[str], _T], default: _T) -> _T:
            if name not in settings:
                return default
            try:
                return parse(settings[name])
            except ValueError as error:
                raise ConfigurationError(f"{name}: {error}") from error

        none: str | None = None
        no_file: Path | None = None
        no_address: Address | None = None
        prepare: int | None = _PSYCOPG_PREPARE_THRESHOLD
        data_dir = read("GONGJI_DATA_DIR", _folder, _default_data_dir(settings))
        config = cls(
            data_dir=data_dir,
            database_url=read("GONGJI_DATABASE_URL", _database_url, none),
            database_direct_url=read("GONGJI_DATABASE_DIRECT_URL", _database_url, none),
            migrate_url=read("GONGJI_MIGRATE_URL", _database_url, none),
            prepare_threshold=read("GONGJI_PREPARE_THRESHOLD", _prepare_threshold, prepare),
            grpc_listen=read("GONGJI_GRPC_LISTEN", Address.parse, Address("127.0.0.1", 50051)),
            http_listen=read("GONGJI_HTTP_LISTEN", Address.parse, Address("127.0.0.1", 8080)),
            workers=read("GONGJI_WORKERS", _workers, max(1, (os.cpu_count() or 1) // 2)),
            data_key=settings.get("GONGJI_DATA_KEY"),
            seal_file=read("GONGJI_SEAL_FILE", _file, data_dir / "seals.jsonl"),
            tax_url=read("GONGJI_TAX_URL", _tax_url, none),
            tax_key=read("GONGJI_TAX_KEY", _file, no_file),
            oidc_issuer=read("GONGJI_OIDC_ISSUER", _issuer, ""),
            oidc_client_id=settings.get("GONGJI_OIDC_CLIENT_ID", "gongji-web"),
            tls_cert=read("GONGJI_TLS_CERT", _file, no_file),
            tls_key=read("GONGJI_TLS_KEY", _file, no_file),
            tls_client_ca=read("GONGJI_TLS_CLIENT_CA", _file, no_file),
            tls_crl=read("GONGJI_TLS_CRL", _file, no_file),
            gateway_ca=read("GONGJI_GATEWAY_CA", _file, no_file),
            gateway_cert=read("GONGJI_GATEWAY_CERT", _file, no_file),
            gateway_key=read("GONGJI_GATEWAY_KEY", _file, no_file),
            plaintext=read("GONGJI_PLAINTEXT", _plaintext, False),
            jwks=read("GONGJI_JWKS", _jwks, ""),
            jwt_issuer=settings.get("GONGJI_JWT_ISSUER", ""),
            jwt_audience=settings.get("GONGJI_JWT_AUDIENCE", ""),
            metrics_listen=read("GONGJI_METRICS_LISTEN", Address.parse, no_address),
            traces=read("GONGJI_TRACES", _traces, ""),
            limits=read("GONGJI_LIMITS", Limits.parse, Limits()),
        )
        _refuse_halves(config)
        return config


_KNOWN = {
    "GONGJI_DATABASE_URL", "GONGJI_DATABASE_DIRECT_URL", "GONGJI_MIGRATE_URL", "GONGJI_DATA_DIR",
    "GONGJI_PREPARE_THRESHOLD", "GONGJI_GRPC_LISTEN", "GONGJI_HTTP_LISTEN", "GONGJI_WORKERS",
    "GONGJI_DATA_KEY", "GONGJI_SEAL_FILE", "GONGJI_TAX_URL", "GONGJI_TAX_KEY",
    "GONGJI_OIDC_ISSUER", "GONGJI_OIDC_CLIENT_ID", "GONGJI_PLAINTEXT",
    "GONGJI_TLS_CERT", "GONGJI_TLS_KEY", "GONGJI_TLS_CLIENT_CA", "GONGJI_TLS_CRL",
    "GONGJI_GATEWAY_CA", "GONGJI_GATEWAY_CERT", "GONGJI_GATEWAY_KEY",
    "GONGJI_JWKS", "GONGJI_JWT_ISSUER", "GONGJI_JWT_AUDIENCE",
    "GONGJI_METRICS_LISTEN", "GONGJI_TRACES", "GONGJI_LIMITS",
}  # fmt: skip


def _refuse_unknown(settings: Mapping[str, str]) -> None:
    for name in sorted(settings):
        if name.startswith("GONGJI_") and name not in _KNOWN:
            raise ConfigurationError(
                f"{name}: no such setting: unset it, or correct its name to one of "
                + ", ".join(sorted(_KNOWN))
            )


def _refuse_halves(config: Config) -> None:
    if config.database_url is None:
        for name, value in (
            ("GONGJI_DATABASE_DIRECT_URL", config.database_direct_url),
            ("GONGJI_MIGRATE_URL", config.migrate_url),
        ):
            if value is not None:
                raise ConfigurationError(f"{name}: set GONGJI_DATABASE_URL as well, or unset this")
    for names, values in (
        ("GONGJI_TAX_URL and GONGJI_TAX_KEY", (config.tax_url, config.tax_key)),
        ("GONGJI_TLS_CERT and GONGJI_TLS_KEY", (config.tls_cert, config.tls_key)),
        ("GONGJI_GATEWAY_CERT and GONGJI_GATEWAY_KEY", (config.gateway_cert, config.gateway_key)),
        (
            "GONGJI_JWKS, GONGJI_JWT_ISSUER and GONGJI_JWT_AUDIENCE",
            (config.jwks, config.jwt_issuer, config.jwt_audience),
        ),
    ):
        if any(values) and not all(values):
            remedy = "both, or neither" if len(values) == 2 else "all three, or none"
            raise ConfigurationError(f"{names} go together: set {remedy}")
    for name, file, needed, other in (
        ("GONGJI_TLS_CLIENT_CA", config.tls_client_ca, config.tls_cert, "GONGJI_TLS_CERT"),
        ("GONGJI_TLS_CRL", config.tls_crl, config.tls_client_ca, "GONGJI_TLS_CLIENT_CA"),
        ("GONGJI_GATEWAY_CERT", config.gateway_cert, config.gateway_ca, "GONGJI_GATEWAY_CA"),
    ):
        if file is not None and needed is None:
            raise ConfigurationError(f"{name}: set {other} as well, or unset this")


def _default_data_dir(settings: Mapping[str, str]) -> Path:
    """Root's data lies where PostgreSQL's unprivileged account can reach it, never below /root."""
    if os.geteuid() == 0:
        return Path("/var/lib/gongji")
    shared = settings.get("XDG_DATA_HOME", "")
    # The XDG specification has relative values ignored.
    home = Path(shared) if shared.startswith("/") else Path.home() / ".local" / "share"
    return home / "gongji"


def _folder(text: str) -> Path:
    path = Path(text).expanduser()
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is not a folder: name a folder")
    return path.absolute()


def _file(text: str) -> Path:
    path = Path(text).expanduser()
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name a file")
    return path.absolute()


def _database_url(text: str) -> str:
    example = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"
    scheme = urlsplit(text).scheme
    if scheme not in {"postgresql", "postgres"}:
        raise ValueError(f"not an address of a PostgreSQL database: write it like {example}")
    return text.replace(f"{scheme}://", "postgresql://", 1)


def _tax_url(text: str) -> str:
    if _is_safe_url(text):
        return text
    raise ValueError(
        "not an address that premiums can be told to: write https://HOST/PATH, or "
        "http://127.0.0.1:PORT/PATH for this machine, with nothing after the path"
    )


def _issuer(text: str) -> str:
    if _is_safe_url(text):
        return text
    raise ValueError(
        "not an OpenID Connect issuer: write https://HOST or https://HOST/PATH as it calls itself"
    )


def _jwks(text: str) -> str:
    if "://" not in text:
        return str(_file(text))
    if _is_safe_url(text):
        return text
    raise ValueError("not where keys can be had: write https://HOST/PATH, or the path of a file")


def _plaintext(text: str) -> bool:
    if text == "allow":
        return True
    raise ValueError("write allow, where something else keeps what is sent from being read")


def _is_safe_url(text: str) -> bool:
    parts = urlsplit(text)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    is_plain = not (parts.query or parts.fragment or parts.username) and parts.port != 0
    return bool(is_safe and is_plain and parts.hostname and text.isascii() and text.isprintable())


def _prepare_threshold(text: str) -> int | None:
    if text.lower() == "none":
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    raise ValueError(f"{text!r} is not a count: write a whole number, or none behind PgBouncer")


def _traces(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme in {"http", "https"} and parts.hostname and not parts.username:
        return text
    raise ValueError("not where spans are taken by OTLP: write http://HOST:4318/v1/traces")


def _workers(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= _MAX_WORKERS:
        return int(text)
    raise ValueError(f"{text!r} is not a count of workers: write a number from 1 to {_MAX_WORKERS}")
