"""A tax bureau as a program: `python -m tests.bureau` beside an installation with development
tokens, told by its arguments how to behave.

Rule: it is the demo's bureau (`gongji_svc.demo.bureau`), on an address and with a key of its own.
"""

import argparse
import signal
import threading
from pathlib import Path

from gongji_svc import logs
from gongji_svc.demo.bureau import Behaviour, Bureau
from gongji_svc.domain.access import Caller, Role
from gongji_svc.services.identity import development_key, issue_token

_TOKEN_SECONDS = 300


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bureau", description=__doc__)
    parser.add_argument("--listen", default="127.0.0.1:8090", help="HOST:PORT of HTTP")
    parser.add_argument("--service", default="127.0.0.1:50051", help="HOST:PORT of gRPC")
    parser.add_argument("--key", type=Path, required=True, help="the file of GONGJI_TAX_KEY")
    parser.add_argument("--data-dir", type=Path, required=True, help="GONGJI_DATA_DIR")
    parser.add_argument("--slow-seconds", type=float, default=0.0, help="answer HTTP so late")
    parser.add_argument("--says", type=int, help="keep nothing and say this status")
    parser.add_argument("--silent", action="store_true", help="never answer by gRPC")
    parser.add_argument("--rejects", action="store_true", help="reject every premium")
    parser.add_argument("--twice", action="store_true", help="answer every premium twice")
    return parser.parse_args()


def main() -> None:
    """Listen until SIGTERM or Ctrl-C."""
    args = _arguments()
    logs.configure("bureau")
    host, _, port = args.listen.rpartition(":")
    tokens = development_key(args.data_dir)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    bureau = Bureau(
        bytes.fromhex(args.key.read_text()),
        args.service,
        lambda region: issue_token(tokens, Caller(Role.TAX, region, "bureau"), _TOKEN_SECONDS),
        listen=(host, int(port)),
        behaviour=Behaviour(
            says=args.says,
            slow_seconds=args.slow_seconds,
            is_silent=args.silent,
            rejects=args.rejects,
            answers_twice=args.twice,
        ),
    )
    with bureau:
        print(f"the bureau listens on {bureau.endpoint.url}", flush=True)  # noqa: T201 - a program
        stopping.wait()


if __name__ == "__main__":
    main()
