"""Reads that go through the engine's own steps.

Rule: what a command would find is answered from what a command gathers; nothing is locked and
nothing is written.
"""

import time
from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message

from gongji_svc.domain.access import Caller
from gongji_svc.engine import Answered, Command, Fault
from gongji_svc.services.asked import Asked
from gongji_svc.services.contract import method_of
from gongji_svc.services.office import Office

_LOOK_SECONDS = 30.0


def looked(
    service: str, name: str, read: Callable[[Office, Asked], Command]
) -> Callable[..., Message]:
    """A read that answers what the command in its request would; its refusal is raised."""
    method = method_of(service, name)

    def answer(office: Office, caller: Caller, message: Any) -> Message:
        asked = Asked(method, caller, message, time.time() + _LOOK_SECONDS)
        outcome = office.preview(read(office, asked))
        if isinstance(outcome, Answered):
            return method.response.FromString(outcome.answer)
        raise outcome.cause if isinstance(outcome, Fault) else outcome

    return answer
