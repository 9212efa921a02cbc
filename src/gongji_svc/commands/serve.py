"""`gongji serve`: the gRPC service on a migrated database, until it is told to stop."""

import argparse
import signal
import socket
import threading
from collections.abc import Callable

from gongji_svc import logs
from gongji_svc.commands import UsageError
from gongji_svc.commands.metrics_port import check_metrics_ports
from gongji_svc.config import Address, Config
from gongji_svc.pipe import Settings
from gongji_svc.server import FrontSettings
from gongji_svc.services.entrance import Entrance, TlsFiles
from gongji_svc.services.identity import development_key
from gongji_svc.services.provider import Provider
from gongji_svc.services.watched import Unusable
from gongji_svc.storage import migrate
from gongji_svc.storage.database import Database
from gongji_svc.storage.keycheck import check_keys
from gongji_svc.storage.keyfile import configured_keys
from gongji_svc.storage.sealing import KeyRing
from gongji_svc.workers import Workers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`gongji serve` takes its settings from the environment."""
    parser.epilog = "GONGJI_DATA_KEY names the key file; `gongji up` makes one."


def run(args: argparse.Namespace, config: Config) -> int:  # noqa: ARG001  # commands take both
    """Serve until SIGTERM or Ctrl-C; then drain."""
    logs.configure("serve")
    check_entrance(config)
    keys = configured_keys(config)
    check_port_free(config)
    check_metrics_ports(config, config.workers)
    with Database.open(config) as database:
        with database.reader() as tx:
            migrate.check_schema(tx)
        check_keys(database, keys)
        with Workers(front_settings(config, database, keys).dump(), config.workers) as workers:
            print(f"gongji serves gRPC on {config.grpc_listen}", flush=True)
            wait_for_signal(workers.processes)
    return 0


def check_port_free(config: Config) -> None:
    """UsageError when something listens on our port; the system would let fronts share it."""
    check_free("GONGJI_GRPC_LISTEN", config.grpc_listen)


def check_entrance(config: Config) -> None:
    """UsageError unless callers can come in, and nobody else can listen."""
    if config.tls_cert is None:
        check_plaintext(config, "GONGJI_GRPC_LISTEN", config.grpc_listen, "set GONGJI_TLS_CERT")
    try:
        Entrance(_tls(config), _provider(config), b"")
    except Unusable as wrong:
        raise UsageError(f"TLS and tokens: {wrong}") from wrong


def check_plaintext(config: Config, setting: str, address: Address, instead: str) -> None:
    """UsageError when plain text would leave this machine unasked."""
    if not (address.is_loopback or config.plaintext):
        raise UsageError(
            f"{setting}: {address} is not of this machine alone, and what is sent there could be "
            f"read: {instead}, or GONGJI_PLAINTEXT=allow where something else keeps it from being "
            "read"
        )


def check_free(setting: str, address: Address) -> None:
    """UsageError, naming the setting, when `address` can't be listened on."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as guard:
        # Connections of a service that has just ended don't count; one that listens does.
        guard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            guard.bind((address.host, address.port))
        except OSError as error:
            raise UsageError(
                f"{setting}: {address} can't be listened on ({error.strerror}): "
                "stop what listens there, or name another port"
            ) from error


def front_settings(
    config: Config, database: Database, keys: KeyRing, clock_offset_seconds: float = 0.0
) -> FrontSettings:
    """What each front is told."""
    return FrontSettings(
        listen=str(config.grpc_listen),
        shares_port=config.workers > 1,
        token_key="" if config.jwks else development_key(config.data_dir).decode(),
        writer=Settings(
            database_url=database.runtime_url,
            prepare_threshold=config.prepare_threshold,
            keys=keys.dump(),
            clock_offset_seconds=clock_offset_seconds,
            traces=config.traces,
        ),
        direct_url=database.direct_url,
        tls=_tls(config),
        provider=_provider(config),
        metrics=str(config.metrics_listen or ""),
        limits=config.limits,
    )


def _tls(config: Config) -> TlsFiles | None:
    if config.tls_cert is None:
        return None
    return TlsFiles(
        certificate=str(config.tls_cert),
        key=str(config.tls_key),
        client_ca=str(config.tls_client_ca or ""),
        crl=str(config.tls_crl or ""),
    )


def _provider(config: Config) -> Provider | None:
    return Provider(config.jwks, config.jwt_issuer, config.jwt_audience) if config.jwks else None


def wait_for_signal(is_alive: Callable[[], object]) -> None:
    """Until SIGTERM or Ctrl-C, or until what serves is no longer there."""
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    while is_alive() and not told.wait(1.0):
        pass
