"""Alerts, the dashboard and the runbook, against the metrics and commands that there are."""

import argparse
import importlib
import json
import re
from typing import Any

import grpc
import kubernetes_validate  # type: ignore[import-untyped]  # it tells no types
import pytest
import yaml

from gongji.v1 import errors_pb2
from gongji_svc.cli import COMMANDS
from gongji_svc.config import _KNOWN
from gongji_svc.signals.catalogue import CATALOGUE
from gongji_svc.upkeep import _LONGEST_PAUSE_SECONDS, JOBS
from tests.k8s.expressions import OTHERS, described, grouped_by, labels_of, named_in
from tests.k8s.overlays import ALL, FOLDER, ROOT, kustomized, named, of_kind

_MONITORING = kustomized(FOLDER / "monitoring")
_RULES = [
    rule
    for one in _MONITORING
    if one["kind"] == "PrometheusRule"
    for group in one["spec"]["groups"]
    for rule in group["rules"]
]
_ALERTS = {rule["alert"]: rule for rule in _RULES}
_BOARD = json.loads((FOLDER / "monitoring" / "dashboard.json").read_text(encoding="utf-8"))
_RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
_OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
_SECTIONS = {
    part.partition("\n")[0]: part
    for part in re.split(r"^### ", _RUNBOOK.replace("\n## ", "\n### \n"), flags=re.MULTILINE)[1:]
    if part[0] != "\n"
}
_EXPRESSIONS = [rule["expr"] for rule in _RULES] + [
    target["expr"].replace("$__rate_interval", "5m")
    for panel in _BOARD["panels"]
    for target in panel.get("targets", ())
]

# By label, what it may say; of others nothing is asked by value.
_SAID = {
    "code": {code.name for code in grpc.StatusCode},
    "reason": {
        name.removeprefix("ERROR_REASON_")
        for name in errors_pb2.ErrorReason.DESCRIPTOR.values_by_name
    },
    "job": {job.name for job in JOBS} | {one.name for one in ALL},
    "namespace": {"gongji", "gongji-dev"},
}

every_expression = pytest.mark.parametrize("expression", _EXPRESSIONS)
every_alert = pytest.mark.parametrize("name", sorted(_ALERTS))


@every_expression
def test_an_expression_reads_what_is_told_by_labels_that_it_has(expression: str) -> None:
    read = list(named_in(expression))
    assert read
    for one in read:
        has = labels_of(one.metric)
        assert {label for label, _, _ in one.matchers} <= has, one
        assert grouped_by(expression) <= has, one


@every_expression
def test_a_label_is_asked_for_what_it_says(expression: str) -> None:
    for one in named_in(expression):
        for label, how, value in one.matchers:
            if label in _SAID:
                values = value.split("|") if "~" in how else [value]
                assert set(values) <= _SAID[label], one


@every_expression
def test_counters_are_read_as_rates_and_no_others_are(expression: str) -> None:
    grown = set(re.findall(r"(?:rate|increase)\(([a-z_]+)", expression))
    for one in named_in(expression):
        if one.metric not in OTHERS:
            counts = described(one.metric).kind != "gauge"
            assert (one.metric in grown) == counts, one


def test_the_dashboard_shows_every_metric() -> None:
    shown = {
        described(one.metric).name
        for panel in _BOARD["panels"]
        for target in panel.get("targets", ())
        for one in named_in(target["expr"])
    }
    assert shown == set(CATALOGUE)


def test_panels_lie_beside_one_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in _BOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert taken.isdisjoint(cells)
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in _BOARD["panels"]}) == len(_BOARD["panels"])


@every_alert
def test_an_alert_says_what_it_means_and_where_the_runbook_has_it(name: str) -> None:
    rule = _ALERTS[name]
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"


def test_the_runbook_has_a_section_for_each_alert_and_no_other() -> None:
    assert list(_SECTIONS) == list(_ALERTS)


@every_alert
def test_a_section_says_what_it_means_how_to_see_it_and_what_to_do(name: str) -> None:
    for part in ("**At the till.**", "**See it.**", "**Do first.**"):
        assert part in _SECTIONS[name], part


@pytest.mark.parametrize("page", [_RUNBOOK, _OPERATIONS], ids=["runbook", "operations"])
def test_every_command_on_a_page_is_one_that_the_program_takes(page: str) -> None:
    found = re.findall(r"(?:^|`|-- |^\s+)gongji ([a-z]+)((?: [A-Za-z0-9./:_=-]+)*)", page, re.M)
    assert found
    for command, arguments in found:
        assert command in COMMANDS, command
        parser = argparse.ArgumentParser(exit_on_error=False)
        importlib.import_module(f"gongji_svc.commands.{command}").add_arguments(parser)
        parser.parse_args(arguments.split())


