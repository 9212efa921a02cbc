"""The demo's premium: three steps in print, by the commands as anybody runs them."""

import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from gongji_svc.storage.database import Database
from tests import conftest
from tests.commands.program import gongji
from tests.end_to_end.service import free_address

_SECONDS = 120
_DAY = "2025-10-15"

Show = Callable[..., tuple[int, str]]


@contextmanager
def served(database: Database, folder: Path, day: str) -> Iterator[Show]:
    """What `gongji demo premium` gives, exit status and print, beside a demo on a day."""
    listen = free_address()

    def program(*arguments: str) -> AbstractContextManager["subprocess.Popen[str]"]:
        settings = {"GONGJI_GRPC_LISTEN": listen, "COLUMNS": "120"}
        return gongji(database, folder, *arguments, **settings)

    def show(*arguments: str) -> tuple[int, str]:
        with program("demo", "premium", *arguments) as shown:
            output, errors = shown.communicate(timeout=_SECONDS)
        return shown.returncode, output + errors

    with program("up", "--demo", "--date", day) as service:
        assert service.stdout is not None
        assert service.stdout.readline().startswith("gongji serves")
        yield show
        service.send_signal(signal.SIGTERM)
        assert service.wait(_SECONDS) == 0


@pytest.fixture(scope="module")
def demo(
    test_server: conftest.TestServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Show]:
    """The demo on a day of autumn."""
    database = test_server.new_database(conftest.TEMPLATE)
    with served(database, tmp_path_factory.mktemp("demo"), _DAY) as show:
        yield show
    test_server.drop(database)


def amounts(output: str) -> list[str]:
    """The yuan at the end of a line, in order."""
    return re.findall(r" ([0-9,]+\.[0-9]{2}) *$", output, re.MULTILINE)


@pytest.mark.requirement("HOH-15", "HOH-25", "HOH-26", "HOH-30")
def test_the_steps_are_bound_paid_and_confirmed_and_come_twice_to_the_same(demo: Show) -> None:
    status, first = demo("--date", _DAY)
    assert status == 0, first
    words = (
        "已绑定",
        "已扣款",
        "2026 年度居民医保",
        "财政补贴",
        "缴费成功",
        "2026-01-01",
        "HOH-25",
    )
    assert [word for word in words if word not in first] == []
    assert amounts(first) == ["400.00", "200.00", "200.00", "1,240.75", "1,040.75"]
    status, again = demo("--date", _DAY)
    assert status == 0, again
    assert "此前已绑定" in again
    assert "此前已扣款" in again
    assert amounts(again) == ["400.00", "200.00", "200.00", "1,040.75", "1,040.75"]
    assert re.findall("DM[0-9]{16}", again) == re.findall("DM[0-9]{16}", first) != []


@pytest.mark.parametrize("arguments", [("--date", "2025-10-16"), ()])
def test_a_day_that_is_not_the_services_is_noticed(demo: Show, arguments: tuple[str, ...]) -> None:
    status, output = demo(*arguments)
    assert (status, output.startswith("gongji: --date: ")) == (2, True)
    assert f"the service's clock stands on {_DAY}" in output


def test_on_a_day_outside_every_window_it_says_when_they_are(
    database: Database, tmp_path: Path
) -> None:
    with served(database, tmp_path, "2026-05-06") as show:
        status, output = show("--date", "2026-05-06")
    assert status == 1
    assert "2026: 2025-09-01 to 2026-02-28" in output


def test_a_day_before_the_first_rules_is_refused(demo: Show) -> None:
    status, output = demo("--date", "2019-05-06")
    assert (status, output.startswith("gongji: --date: ")) == (2, True)


def test_where_nobody_serves_it_says_what_to_start(database: Database, tmp_path: Path) -> None:
    with gongji(database, tmp_path, "demo", "premium") as shown:
        _, errors = shown.communicate(timeout=_SECONDS)
    assert (shown.returncode, "start `gongji up --demo`" in errors) == (2, True)


def test_the_demos_people_are_told_to_no_tax_authority(database: Database, tmp_path: Path) -> None:
    settings = {
        "GONGJI_TAX_URL": "https://tax.example/premiums",
        "GONGJI_TAX_KEY": str(tmp_path / "tax.key"),
    }
    with gongji(database, tmp_path, "up", "--demo", **settings) as refused:
        _, errors = refused.communicate(timeout=_SECONDS)
    assert refused.returncode == 2
    assert errors.startswith("gongji: GONGJI_TAX_URL: unset it")
