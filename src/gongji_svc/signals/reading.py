"""Reads what a process tells on its metrics port, for people at a terminal.

Rule: whoever does not answer at once is not there.
"""

import http.client
from collections import defaultdict

from prometheus_client.parser import text_string_to_metric_families

from gongji_svc.config import Address
from gongji_svc.signals.catalogue import CATALOGUE

_SECONDS = 2.0
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - an address to read, not a socket


def read_port(address: Address) -> dict[str, float]:
    """The figures of the process there, in their order: of a histogram how often and how long in
    the mean, of all else the sums, by label where it is one alone; empty when nobody answers.
    """
    found: defaultdict[str, float] = defaultdict(float)
    for family in text_string_to_metric_families(_text(address)):
        for sample in family.samples:
            if sample.name.endswith(("_bucket", "_created")):
                continue
            name = sample.name
            by = list(sample.labels.values())
            found[f"{name} {by[0]}" if len(by) == 1 else name] += sample.value
    return _shortened(found)


def _shortened(found: dict[str, float]) -> dict[str, float]:
    """Means in place of sums."""
    short: dict[str, float] = {}
    for name, value in found.items():
        whole, _, label = name.partition(" ")
        about = f" {label}" if label else ""
        family = whole.removesuffix("_sum").removesuffix("_count")
        is_histogram = family in CATALOGUE and CATALOGUE[family].kind == "histogram"
        if not is_histogram:
            short[name] = value
        elif whole.endswith("_count") and value:
            short[f"{family}{about}, mean"] = found[f"{family}_sum{about}"] / value
    return short


def _text(address: Address) -> str:
    connection = http.client.HTTPConnection(
        _ANYWHERE.get(address.host, address.host), address.port, timeout=_SECONDS
    )
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        return answer.read().decode() if answer.status == http.HTTPStatus.OK else ""
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()
