"""The PostgreSQL that is just there: started below the data folder when no database is configured.

Rule: one process owns the running server and holds `owner.lock`; every other process adopts it.
When the owner ends, PostgreSQL shuts down cleanly and the next holder of the lock starts it again.
A commit that was acknowledged is on disk: fsync and synchronous_commit stay on.
"""

import atexit
import contextlib
import fcntl
import logging
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Self

import psycopg
from psycopg import sql

from gongji_svc.storage import embedded_files as files
from gongji_svc.storage.embedded_files import EmbeddedDatabaseError, Folders

SUPERUSER = "postgres"
OWNER = "gongji_owner"  # migrates and owns the schema
RUNTIME = "gongji"  # serves; may not change what is append-only
DATABASE = "gongji"
HOST = "127.0.0.1"

# The one list of server settings. Sizes suit a small machine; measured in docs/benchmarks.md.
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # its path may be too long for a socket; loopback serves all
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",  # checkpoints by time, not by volume: fewer full pages in the log
    "checkpoint_timeout": "15min",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}

# Below the ports that systems lend to outgoing connections, so that ours stays free over a restart.
_PORTS = range(20000, 30000)
_RECOVERY_SECONDS = 600  # after a crash the log is replayed first: minutes on a slow disk
_STOP_SECONDS = 60
_WATCH_SECONDS = 0.2
_SILENT_SECONDS = 1.0
_POLL_SECONDS = 0.02
_OWN = partial(os.open, mode=0o600)
_LOG_LIMIT_BYTES = 16 * 1024 * 1024
_START_ATTEMPTS = 5

_log = logging.getLogger(__name__)


def start(data_dir: Path) -> "EmbeddedServer":
    """Start the server below `data_dir`, or adopt the running one; returns when it answers.

    Raises EmbeddedDatabaseError with the remedy.
    """
    folders, account = files.prepare(data_dir)
    server = EmbeddedServer(folders, account)
    server.wait_until_ready()
    atexit.register(server.stop)
    return server


