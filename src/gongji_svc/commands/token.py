"""`gongji token`: a development token."""

import argparse

from gongji_svc.config import Config
from gongji_svc.domain.access import Caller, Role
from gongji_svc.services.identity import development_key, issue_token

_DAY_SECONDS = 86_400


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whom the token is for."""
    parser.add_argument("--role", required=True, choices=[role.value for role in Role])
    parser.add_argument(
        "--subject", required=True, help="institution code, person id or region, by role"
    )
    parser.add_argument("--actor", default="", help="the member of staff behind the call")
    parser.add_argument("--lifetime-seconds", type=int, default=_DAY_SECONDS)
    parser.epilog = 'Send it as the metadata "authorization: Bearer TOKEN".'


def run(args: argparse.Namespace, config: Config) -> int:
    """Print a token signed with this installation's development key."""
    caller = Caller(Role(args.role), args.subject, args.actor)
    print(issue_token(development_key(config.data_dir), caller, args.lifetime_seconds))
    return 0
