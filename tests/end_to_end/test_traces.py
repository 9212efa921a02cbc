"""One settlement's spans, from the gateway to the database, as a collector receives them.

Rule: the collector is a small HTTP server that takes OTLP as a real one does.
"""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any
from uuid import uuid4

import httpx
import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from gateway.app import Settings, make_app
from gongji_svc.commands.gateway import listening
from gongji_svc.config import Address
from gongji_svc.signals.requests import Requests
from gongji_svc.signals.spans import Spans
from gongji_svc.storage.database import Database
from tests.end_to_end.purchases import ULANQAB, at_work, purchase
from tests.end_to_end.service import Service, Till, metadata_of, running
from tests.gateway.browser import address_of

_TRACE, _CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
_STAGES = ["look-up", "claim", "people", "accounts", "decide", "record", "commit"]


class Collector:
    """What was received, by the name of the service that sent it."""

    def __init__(self) -> None:
        self.received: list[tuple[str, Span]] = []
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    (service,) = (
                        one.value.string_value
                        for one in resource.resource.attributes
                        if one.key == "service.name"
                    )
                    for scope in resource.scope_spans:
                        received.extend((service, span) for span in scope.spans)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}/v1/traces"

    def of(self, service: str, name: str = "") -> list[Span]:
        """The spans of a service, by their beginning; of one name, if it is given."""
        found = [
            span
            for sender, span in self.received
            if sender == f"gongji-{service}" and name in ("", span.name)
        ]
        return sorted(found, key=lambda span: span.start_time_unix_nano)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with contextlib.closing(Collector()) as started:
        yield started


def attributes(span: Span) -> dict[str, Any]:
    """What a span says of itself."""
    return {one.key: next(iter(MessageToDict(one.value).values())) for one in span.attributes}


def through_gateway(collector: Collector, service: Service, traceparent: str) -> list[str]:
    """A donor sets limits by way of a gateway; what of it must not be told."""
    families = at_work(service.database)
    donor, child = families.person(ULANQAB, balance_fen=1_000_000), families.person(ULANQAB)
    binding = families.bind(donor, child)
    spans = Spans(collector.endpoint, "gateway")
    app = make_app(Settings(core=address_of(service)), signals=Requests(spans))
    request_id = uuid4().hex
    body = {
        "request_id": request_id,
        "limits": {"per_settlement_fen": "100"},
        "update_mask": "limits",
    }
    headers = {**dict(metadata_of("citizen", donor)), "traceparent": traceparent}
    with listening(app, Address("127.0.0.1", 0)) as web:
        address = f"{web.url}/v1/bindings/{binding}"
        answer = httpx.patch(address, json=body, headers=headers, trust_env=False, timeout=30)
    spans.close()
    assert answer.status_code == 200, answer.text
    return [str(donor), donor.name, donor.certificate_number, str(binding), request_id]


def stages_of(collector: Collector, batch: Span) -> list[Span]:
    """What stands below a batch."""
    return [span for span in collector.of("writer") if span.parent_span_id == batch.span_id]


def expect_below(*spans: Span) -> None:
    """Each span stands below the one before."""
    for above, below in pairwise(spans):
        assert below.parent_span_id == above.span_id
        assert below.start_time_unix_nano >= above.start_time_unix_nano


def test_a_call_is_followed_from_the_gateway_to_the_database(
    database: Database, collector: Collector
) -> None:
    with running(database, traces=collector.endpoint) as service:
        secrets = through_gateway(collector, service, f"00-{_TRACE}-{_CALLER}-01")
    (gateway,), (front,) = collector.of("gateway"), collector.of("front")
    (writer,), (batch,) = collector.of("writer", "writer"), collector.of("writer", "batch")
    spans = [span for _, span in collector.received]
    assert {span.trace_id.hex() for span in spans} == {_TRACE}
    assert gateway.parent_span_id.hex() == _CALLER
    expect_below(gateway, front, writer, batch, stages_of(collector, batch)[0])
    assert (gateway.name, front.name) == ("PATCH /v1/bindings/{binding_id}", "UpdateBinding")
    said = b"".join(span.SerializeToString() for span in spans)
    assert [secret for secret in secrets if secret.encode() in said] == []


def test_a_settlement_is_followed_into_its_batch_and_its_stages(
    database: Database, collector: Collector
) -> None:
    families = at_work(database)
    code, patient = families.institution(ULANQAB), families.person(ULANQAB, balance_fen=1_000_000)
    request = purchase(code, patient)
    with running(database, traces=collector.endpoint) as service:
        metadata = (*metadata_of("pos", code), ("traceparent", f"00-{_TRACE}-{_CALLER}-01"))
        Till(service.channel, metadata).settle(request)
    (front,), (writer,) = collector.of("front"), collector.of("writer", "writer")
    (batch,) = collector.of("writer", "batch")
    stages = stages_of(collector, batch)
    expect_below(front, writer, batch, stages[0])
    assert (front.trace_id.hex(), front.parent_span_id.hex()) == (_TRACE, _CALLER)
    assert [link.span_id for link in batch.links] == [writer.span_id]
    assert [link.span_id for link in writer.links] == [batch.span_id]
    assert [span.name for span in stages] == _STAGES
    asking = [span.name for span in stages if "db.system.name" in attributes(span)]
    assert asking == [stage for stage in _STAGES if stage != "decide"]
    assert attributes(front)["rpc.response.status_code"] == "OK"
    said = b"".join(span.SerializeToString() for _, span in collector.received)
    who = (patient.name, patient.certificate_number, patient.card_no, str(patient), code)
    assert [secret for secret in (*who, request.request_id) if secret.encode() in said] == []


def test_calls_of_one_batch_are_linked_with_it(database: Database, collector: Collector) -> None:
    families = at_work(database)
    code = families.institution(ULANQAB)
    patients = [families.person(ULANQAB, balance_fen=1_000_000) for _ in range(12)]
    with running(database, traces=collector.endpoint) as service:
        till = service.till(code)
        for answer in [till.begin(purchase(code, patient)) for patient in patients]:
            answer.result(30)
    fronts = {span.span_id: span.trace_id for span in collector.of("front")}
    writers = {span.span_id: span for span in collector.of("writer", "writer")}
    assert len(fronts) == len(writers) == len(set(fronts.values())) == 12
    assert {span.parent_span_id for span in writers.values()} == fronts.keys()
    batches = collector.of("writer", "batch")
    assert len(batches) < 12
    linked = [link.span_id for batch in batches for link in batch.links]
    assert sorted(linked) == sorted(writers)
    for batch in batches:
        for link in batch.links:
            assert [one.span_id for one in writers[link.span_id].links] == [batch.span_id]


def test_whoever_is_not_sampled_is_not_recorded(database: Database, collector: Collector) -> None:
    with running(database, traces=collector.endpoint) as service:
        through_gateway(collector, service, f"00-{_TRACE}-{_CALLER}-00")
    assert collector.received == []


def test_nothing_of_opentelemetry_is_loaded_without_traces() -> None:
    program = (
        "import sys, gongji_svc.server, gongji_svc.writer, gongji_svc.commands.gateway, "
        "gongji_svc.commands.work; "
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"
