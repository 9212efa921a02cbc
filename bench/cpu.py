"""Processor time, and memory, of the processes that take part, from /proc.

Rule: a reading names who used the time: front, writer, PostgreSQL with all its children, the load
client, and everybody else on the machine, who disturbs the measurement.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")
_PPID, _USER, _SYSTEM, _CHILDREN_USER, _CHILDREN_SYSTEM = 1, 11, 12, 13, 14
_IDLE = (3, 4)  # idle and waiting for a disk


@dataclass(frozen=True, slots=True)
class Watched:
    """The processes of all workers and of their database, by number."""

    fronts: Sequence[int]
    writers: Sequence[int]
    postgres: int


def seconds(watched: Watched) -> dict[str, float]:
    """The processor seconds used so far: fronts, writers, postgres, client (this process), all."""
    return {
        "front": sum(own(front) for front in watched.fronts),
        "writer": sum(own(writer) for writer in watched.writers),
        "postgres": family(watched.postgres),
        "client": own(os.getpid()),
        "all": machine(),
    }


def used(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """The processor seconds between two readings; "others" are the rest of the machine's."""
    spent = {name: after[name] - before[name] for name in before}
    ours = sum(spent[name] for name in ("front", "writer", "postgres", "client"))
    return spent | {"others": max(0.0, spent["all"] - ours)}


def writers_of(fronts: Sequence[int]) -> list[int]:
    """The writer processes of fronts, which have no other children."""
    return sorted(number for number, fields in _processes() if int(fields[_PPID]) in fronts)


def _fields(number: int) -> list[str]:
    """The fields of /proc/N/stat after the name, which may hold spaces."""
    return (_PROC / str(number) / "stat").read_text().rpartition(")")[2].split()


def _processes() -> list[tuple[int, list[str]]]:
    found = []
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            found.append((int(entry.name), _fields(int(entry.name))))
        except OSError:  # it ended meanwhile
            continue
    return found


def own(number: int) -> float:
    return _seconds_of(_fields(number))


def family(number: int) -> float:
    """A process, its children, and those of them that ended."""
    fields = _fields(number)
    children = [of for _, of in _processes() if int(of[_PPID]) == number]
    gone = (int(fields[_CHILDREN_USER]) + int(fields[_CHILDREN_SYSTEM])) * _TICK_SECONDS
    return _seconds_of(fields) + gone + sum(_seconds_of(child) for child in children)


def _seconds_of(fields: list[str]) -> float:
    return (int(fields[_USER]) + int(fields[_SYSTEM])) * _TICK_SECONDS


def most_memory_mb(number: int) -> float:
    """The most memory that a process had so far; 0 when it has ended."""
    try:
        status = (_PROC / str(number) / "status").read_text()
    except OSError:
        return 0.0
    found = (line.split() for line in status.splitlines() if line.startswith("VmHWM:"))
    return max((int(words[1]) / 1024 for words in found), default=0.0)


def memory_mb(number: int) -> dict[str, float]:
    """What a process holds now: "rss", and "pss" where what several share is divided."""
    lines = (_PROC / str(number) / "smaps_rollup").read_text().splitlines()
    named = {name.lower(): size for name, _, size in (line.partition(":") for line in lines)}
    return {name: int(named[name].split()[0]) / 1024 for name in ("rss", "pss")}


def machine() -> float:
    """The processor seconds that everybody used since the machine started."""
    line = (_PROC / "stat").read_text().split("\n", 1)[0]
    ticks = [int(field) for field in line.split()[1:9]]
    return sum(t for place, t in enumerate(ticks) if place not in _IDLE) * _TICK_SECONDS
