"""`gongji up`: everything on this machine: database, schema, keys, service and what comes due by
itself; with --demo, people.
"""

import argparse
import secrets
from contextlib import AbstractContextManager, ExitStack
from datetime import timedelta

from rich.console import Console

from gongji_svc import logs, regions
from gongji_svc.commands import UsageError
from gongji_svc.commands.gateway import Web, check_http_port_free, check_ways, serving
from gongji_svc.commands.metrics_port import check_metrics_ports, looked_at
from gongji_svc.commands.serve import (
    check_entrance,
    check_port_free,
    front_settings,
    wait_for_signal,
)
from gongji_svc.config import Config
from gongji_svc.demo.bureau import Bureau
from gongji_svc.demo.clock import day_argument, offset_to
from gongji_svc.demo.identity import PATH, IdentityProvider
from gongji_svc.demo.loading import DemoFamilies, load
from gongji_svc.demo.people import known
from gongji_svc.demo.purchase import Basket, buy, print_receipt
from gongji_svc.domain.access import Caller, Role
from gongji_svc.services.identity import development_key, issue_token
from gongji_svc.services.office import Office
from gongji_svc.services.tax_endpoint import KEY_BYTES, configured_endpoint
from gongji_svc.signals import spans_to
from gongji_svc.signals.requests import Requests
from gongji_svc.storage.database import Database
from gongji_svc.storage.keycheck import check_keys, has_keys
from gongji_svc.storage.keyfile import made_keys
from gongji_svc.storage.sealing import KeyRing, Sealer
from gongji_svc.upkeep import working
from gongji_svc.workers import Workers

_TOKEN_SECONDS = 300


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What else to bring up."""
    parser.add_argument(
        "--demo", action="store_true", help="with families of the three seed regions"
    )
    parser.add_argument(
        "--purchase",
        action="store_true",
        help="with --demo: make one sample pharmacy purchase and print its receipt",
    )
    parser.add_argument(
        "--date", type=day_argument, default=None, help="with --demo: start the clock on YYYY-MM-DD"
    )


def run(args: argparse.Namespace, config: Config) -> int:
    """Bring everything up and keep serving until SIGTERM or Ctrl-C."""
    if (args.purchase or args.date) and not args.demo:
        raise UsageError("--purchase and --date go with --demo")
    if args.demo:
        _check_alone(config)
    logs.configure("up")
    offset = offset_to(args.date)
    check_entrance(config)
    check_ways(config)
    check_port_free(config)
    check_http_port_free(config)
    check_metrics_ports(config, config.workers + 1)
    told = configured_endpoint(config)
    with Database.open(config) as database:
        database.migrate()
        keys = made_keys(config, may_make=not has_keys(database))
        check_keys(database, keys)
        demo = _load_demo(database, keys, offset) if args.demo else None
        settings = front_settings(config, database, keys, offset.total_seconds())
        with ExitStack() as stack:
            tax = stack.enter_context(_bureau(config)).endpoint if args.demo else told
            office = Office(database, regions.load(), Sealer(keys), offset, config.seal_file, tax)
            workers = stack.enter_context(Workers(settings.dump(), config.workers))
            work = stack.enter_context(working(office))
            requests = Requests(spans_to(config.traces, "gateway"))
            own = looked_at(config, [work, requests], number=config.workers, ails=work.ails)
            stack.enter_context(own)
            web = stack.enter_context(_web(config, demo, requests))
            print(f"gongji serves gRPC on {config.grpc_listen}; Ctrl-C ends it", flush=True)
            print(f"gongji serves the web on {web.url}", flush=True)
            if demo is not None and args.purchase:
                _purchase(demo.sample, config, offset)
            wait_for_signal(workers.processes)
    return 0


def _check_alone(config: Config) -> None:
    """UsageError unless the demo keeps to itself: its people are not real, nor are its tokens."""
    if config.tax_url:
        raise UsageError(
            "GONGJI_TAX_URL: unset it: --demo brings a tax bureau of its own, and nobody else "
            "should hear of its people"
        )
    if config.oidc_issuer:
        raise UsageError(
            "GONGJI_OIDC_ISSUER: unset it: --demo brings an identity provider of its own, which "
            "believes everybody"
        )
    if config.jwks or config.tls_cert:
        raise UsageError(
            "GONGJI_JWKS, GONGJI_TLS_CERT: unset them: --demo has development tokens, in plain text"
        )


def _load_demo(database: Database, keys: KeyRing, offset: timedelta) -> DemoFamilies:
    """Put the demo's families in, by the services' own calls."""
    office = Office(database, regions.load(), Sealer(keys), offset)
    try:
        return load(office)
    finally:
        office.close()


def _bureau(config: Config) -> Bureau:
    """The tax bureau of the demo, which answers here what it is told."""
    key = development_key(config.data_dir)

    def token(region: str) -> str:
        return issue_token(key, Caller(Role.TAX, region, "demo"), _TOKEN_SECONDS)

    return Bureau(secrets.token_bytes(KEY_BYTES), str(config.grpc_listen), token)


def _web(
    config: Config, demo: DemoFamilies | None, requests: Requests
) -> AbstractContextManager[Web]:
    """The gateway; for the demo's people with an identity provider that believes them."""
    if demo is None:
        return serving(config, signals=requests)
    key = development_key(config.data_dir)
    provider = IdentityProvider(key, config.oidc_client_id, list(known(demo.people)))
    return serving(config, issuer=PATH, also=[provider.mount()], signals=requests)


def _purchase(basket: Basket, config: Config, offset: timedelta) -> None:
    """Buy the sample basket as a till does, and print the receipt."""
    till = Caller(Role.POS, basket.institution_code)
    token = issue_token(development_key(config.data_dir), till, _TOKEN_SECONDS)
    print_receipt(buy(basket, str(config.grpc_listen), token, offset), Console())
