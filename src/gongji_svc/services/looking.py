"""Reads that go through the engine's own steps.

Rule: what a command would find is answered from what a command gathers; nothing is locked and
nothing is written, but for what is recorded of a refusal, and what `then` keeps of an answer.
`found` is asked first, and may refuse to tell.
"""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from google.protobuf.message import Message

from gongji_svc.domain.access import Caller
from gongji_svc.domain.errors import Refusal
from gongji_svc.engine import Answered, Command, Fault
from gongji_svc.services.asked import Asked
from gongji_svc.services.contract import method_of
from gongji_svc.services.office import Office

_LOOK_SECONDS = 30.0

Looked = TypeVar("Looked", bound=Command)


def looked(
    service: str,
    name: str,
    read: Callable[[Office, Asked], Looked],
    then: Callable[[Office, Looked], None] | None = None,
    found: Callable[[Office, Looked], None] | None = None,
) -> Callable[..., Message]:
    """A read that answers what the command in its request would; its refusal is raised, or that of
    `then`, which is told of what will be answered.
    """
    method = method_of(service, name)

    def answer(office: Office, caller: Caller, message: Any) -> Message:
        asked = Asked(method, caller, message, time.time() + _LOOK_SECONDS)
        command = read(office, asked)
        outcome = office.preview(command)
        if found is not None:
            found(office, command)
        if isinstance(outcome, Refusal) and outcome.records:
            outcome = office.run(command)  # decided again under lock, and recorded
        if isinstance(outcome, Answered):
            if then is not None:
                then(office, command)
            return method.response.FromString(outcome.answer)
        raise outcome.cause if isinstance(outcome, Fault) else outcome

    return answer