class EmbeddedServer:
    """A running embedded PostgreSQL, owned or adopted.

    A thread of its own starts and watches the server: PostgreSQL ends with the thread that
    started it, and this one lives as long as its process.
    """

    def __init__(self, folders: Folders, account: files.Account) -> None:
        self.folders = folders
        self.binaries = files.find_binaries(folders, account)
        self._account = account
        self._process: subprocess.Popen[bytes] | None = None
        self._lock_file: IO[bytes] = open(folders.lock, "ab", opener=_OWN)  # noqa: SIM115 - held until the end
        self._holds_lock = False
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._failure: EmbeddedDatabaseError | OSError | None = None
        self._made_by_pid = os.getpid()
        # A forked child must not keep the lock of a parent that died.
        os.register_at_fork(after_in_child=self._lock_file.close)
        self._keeper = threading.Thread(target=self._keep, name="embedded-postgres", daemon=True)
        self._keeper.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def runtime_url(self) -> str:
        """Address for serving: the role without UPDATE and DELETE on what is append-only."""
        return self._url(RUNTIME, DATABASE)

    @property
    def owner_url(self) -> str:
        """Address for migrating: the role that owns the schema."""
        return self._url(OWNER, DATABASE)

    @property
    def admin_url(self) -> str:
        """Address of the superuser, in the maintenance database."""
        return self._url(SUPERUSER, "postgres")

    @property
    def owned(self) -> bool:
        """Whether this process started the server, rather than adopted it."""
        return self._process is not None

    def wait_until_ready(self) -> None:
        """Block until the server answers; EmbeddedDatabaseError when it cannot start. What another
        process keeps waiting is told.
        """
        began, told = time.monotonic(), False
        deadline = began + _RECOVERY_SECONDS + _STOP_SECONDS
        while not self._ready.wait(_WATCH_SECONDS / 2):
            if self._failure is not None:
                raise self._failure
            if not (told or self._holds_lock) and time.monotonic() > began + _SILENT_SECONDS:
                told = True
                _log.warning(
                    "waiting for the PostgreSQL of process %s, which holds %s and does not answer: "
                    "wait until it has started, end that process, or set GONGJI_DATA_DIR to "
                    "another folder",
                    self.folders.lock.read_text(encoding="ascii") or "?",
                    self.folders.lock,
                )
            if time.monotonic() > deadline:
                self.stop()
                raise EmbeddedDatabaseError(f"PostgreSQL does not answer; see {self.folders.log}")

    def stop(self) -> None:
        """Stop the server cleanly if this process owns it, else only let go of it."""
        if os.getpid() != self._made_by_pid:
            return
        self._stopping.set()
        if self._keeper is not threading.current_thread():
            self._keeper.join()

    def _url(self, role: str, database: str) -> str:
        port = self.folders.port.read_text(encoding="ascii")
        return f"postgresql://{role}:{self.folders.password(role)}@{HOST}:{port}/{database}"

    def _keep(self) -> None:
        """The keeper thread: adopt or own until told to stop."""
        try:
            while not self._stopping.is_set():
                if self._take_lock():
                    self._own()
                    break
                if not self._ready.is_set() and self._answers(complete=True):
                    self._ready.set()
                self._stopping.wait(_WATCH_SECONDS if self._ready.is_set() else _POLL_SECONDS)
        except (EmbeddedDatabaseError, OSError) as error:
            self._failure = error
            _log.error("the embedded PostgreSQL is lost: %s", error)
        finally:
            self._lock_file.close()

    def _take_lock(self) -> bool:
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self._holds_lock = True
        self._lock_file.truncate(0)
        self._lock_file.write(b"%d" % os.getpid())
        self._lock_file.flush()
        return True

    def _own(self) -> None:
        try:
            while not self._stopping.is_set():
                self._launch()
                self._ready.set()
                self._watch()
        finally:
            self._shut_down()

    def _watch(self) -> None:
        """Return when told to stop or when the server ended by itself."""
        while not self._stopping.wait(_WATCH_SECONDS):
            if self._process is not None and self._process.poll() is not None:
                _log.warning("the embedded PostgreSQL ended by itself: it is started again")
                return

    def _launch(self) -> None:
        for name in (SUPERUSER, OWNER, RUNTIME):
            self.folders.password(name)
        files.make_cluster(self.folders, self._account, self.binaries, SUPERUSER)
        for attempt in range(_START_ATTEMPTS):
            self._wait_for_predecessor()
            self._spawn(_choose_port(self.folders.port, keep=attempt < _START_ATTEMPTS - 1))
            if self._wait_for_answer():
                self._make_roles()
                return
            # Backends of a killed predecessor may live for a moment: they hold its shared memory.
            self._stopping.wait(_WATCH_SECONDS)
        raise EmbeddedDatabaseError(
            f"PostgreSQL does not start; the end of {self.folders.log}:\n{self._log_tail()}"
        )

    def _wait_for_predecessor(self) -> None:
        """Stop a server that outlived its owner, and wait until it is really gone."""
        pid = _postmaster_pid(self.folders.cluster)
        if pid is None:
            return
        if _is_postmaster(pid, self.folders.cluster):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
        _wait_until(lambda: not _is_postmaster(pid, self.folders.cluster), _STOP_SECONDS)
        if _is_postmaster(pid, self.folders.cluster):
            raise EmbeddedDatabaseError(f"an earlier PostgreSQL, process {pid}, does not end")
        # A crash leaves the file, and its number may be another program's by now or a zombie's.
        with contextlib.suppress(FileNotFoundError):
            (self.folders.cluster / "postmaster.pid").unlink()

    def _spawn(self, port: int) -> None:
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        command = [f"{self.binaries}/postgres", "-D", str(self.folders.cluster), "-p", str(port)]
        child = Path(__file__).with_name("postgres_child.py")
        identity = [str(os.getpid()), str(self._account.uid), str(self._account.gid)]
        if self.folders.log.exists() and self.folders.log.stat().st_size > _LOG_LIMIT_BYTES:
            self.folders.log.unlink()
        with self.folders.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own binary and arguments
                [sys.executable, "-I", "-S", str(child), *identity, *command, *settings],
                env=files.ENVIRONMENT,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,  # Ctrl-C at the terminal is ours, not the database's
            )

    def _wait_for_answer(self) -> bool:
        """True when the server answers, False when it ended or we are to stop."""
        process = self._process
        if process is None:
            return False
        _wait_until(
            lambda: self._stopping.is_set() or process.poll() is not None or self._answers(),
            _RECOVERY_SECONDS,
        )
        return process.poll() is None and self._answers()

    def _answers(self, *, complete: bool = False) -> bool:
        """Whether our cluster, not another server on the same port, accepts connections.

        `complete`: and its owner has made the roles and the database, which come last.
        """
        query = """SELECT current_setting('data_directory'),
            EXISTS (SELECT FROM pg_database WHERE datname = %s)"""
        try:
            with psycopg.connect(self.admin_url, connect_timeout=5, autocommit=True) as tx:
                row = tx.execute(query, [DATABASE]).fetchone()
        except (psycopg.OperationalError, FileNotFoundError):
            return False
        return row is not None and Path(row[0]) == self.folders.cluster and (row[1] or not complete)

    def _make_roles(self) -> None:
        """Make the two roles and the database; each step only when it is missing."""
        with psycopg.connect(self.admin_url, autocommit=True) as tx:
            for role in (OWNER, RUNTIME):
                if tx.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).rowcount == 0:
                    tx.execute(
                        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                            sql.Identifier(role), sql.Literal(self.folders.password(role))
                        )
                    )
            found = tx.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE])
            if found.rowcount == 0:
                tx.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(
                        sql.Identifier(DATABASE), sql.Identifier(OWNER)
                    )
                )

    def _shut_down(self) -> None:
        """Fast shutdown: sessions are dropped, the log is flushed; by force after a minute."""
        process = self._process
        if process is None:
            return
        for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            process.send_signal(how)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_SECONDS)
                return

    def _log_tail(self) -> str:
        return "\n".join(self.folders.log.read_text(errors="replace").splitlines()[-12:])


def _choose_port(memory: Path, *, keep: bool) -> int:
    """The remembered port if it is free (and `keep`), else a free one, which is remembered."""
    if keep and memory.exists():
        port = int(memory.read_text(encoding="ascii"))
        if _is_free(port):
            return port
    port = next(port for port in random.sample(_PORTS, len(_PORTS)) if _is_free(port))  # nosec B311
    fresh = memory.with_suffix(".new")
    fresh.write_text(str(port), encoding="ascii")
    fresh.rename(memory)
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _postmaster_pid(cluster: Path) -> int | None:
    try:
        return int((cluster / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def _is_postmaster(pid: int, cluster: Path) -> bool:
    """Whether `pid` is alive and serves `cluster`; a zombie or another program is not."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cwd").readlink() == cluster
        except (FileNotFoundError, PermissionError):
            return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
