"""The metrics port of each command: what it tells, and when it can't be opened."""

import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gongji_svc.services.office import Office
from gongji_svc.signals.catalogue import CATALOGUE
from gongji_svc.signals.jobs import Heartbeats
from gongji_svc.storage.database import Database
from gongji_svc.upkeep import JOBS, Job, Signals, work
from gongji_svc.upkeep.measuring import Measuring
from tests.commands.program import gongji
from tests.commands.test_serving import gongji as gongji_done
from tests.end_to_end.service import free_address, until
from tests.services.driver import Driver
from tests.signals.scraped import families, health, scrape
from tests.storage.test_seals import book, new_account


def told_by(*processes: str) -> set[str]:
    return {one.name for one in CATALOGUE.values() if one.process in processes}


def begun(process: "subprocess.Popen[str]", lines: int = 1) -> None:
    """Wait until a command says that it serves."""
    assert process.stdout is not None
    for _ in range(lines):
        assert process.stdout.readline().startswith("gongji ")


def test_a_worker_tells_of_its_jobs_and_of_what_waits(database: Database, tmp_path: Path) -> None:
    driver = Driver(database)
    book(driver, new_account(driver), 500, 700)
    (tmp_path / "audit.json").write_text('{"ended_at": "2025-03-01T00:00:00+00:00", "ok": true}')
    address = free_address()
    with gongji(database, tmp_path, "work", GONGJI_METRICS_LISTEN=address) as process:
        begun(process)
        until(lambda: ("gongji_job_rows_total", "seal-entries") in scrape(address))
        until(lambda: scrape(address)["gongji_job_rows_total", "seal-entries"] == 2, 60)
        until(lambda: ("gongji_unsealed_entries",) in scrape(address))
        told = scrape(address)
        assert told["gongji_database_up",] == told["gongji_audit_ok",] == 1
        assert told["gongji_audit_timestamp_seconds",] == 1740787200
        jobs = {key[1] for key in told if key[0] == "gongji_job_failures_total"}
        assert jobs == {job.name for job in JOBS} | {"measure"}
        assert sum(told["gongji_job_failures_total", job] for job in jobs) == 0
        assert health(address).text == "ok\n"
        assert families(address) == told_by("work")


def test_a_worker_whose_database_is_gone_is_well_and_says_that_it_is_gone(
    database: Database,
) -> None:
    measuring, stopping, beats = Measuring(), threading.Event(), Heartbeats()
    signals = Signals(beats, measuring)
    measuring.measure(Driver(database).office)
    gone = Driver(Database("postgresql://127.0.0.1:1/gone")).office

    def measure_and_stop(office: Office) -> int:
        stopping.set()
        return measuring.measure(office)

    work(gone, stopping, [Job("measure", measure_and_stop, 60.0)], beats)
    told = dict(signals)
    assert told["gongji_database_up"] == {(): False}
    assert told["gongji_job_failures_total"] == {("measure",): 1}
    assert "gongji_unsealed_entries" in told  # as it was when it was last seen
    assert signals.ails() == ""


def test_a_gateway_tells_of_its_requests(database: Database, tmp_path: Path) -> None:
    address, http = free_address(), free_address()
    settings = {"GONGJI_METRICS_LISTEN": address, "GONGJI_HTTP_LISTEN": http}
    with gongji(database, tmp_path, "gateway", **settings) as process:
        begun(process)
        for path in ("/", "/v1/policies/150100", "/v1/policies/150200", "/nothing/of/us"):
            httpx.get(f"http://{http}{path}", trust_env=False)
        told = scrape(address)
        requests = "gongji_http_requests_total"
        assert told[requests, "/v1/policies/{region}", "GET", "401"] == 2
        assert told[requests, "-", "GET", "200"] == 1
        assert told[requests, "-", "GET", "404"] == 1
        assert told["gongji_http_request_duration_seconds_count", "-"] == 2
        assert told["gongji_in_flight_http_requests",] == 0
        assert families(address) == told_by("gateway")
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def test_all_in_one_tells_of_itself_behind_its_fronts(database: Database, tmp_path: Path) -> None:
    first = free_ports(2)
    host = "127.0.0.1"
    with gongji(database, tmp_path, "up", GONGJI_METRICS_LISTEN=f"{host}:{first}") as process:
        begun(process, 2)
        assert families(f"{host}:{first}") == told_by("serve")
        own = f"{host}:{first + 1}"
        until(lambda: ("gongji_unsealed_entries",) in scrape(own))
        audit = {"gongji_audit_ok", "gongji_audit_timestamp_seconds"}  # there was none
        assert families(own) == told_by("work", "gateway") - audit
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def free_ports(count: int) -> int:
    """The first of some ports in a row at which nothing listens."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            first = int(listener.getsockname()[1])
        try:
            for number in range(count):
                socket.create_server(("127.0.0.1", first + number)).close()
        except (OSError, OverflowError):
            continue
        return first


@pytest.fixture
def taken() -> Iterator[str]:
    """An address at which something listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("command", ["work", "gateway", "serve"])
def test_a_port_that_is_taken_is_one_line_and_no_stack(
    database: Database, tmp_path: Path, taken: str, command: str
) -> None:
    with gongji(database, tmp_path, command, GONGJI_METRICS_LISTEN=taken) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors.startswith(f"gongji: GONGJI_METRICS_LISTEN: {taken} can't be listened on (")
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("GONGJI_METRICS_LISTEN", "9464"),
        ("GONGJI_TRACES", "collector:4318"),
        ("GONGJI_TRACES", "ftp://collector/"),
    ],
)
def test_what_is_no_address_is_refused(reachable_path: Path, setting: str, value: str) -> None:
    done = gongji_done(reachable_path, "status", **{setting: value})
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"gongji: {setting}: ")
