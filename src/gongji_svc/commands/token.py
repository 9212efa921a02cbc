"""`gongji token`: a development token."""

import argparse
import re

from gongji_svc.commands import UsageError
from gongji_svc.config import Config
from gongji_svc.domain.access import Caller, Role
from gongji_svc.services.identity import STAFF, development_key, issue_token
from gongji_svc.storage.ids import parse_id

_DAY_SECONDS = 86_400
_LONGEST_SECONDS = 366 * _DAY_SECONDS
_REGION = re.compile(r"[0-9]{6}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whom the token is for."""
    parser.add_argument("--role", required=True, choices=[role.value for role in Role])
    parser.add_argument(
        "--subject", required=True, help="institution code, person id or region, by role"
    )
    parser.add_argument(
        "--actor", default="", help="the member of staff behind the call; staff: 'development'"
    )
    parser.add_argument("--lifetime-seconds", type=int, default=_DAY_SECONDS)
    parser.epilog = 'Send it as the metadata "authorization: Bearer TOKEN".'


def run(args: argparse.Namespace, config: Config) -> int:
    """Print a token signed with this installation's development key."""
    if config.jwks:
        raise UsageError(
            "GONGJI_JWKS: people and staff get their tokens from the identity provider, tills and "
            "platforms have certificates; a development token would be refused"
        )
    role = Role(args.role)
    _check(role, args.subject, args.lifetime_seconds)
    actor = args.actor or ("development" if role in STAFF else "")
    caller = Caller(role, args.subject, actor)
    print(issue_token(development_key(config.data_dir), caller, args.lifetime_seconds))
    return 0


def _check(role: Role, subject: str, lifetime_seconds: int) -> None:
    """UsageError for a token that no call would accept."""
    if not 1 <= lifetime_seconds <= _LONGEST_SECONDS:
        raise UsageError(f"--lifetime-seconds: from 1 to {_LONGEST_SECONDS}")
    if role is Role.CITIZEN and parse_id(subject) is None:
        raise UsageError("--subject: a citizen is named by a person id, as PutPerson answered it")
    if role in STAFF | {Role.PLATFORM} and not _REGION.fullmatch(subject):
        raise UsageError(f"--subject: for {role} a region of 6 digits, like 150100")
    if not subject:
        raise UsageError("--subject: for pos the code of its institution")
