"""Becomes PostgreSQL: drops root's rights, ties itself to its starter's life, executes the server.

Rule: standard library only and run as a script (never imported), so that starting PostgreSQL
never forks a process full of threads. Arguments: parent pid, uid, gid, program, its arguments.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def become(parent_pid: int, uid: int, gid: int, command: list[str]) -> None:
    """Execute `command` as (uid, gid); on Linux it stops when its starting thread ends."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # After setuid: a change of credentials clears the signal.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent_pid:
            sys.exit("the starting process is gone already")
    os.umask(0o077)
    os.execv(command[0], command)  # noqa: S606  # no shell is what we want


if __name__ == "__main__":
    become(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
