"""What an expression of Prometheus names: metrics, and by which labels it chooses and groups them.

Rule: this reads the few forms that k8s/monitoring uses; a word that it does not know is taken for a
metric, so that nothing passes unread.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gongji_svc.signals.catalogue import CATALOGUE, Described

# Told by others: Prometheus itself, the kubelet.
OTHERS: Mapping[str, frozenset[str]] = {
    "up": frozenset({"job", "pod"}),
    "kubelet_volume_stats_available_bytes": frozenset({"namespace", "persistentvolumeclaim"}),
    "kubelet_volume_stats_capacity_bytes": frozenset({"namespace", "persistentvolumeclaim"}),
}
_TARGET = {"pod", "namespace"}  # what Prometheus itself adds to each sample

_WORDS = {"absent", "and", "by", "histogram_quantile", "increase", "max", "min", "or", "rate"}
_WORDS |= {"sum", "time", "unless"}
_BY = re.compile(r"\bby \(([^)]*)\)")
_SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'([a-z_]+)(=~|!~|!=|=)"([^"]*)"')


@dataclass(frozen=True)
class Named:
    """A metric with what is asked of its labels: label, how, and with what."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...]


def named_in(expression: str) -> Iterator[Named]:
    """The metrics that an expression reads."""
    without_times = re.sub(r"\[[^\]]*\]", "", expression)
    for name, matchers in _SELECTOR.findall(_BY.sub("by", without_times)):
        if name not in _WORDS:
            yield Named(name, tuple(_MATCHER.findall(matchers)))


def grouped_by(expression: str) -> set[str]:
    """The labels by which an expression groups."""
    return {label.strip() for group in _BY.findall(expression) for label in group.split(",")}


def described(metric: str) -> Described:
    """What the catalogue says of a sample's name; KeyError where nobody tells it."""
    for end in ("_bucket", "_sum", "_count"):
        family = CATALOGUE.get(metric.removesuffix(end))
        if metric.endswith(end) and family is not None and family.kind == "histogram":
            return family
    family = CATALOGUE[metric]
    if family.kind == "histogram":
        raise KeyError(metric)
    return family


def labels_of(metric: str) -> set[str]:
    """The labels that its samples have."""
    if metric in OTHERS:
        return {*OTHERS[metric]}
    own = {*described(metric).labels}
    return own | _TARGET | ({"le"} if metric.endswith("_bucket") else set())
