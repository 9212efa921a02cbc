"""The port of GONGJI_METRICS_LISTEN, for the commands that open one; no command itself.

Rule: each process of an installation has a port of its own: the fronts of `gongji serve` the one
that is named and those after it, `gongji up` for itself the next one after its fronts'.
"""

import contextlib
from collections.abc import Iterable, Iterator

from gongji_svc.commands import UsageError
from gongji_svc.config import Address, Config
from gongji_svc.signals.catalogue import Figure
from gongji_svc.signals.port import Ails, Port

_SETTING = "GONGJI_METRICS_LISTEN"


def check_metrics_ports(config: Config, count: int) -> None:
    """UsageError unless the port and those after it, `count` in all, can be listened on."""
    for number in range(count):
        with looked_at(config, (), number=number):
            pass


@contextlib.contextmanager
def looked_at(
    config: Config,
    figures: Iterable[Iterable[Figure]],
    *,
    number: int = 0,
    ails: Ails = lambda: "",
) -> Iterator[None]:
    """The port, `number` ports further, until the end of the block; nothing where none is named."""
    if config.metrics_listen is None:
        yield
        return
    address = config.metrics_listen.plus(number)
    try:
        port = Port(address, figures, ails)
    except (OSError, OverflowError) as error:
        raise _taken(address, error) from error
    with port:
        yield


def _taken(address: Address, error: Exception) -> UsageError:
    return UsageError(
        f"{_SETTING}: {address} can't be listened on ({error}): "
        "stop what listens there, or name another port"
    )
