"""`gongji gateway`: HTTP, and the web client, beside a running gRPC service."""

import argparse
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from gateway.app import Settings, make_app
from gateway.connections import Connection
from gateway.tls import Tls, Unusable
from gongji_svc import logs
from gongji_svc.commands import UsageError
from gongji_svc.commands.metrics_port import looked_at
from gongji_svc.commands.serve import check_free, check_plaintext, wait_for_signal
from gongji_svc.config import Address, Config
from gongji_svc.signals import spans_to
from gongji_svc.signals.requests import Requests

_SETTING = "GONGJI_HTTP_LISTEN"
_STOP_SECONDS = 3  # for answers under way; streams end at once
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - an address to read, not a socket


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`gongji gateway` takes its settings from the environment."""
    parser.epilog = (
        "GONGJI_GRPC_LISTEN says where the gRPC service is, GONGJI_OIDC_ISSUER who signs people in."
    )


def run(args: argparse.Namespace, config: Config) -> int:  # noqa: ARG001  # commands take both
    """Serve until SIGTERM or Ctrl-C."""
    logs.configure("gateway")
    check_ways(config)
    check_http_port_free(config)
    signals = Requests(spans_to(config.traces, "gateway"))
    with looked_at(config, [signals]), serving(config, signals=signals) as web:
        print(f"gongji serves the web on {web.url}", flush=True)
        wait_for_signal(web.thread.is_alive)
    return 0


def check_ways(config: Config) -> None:
    """UsageError when the gateway would not find the gRPC service, or somebody could listen."""
    check_plaintext(
        config, _SETTING, config.http_listen, "listen on 127.0.0.1, behind a proxy that does TLS"
    )
    if config.gateway_ca is None:
        core = _reachable(config.grpc_listen)
        check_plaintext(config, "GONGJI_GRPC_LISTEN", core, "set GONGJI_GATEWAY_CA")
        if config.tls_cert is not None:
            raise UsageError(
                "GONGJI_GATEWAY_CA: name the file of who issued the certificate in "
                "GONGJI_TLS_CERT: without it the gateway can't know the service"
            )


def check_http_port_free(config: Config) -> None:
    """UsageError when something listens on the gateway's port."""
    check_free(_SETTING, config.http_listen)


@dataclass(frozen=True, slots=True)
class Web:
    """A gateway that serves, in a thread of this process."""

    url: str
    thread: threading.Thread


def serving(
    config: Config,
    *,
    issuer: str = "",
    also: Iterable[BaseRoute] = (),
    signals: Requests | None = None,
) -> AbstractContextManager[Web]:
    """A gateway until the end of the block; `issuer` and `also` are those of an identity provider
    that it serves itself, `signals` hears of its requests.
    """
    settings = Settings(
        core=str(_reachable(config.grpc_listen)),
        tls=(
            Tls(config.gateway_ca, config.gateway_cert, config.gateway_key)
            if config.gateway_ca
            else None
        ),
        issuer=issuer or config.oidc_issuer,
        client_id=config.oidc_client_id,
    )
    try:
        app = make_app(settings, also, signals)
    except Unusable as wrong:
        raise UsageError(f"GONGJI_GATEWAY_CA, _CERT and _KEY: {wrong}") from wrong
    return listening(app, config.http_listen)


@contextmanager
def listening(app: Starlette, address: Address) -> Iterator[Web]:
    """An application of the gateway's on `address` until the end of the block."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            log_config=None,
            log_level="critical",  # gateway/observing.py tells
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_STOP_SECONDS,
        )
    )
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.create_server((address.host, address.port), family=family) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), name="gateway")
        thread.start()
        port = int(listener.getsockname()[1])
        try:
            yield Web(f"http://{_reachable(Address(address.host, port))}", thread)
        finally:
            server.should_exit = True
            thread.join()


def _reachable(address: Address) -> Address:
    """Where a client on this machine finds what listens on `address`."""
    return Address(_ANYWHERE.get(address.host, address.host), address.port)
