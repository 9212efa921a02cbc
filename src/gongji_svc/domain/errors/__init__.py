"""Every refusal of the domain, by one name: `from gongji_svc.domain.errors import ...`.

Rule: a refusal is a class; its docstring is its message, its name is its reason. What it becomes
on the wire is decided in `services/status.py`, never here.
"""

# One import for whoever refuses; each module holds the refusals of one service.
from gongji_svc.domain.errors.account import *  # noqa: F403 - all of them
from gongji_svc.domain.errors.binding import *  # noqa: F403 - all of them
from gongji_svc.domain.errors.general import *  # noqa: F403 - all of them
from gongji_svc.domain.errors.payment import *  # noqa: F403 - all of them
from gongji_svc.domain.errors.refusal import Refusal as Refusal
from gongji_svc.domain.errors.refusal import Violation as Violation
from gongji_svc.domain.errors.refusal import refusals as refusals
from gongji_svc.domain.errors.settlement import *  # noqa: F403 - all of them
