"""What a process tells on its metrics port, as a scraper sees it."""

from collections.abc import Mapping
from typing import Any

import httpx
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from gongji_svc.signals.catalogue import CATALOGUE

Samples = Mapping[tuple[str, ...], float]
"""By name and label values, in the catalogue's order."""


def scrape(address: str) -> Samples:
    """All samples, histograms' buckets too."""
    answer = httpx.get(f"http://{address}/metrics", timeout=10, trust_env=False)
    assert answer.status_code == 200
    return {
        (sample.name, *_values(family, sample.labels)): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def _values(family: Metric, labels: Mapping[str, str]) -> list[str]:
    described = CATALOGUE.get(family.name) or CATALOGUE[f"{family.name}_total"]
    return [labels[name] for name in (*described.labels, "le") if name in labels]


def families(address: str) -> set[str]:
    """The names of what is told, a counter's with its _total."""
    answer = httpx.get(f"http://{address}/metrics", timeout=10, trust_env=False)
    found: Any = text_string_to_metric_families(answer.text)
    return {one.name + ("_total" if one.type == "counter" else "") for one in found}


def health(address: str) -> httpx.Response:
    """What /healthz says."""
    return httpx.get(f"http://{address}/healthz", timeout=10, trust_env=False)
