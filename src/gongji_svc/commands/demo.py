"""`gongji demo`: shows a family at work, in what `gongji up --demo` serves."""

import argparse
from datetime import UTC, date, datetime

import grpc
from rich.console import Console

from gongji_svc import regions
from gongji_svc.commands import UsageError
from gongji_svc.config import Config
from gongji_svc.demo import data
from gongji_svc.demo.clock import day_argument, offset_to
from gongji_svc.demo.premium import App, OtherDay, WindowClosed, print_steps
from gongji_svc.domain.access import Caller
from gongji_svc.domain.calendar import day_of
from gongji_svc.domain.errors import PolicyNotInForce
from gongji_svc.domain.policy import Policy
from gongji_svc.services.identity import development_key, issue_token

_TOKEN_SECONDS = 300


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to show."""
    parser.add_argument(
        "what", choices=["premium"], help="a donor binds a relative and pays the year's premium"
    )
    parser.add_argument(
        "--date", type=day_argument, default=None, help="the day that `gongji up` was given"
    )


def run(args: argparse.Namespace, config: Config) -> int:
    """Go through the steps by gRPC, and print them; 1 when the service refuses one."""
    if config.jwks or config.tls_cert:
        raise UsageError("GONGJI_JWKS, GONGJI_TLS_CERT: unset them, as for `gongji up --demo`")
    now = datetime.now(UTC) + offset_to(args.date)
    key = development_key(config.data_dir)

    def token(caller: Caller) -> str:
        return issue_token(key, caller, _TOKEN_SECONDS)

    policy = _policy(day_of(now))
    with grpc.insecure_channel(str(config.grpc_listen)) as channel:
        try:
            print_steps(App(channel, token).go(policy, now), Console())
        except OtherDay as other:
            raise UsageError(
                f"--date: the service's clock stands on {other}, not on {day_of(now)}: give the "
                "day that `gongji up --demo` was given, or none where it was given none"
            ) from other
        except WindowClosed as closed:
            print(f"no premium can be paid on {day_of(now)}; the windows are {closed}")
            return 1
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                raise UsageError(
                    f"nothing answers on {config.grpc_listen}: start `gongji up --demo` in another "
                    "terminal, with the same settings"
                ) from error
            print(f"the service refuses: {error.details()}")
            return 1
    return 0


def _policy(day: date) -> Policy:
    try:
        return regions.load().on(data.HOHHOT, day)
    except PolicyNotInForce as refusal:
        raise UsageError(f"--date: {refusal}") from refusal
