"""Every metric there is: its name, what it counts and by what.

Rule: nothing is told that is not listed here; docs/operations.md has the same table. Labels have
few values, all of them fixed by the contract or the code.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from gongji_svc.signals.tally import Histogram

Kind = Literal["counter", "gauge", "histogram"]
Process = Literal["serve", "work", "gateway"]
Labels = tuple[str, ...]
Figure = tuple[str, Mapping[Labels, "float | Histogram"]]
"""A metric's name, and what it is just now, by the values of its labels."""

_COUNTED = "_total"


@dataclass(frozen=True, slots=True)
class Described:
    """A metric: which process tells it, by what it is parted, and what it says."""

    name: str
    kind: Kind
    process: Process
    labels: Labels
    says: str

    def family(self, figures: Mapping[Labels, float | Histogram]) -> Metric:
        """The metric as Prometheus has it."""
        if self.kind == "histogram":
            histogram = HistogramMetricFamily(self.name, self.says, labels=self.labels)
            for labels, figure in figures.items():
                if isinstance(figure, Histogram):
                    histogram.add_metric(labels, figure.buckets(), figure.sum)
            return histogram
        family: GaugeMetricFamily | CounterMetricFamily = (
            CounterMetricFamily(self.name.removesuffix(_COUNTED), self.says, labels=self.labels)
            if self.kind == "counter"
            else GaugeMetricFamily(self.name, self.says, labels=self.labels)
        )
        for labels, figure in figures.items():
            if not isinstance(figure, Histogram):
                family.add_metric(labels, figure)
        return family


def _described(process: Process, *rows: tuple[str, Kind, str, str]) -> Iterator[Described]:
    for name, kind, labels, says in rows:
        yield Described(f"gongji_{name}", kind, process, tuple(labels.split()), says)


CATALOGUE: Mapping[str, Described] = {
    one.name: one
    for one in (
        *_described(
            "serve",
            ("calls_total", "counter", "method code", "Calls answered, by gRPC status code."),
            ("call_duration_seconds", "histogram", "method", "How long calls took in the front."),
            ("refusals_total", "counter", "reason", "Calls not answered with OK, by ErrorReason."),
            ("in_flight_calls", "gauge", "", "Calls that wait for their answer; no streams."),
            ("open_streams", "gauge", "", "Downloads under way, and those who watch."),
            ("queued_calls", "gauge", "", "Calls at the writers, or waiting for their turn there."),
            ("writer_ready", "gauge", "", "How many of the front's two writers serve."),
            ("batch_size", "histogram", "", "Commands in a batch."),
            ("batch_duration_seconds", "histogram", "", "From a batch's begin to its commit."),
            ("batch_failures_total", "counter", "", "Attempts at a batch that failed."),
            ("queue_wait_seconds", "histogram", "", "How long a batch's first call had waited."),
            (
                "lock_wait_seconds",
                "histogram",
                "",
                "A batch's way to its locks: request keys, people, accounts.",
            ),
            ("commit_seconds", "histogram", "", "Writing and committing a batch."),
            (
                "database_connections",
                "gauge",
                "state",
                "The front's pooled connections, in_use or idle.",
            ),
            (
                "certificate_not_after_timestamp_seconds",
                "gauge",
                "",
                "When the service's own TLS certificate ends.",
            ),
            (
                "crl_next_update_timestamp_seconds",
                "gauge",
                "",
                "When the first revocation list is out of date.",
            ),
            (
                "jwks_read_timestamp_seconds",
                "gauge",
                "",
                "When the identity provider's keys were last read well; 0: never.",
            ),
        ),
        *_described(
            "work",
            ("database_up", "gauge", "", "1 when the last look at the database's figures worked."),
            ("measured_timestamp_seconds", "gauge", "", "When these figures were last read."),
            ("unsealed_entries", "gauge", "", "Entries that no block seals yet."),
            ("unsealed_age_seconds", "gauge", "", "Age of the oldest of them; 0: there is none."),
            ("tax_messages_waiting", "gauge", "", "Messages due to the tax authority, not taken."),
            ("tax_message_age_seconds", "gauge", "", "How long the oldest has been; 0: none."),
            ("unresolved_differences", "gauge", "", "Differences that nobody has resolved."),
            ("data_key_needed", "gauge", "data_key", "1: the key file must have it; 0: it may go."),
            ("audit_ok", "gauge", "", "1 when the last `gongji audit` found no difference."),
            ("audit_timestamp_seconds", "gauge", "", "When it ended."),
            ("job_last_success_timestamp_seconds", "gauge", "job", "When a job last went well."),
            ("job_rows_total", "counter", "job", "What a job has done, in its own units."),
            ("job_failures_total", "counter", "job", "Turns of a job that failed."),
        ),
        *_described(
            "gateway",
            ("http_requests_total", "counter", "route verb status", "HTTP requests answered."),
            ("http_request_duration_seconds", "histogram", "route", "How long answers took."),
            ("in_flight_http_requests", "gauge", "", "HTTP requests under way, streams too."),
            (
                "gateway_certificate_not_after_timestamp_seconds",
                "gauge",
                "",
                "When the certificate that it shows the core ends.",
            ),
        ),
    )
}
"""By name; a histogram is there as _bucket, _sum and _count too."""


class Told:
    """All that one process tells, for Prometheus to collect."""

    def __init__(self, figures: Iterable[Iterable[Figure]]) -> None:
        """Each of `figures` is gone through again at every scrape."""
        self._figures = list(figures)

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are just now."""
        for some in self._figures:
            for name, values in some:
                yield CATALOGUE[name].family(values)
