"""The settings of every process: the only reader of the environment.

Rule: every setting has a default that works on one machine; a wrong value names its variable and
the remedy; a variable that this release does not know how to honour is refused, never ignored.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import urlsplit

_T = TypeVar("_T")

# Known names whose feature is not part of this release.
_NOT_HONOURED = {
    "GONGJI_TLS_CERT": "TLS",
    "GONGJI_TLS_KEY": "TLS",
    "GONGJI_TLS_CLIENT_CA": "mutual TLS",
    "GONGJI_JWKS": "tokens signed by an identity provider",
}
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
    workers: int = 1  # a worker is one front with its writer process
    data_key: str | None = field(default=None, repr=False)
    seal_file: Path | None = None  # where sealed blocks are told; from_environment always names one
    tax_url: str | None = None  # where premiums are told to the tax authority; None: they wait
    tax_key: Path | None = None  # the file of the key that signs what is told
    oidc_issuer: str = ""  # who signs people in to the web client; empty: nobody
    oidc_client_id: str = "gongji-web"

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
        prepare: int | None = _PSYCOPG_PREPARE_THRESHOLD
        data_dir = read("GONGJI_DATA_DIR", _folder, _default_data_dir(settings))
        config = cls(
            data_dir=data_dir,
            database_url=read("GONGJI_DATABASE_URL", _database_url, none),
            database_direct_url=read("GONGJI_DATABASE_DIRECT_URL", _database_url, none),
            migrate_url=read("GONGJI_MIGRATE_URL", _database_url, none),
            prepare_threshold=read("GONGJI_PREPARE_THRESHOLD", _prepare_threshold, prepare),
            grpc_listen=read("GONGJI_GRPC_LISTEN", _address, Address("127.0.0.1", 50051)),
            http_listen=read("GONGJI_HTTP_LISTEN", _address, Address("127.0.0.1", 8080)),
            workers=read("GONGJI_WORKERS", _workers, max(1, (os.cpu_count() or 1) // 2)),
            data_key=settings.get("GONGJI_DATA_KEY"),
            seal_file=read("GONGJI_SEAL_FILE", _file, data_dir / "seals.jsonl"),
            tax_url=read("GONGJI_TAX_URL", _tax_url, none),
            tax_key=read("GONGJI_TAX_KEY", _file, no_file),
            oidc_issuer=read("GONGJI_OIDC_ISSUER", _issuer, ""),
            oidc_client_id=settings.get("GONGJI_OIDC_CLIENT_ID", "gongji-web"),
        )
        _refuse_halves(config)
        return config


_KNOWN = {
    "GONGJI_DATABASE_URL", "GONGJI_DATABASE_DIRECT_URL", "GONGJI_MIGRATE_URL", "GONGJI_DATA_DIR",
    "GONGJI_PREPARE_THRESHOLD", "GONGJI_GRPC_LISTEN", "GONGJI_HTTP_LISTEN", "GONGJI_WORKERS",
    "GONGJI_DATA_KEY", "GONGJI_SEAL_FILE", "GONGJI_TAX_URL", "GONGJI_TAX_KEY",
    "GONGJI_OIDC_ISSUER", "GONGJI_OIDC_CLIENT_ID",
}  # fmt: skip


def _refuse_unknown(settings: Mapping[str, str]) -> None:
    for name in sorted(settings):
        if name in _NOT_HONOURED:
            raise ConfigurationError(
                f"{name}: this release does not offer {_NOT_HONOURED[name]} yet: unset it, and "
                "serve on loopback or behind a proxy that does"
            )
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
    if (config.tax_url is None) != (config.tax_key is None):
        raise ConfigurationError(
            "GONGJI_TAX_URL and GONGJI_TAX_KEY go together: set both, or neither"
        )


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


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and int(port) <= _MAX_PORT):
        raise ValueError(f"{text!r} is not an address: write HOST:PORT, like 127.0.0.1:50051")
    return Address(host.strip("[]"), int(port))


def _workers(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= _MAX_WORKERS:
        return int(text)
    raise ValueError(f"{text!r} is not a count of workers: write a number from 1 to {_MAX_WORKERS}")