@pytest.mark.parametrize("page", [_RUNBOOK, _OPERATIONS], ids=["runbook", "operations"])
def test_every_metric_setting_and_reason_on_a_page_exists(page: str) -> None:
    for metric in re.findall(r"\bgongji_[a-z_]+", page):
        if metric not in {"gongji_svc", "gongji_owner"}:
            assert described_or_family(metric)
    assert set(re.findall(r"\bGONGJI_[A-Z_]+[A-Z]\b", page)) <= _KNOWN
    for reason in re.findall(r"reason `([A-Z_]+)`", page):
        assert reason in _SAID["reason"]


def test_what_the_runbook_quotes_from_a_log_is_logged() -> None:
    files = [*(ROOT / "src" / "gongji_svc").rglob("*.py"), *(ROOT / "gateway").rglob("*.py")]
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    quoted = set(re.findall(r"`((?:[a-z']+ ){2,}[a-z']+)`", _RUNBOOK)) - {"idle in transaction"}
    assert len(quoted) > 5
    assert {line for line in quoted if line not in source} == set()


def described_or_family(metric: str) -> bool:
    """Whether it is a metric, or one of a histogram's samples."""
    return metric in CATALOGUE or bool(described(metric))


def test_every_port_that_is_scraped_is_there_and_may_be_reached() -> None:
    policies = {
        one["metadata"]["name"]: one for one in _MONITORING if one["kind"] == "NetworkPolicy"
    }
    allowed = policies["gongji-metrics"]["spec"]
    (let_in,) = allowed["podSelector"]["matchExpressions"]
    scraped = {}
    for one in _MONITORING:
        if one["kind"] == "PodMonitor" and one["metadata"]["name"] != "gongji-database":
            (end,) = one["spec"]["podMetricsEndpoints"]
            ((label, name),) = one["spec"]["selector"]["matchLabels"].items()
            assert label == one["spec"]["jobLabel"] == let_in["key"]
            scraped[name] = end["port"]
    assert set(scraped) == set(let_in["values"])
    for workload in ALL:
        if workload.overlay == "production" and workload.name in scraped:
            assert scraped[workload.name] in workload.ports


def test_the_namespace_and_the_policy_are_what_kubernetes_takes() -> None:
    (namespace,) = of_kind("production", "Namespace")
    for one in _MONITORING:
        assert one["metadata"]["namespace"] == namespace["metadata"]["name"]
        if one["kind"] not in {"PodMonitor", "PrometheusRule"}:
            kubernetes_validate.validate(one, "1.34", strict=True)


def test_the_adapter_gives_the_autoscaler_its_metric() -> None:
    adapter = yaml.safe_load((FOLDER / "monitoring" / "adapter.yaml").read_text(encoding="utf-8"))
    (rule,) = adapter["rules"]["custom"]
    scaler = named("production", "HorizontalPodAutoscaler", "gongji-core")
    metric: Any = scaler["spec"]["metrics"][0]["pods"]["metric"]["name"]
    assert rule["seriesQuery"].partition("{")[0] == metric
    assert described(metric).process == "serve"


def test_a_job_is_missed_only_after_turns_that_it_should_have_had() -> None:
    rests = {job.name: job.rest_seconds for job in JOBS}
    expression = _ALERTS["GongjiJobStopped"]["expr"]
    often, seldom = (int(limit) for limit in re.findall(r"> (\d+)", expression))
    slow = rests.pop("remove-old-tax-messages")
    assert often > 3 * max(rests.values())
    assert seldom > 2 * slow


def test_a_job_that_still_fails_has_failed_within_the_window() -> None:
    window, since = re.findall(r"\[(\d+)m\].*< (\d+)", _ALERTS["GongjiJobFails"]["expr"], re.S)[0]
    assert int(window) * 60 >= 2 * _LONGEST_PAUSE_SECONDS
    often = [job.rest_seconds for job in JOBS if job.name != "remove-old-tax-messages"]
    assert int(since) >= 2 * max(often)


def test_the_end_of_a_certificate_is_told_of_every_certificate_that_is_seen_to_near_it() -> None:
    near, ended = (
        [(one.metric, one.matchers) for one in named_in(_ALERTS[name]["expr"])]
        for name in ("GongjiCertificateEnds", "GongjiCertificateEnded")
    )
    assert near == ended
    assert _ALERTS["GongjiCertificateEnded"]["labels"]["severity"] == "critical"
