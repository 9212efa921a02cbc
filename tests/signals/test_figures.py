"""Counts, stages and traces as values, and the catalogue against the operators' page."""

import re
from pathlib import Path

import pytest

from gongji_svc.signals import trace
from gongji_svc.signals.batches import Batches, Figures, HeardBatches, Stages
from gongji_svc.signals.catalogue import CATALOGUE, Told
from gongji_svc.signals.jobs import Heartbeats
from gongji_svc.signals.tally import Histogram

_PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
_SAID = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_the_page_has_a_row_for_each_metric_and_no_other() -> None:
    rows = [line.strip("| ") for line in _PAGE.splitlines() if line.startswith("| `gongji_")]
    described = [
        " | ".join((f"`{m.name}`", m.process, m.kind, ", ".join(m.labels), m.says))
        for m in CATALOGUE.values()
    ]
    assert [re.sub(r" +", " ", row) for row in rows] == [
        re.sub(r" +", " ", row) for row in described
    ]


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_names_are_as_prometheus_wants_them(name: str) -> None:
    described = CATALOGUE[name]
    assert name.endswith("_total") == (described.kind == "counter")
    assert not name.endswith(("_ms", "_count", "_sum", "_bucket"))
    about = {"person", "institution", "region", "account", "subject", "caller", "id"}
    assert about.isdisjoint(described.labels)


def test_a_histogram_counts_each_value_once_and_up_to_its_bucket() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 7.0):
        histogram.observe(value)
    assert histogram.buckets() == [("1.0", 2), ("2.0", 3), ("+Inf", 4)]
    assert histogram.sum == 10.0


def test_what_was_never_observed_is_told_as_nothing() -> None:
    (family,) = Told([[("gongji_batch_size", {(): Histogram()})]]).collect()
    assert {sample.value for sample in family.samples} == {0}


def test_a_traceparent_is_kept_as_it_was_said() -> None:
    context = trace.read(_SAID)
    assert context is not None
    assert len(context) == trace.SIZE
    assert trace.said(context) == _SAID
    assert trace.trace_id(context) == "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    "said",
    [
        "",
        "0-1-",
        _SAID.upper(),
        _SAID + "-more",
        _SAID.replace("00-", "ff-", 1),
        _SAID.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
        _SAID.replace("b7ad6b7169203331", "0" * 16),
        "150102199001011234",
    ],
)
def test_what_is_no_traceparent_is_not_believed(said: str) -> None:
    assert trace.read(said) is None


def test_a_later_version_of_a_traceparent_may_say_more() -> None:
    assert trace.read(_SAID.replace("00-", "01-", 1) + "-more") == trace.read(_SAID)


def test_a_new_trace_is_sound_and_asks_nobody_to_record_it() -> None:
    said = {trace.said(trace.new()) for _ in range(100)}
    assert len(said) == 100
    assert all(trace.read(one) is not None and one.endswith("-00") for one in said)


def test_stages_follow_one_another_without_a_gap() -> None:
    stages = Stages(2, began_ns=1_000)
    stages.ended_ns += [("claim", 3_000), ("decide", 4_000), ("commit", 9_000)]
    assert list(stages.spans()) == [
        ("claim", 1_000, 3_000),
        ("decide", 3_000, 4_000),
        ("commit", 4_000, 9_000),
    ]
    assert stages.seconds("claim", "commit") == pytest.approx(7e-6)


def test_a_clock_that_is_set_back_makes_nothing_shorter_than_nothing() -> None:
    stages = Stages(1, began_ns=5_000)
    stages.ended_ns.append(("commit", 1_000))
    batches = Batches()
    batches.note(stages)
    (body,) = batches.tell([(trace.new(), 9_000)])
    assert Figures.load(body) == Figures(1)


def test_the_front_counts_what_its_writer_tells() -> None:
    batches, heard = Batches(), HeardBatches()
    stages = Stages(3, began_ns=2_000_000_000)
    stages.ended_ns += [("people", 3_000_000_000), ("commit", 3_500_000_000)]
    batches.note(stages)
    for body in batches.tell([(trace.new(), 1_000_000_000), (trace.new(), 1_500_000_000)]):
        heard.hear(body)
    told = {
        sample.name: sample.value
        for family in Told([heard]).collect()
        for sample in family.samples
        if not sample.name.endswith("_bucket")
    }
    assert told["gongji_batch_failures_total"] == 0
    assert (told["gongji_batch_size_count"], told["gongji_batch_size_sum"]) == (1, 3)
    assert told["gongji_queue_wait_seconds_sum"] == pytest.approx(1.0)
    assert told["gongji_lock_wait_seconds_sum"] == pytest.approx(1.0)
    assert told["gongji_commit_seconds_sum"] == pytest.approx(0.5)
    assert told["gongji_batch_duration_seconds_sum"] == pytest.approx(1.5)
    assert batches.tell([]) == []


def test_an_attempt_that_failed_is_no_batch_and_its_waits_count() -> None:
    batches, heard = Batches(), HeardBatches()
    stages = Stages(3, began_ns=2_000_000_000)
    stages.ended_ns += [("look-up", 2_000_000_000), ("claim", 3_000_000_000)]
    stages.fail()
    assert stages.ended_ns[-1][0] == "people"
    batches.note(stages)
    for body in batches.tell([(trace.new(), 1_000_000_000)]):
        heard.hear(body)
    counted = {name: figure[()] for name, figure in heard}
    assert counted["gongji_batch_failures_total"] == 1
    waits = [counted[f"gongji_{name}_seconds"] for name in ("queue_wait", "lock_wait")]
    assert all(isinstance(wait, Histogram) and wait.sum >= 1.0 for wait in waits)
    for name in ("batch_size", "batch_duration_seconds", "commit_seconds"):
        histogram = counted[f"gongji_{name}"]
        assert isinstance(histogram, Histogram)
        assert histogram.buckets()[-1] == ("+Inf", 0)


def test_a_job_is_late_when_it_has_had_no_turn_for_rounds() -> None:
    beats = Heartbeats()
    beats.expect("often", 1.0)
    beats.expect("seldom", 3600.0)
    beats.failed("often")  # a job that fails has its turns all the same
    beats.succeeded("seldom", 5)
    began = max(beat.turn_at for beat in beats._beats.values())
    assert beats.late(began + 500) == []
    assert beats.late(began + 700) == ["often"]
    assert beats.late(began + 20_000) == ["often", "seldom"]
