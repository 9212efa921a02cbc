"""`make bench-memory`: what the core holds under an hour of load.

Rule: an open loop at a moderate rate, so that it says the same on a busy machine. Each minute is a
round; between rounds the patients' accounts are filled again, and what each process holds is read.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import cpu
from bench.calls import settle_once, settlements
from bench.cpu import Watched
from bench.ground import PAGE, Ground, command, ground, settle_down
from bench.load import Round
from bench.population import Maker, check_kept, refill, settled
from bench.report import machine, replace_part, spaced, table
from bench.rounds import NEAR, NEAR_REGIONS
from gongji_svc.storage.database import server_version

_WARM_SECONDS = 1.0
_PART = """\
# Memory under load

Written by this command, from an empty folder; do not edit:

    {command}

For {minutes} minutes purchases come at {rate:g} a second (open loop; settings as in the first
part, memory as /proc tells it each minute). PSS divides what processes share, RSS does not. In all
{answered} were answered, {dropped} were dropped; what was answered was found in the database.

| process | | after the first minute, MB | at the end, MB | most, MB |
| --- | --- | --- | --- | --- |
{rows}

Aim: flat, and at most 200 MB a process.

{samples}

{machine}
"""

Sample = Mapping[str, Mapping[str, float]]
"""By process, "rss" and "pss" in MB."""


def main() -> int:
    """Measure and write the part."""
    args = _arguments()
    with ground() as place:
        samples, answered, dropped = _run(args, place)
        with place.database.reader() as tx:
            version = server_version(tx)
    part = _PART.format(
        command=command("bench-memory"),
        minutes=args.minutes,
        rate=args.rate,
        answered=spaced(answered),
        dropped=dropped,
        rows="\n".join(_rows(samples)),
        samples=_samples(samples),
        machine=machine(version),
    )
    replace_part(args.output, part)
    print(f"written: {args.output}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.memory")
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--minute", type=float, default=60.0, help="seconds that one lasts")
    parser.add_argument("--rate", type=float, default=300.0, help="purchases a second")
    parser.add_argument("--persons", type=int, default=100_000)
    parser.add_argument("--output", type=Path, default=PAGE)
    args = parser.parse_args()
    if args.rate * args.minute * 3 > args.persons:
        parser.error(f"a minute needs {args.rate * args.minute * 3:.0f} persons")
    return args


def _run(args: argparse.Namespace, place: Ground) -> tuple[Sequence[Sample], int, int]:
    """A sample a minute; how many were answered and how many dropped."""
    maker = Maker(place.database, place.sealer)
    maker.prices()
    patients = maker.population(NEAR_REGIONS, args.persons)
    settle_down(place.server)
    samples: list[Sample] = []
    answered = dropped = 0
    minute = Round(NEAR, 0, _WARM_SECONDS, args.minute - _WARM_SECONDS, rate=args.rate)
    with place.workers() as serving:
        settle_once(serving.ports[0], patients.pop(), place.token_key)
        already = settled(place.database)[0]
        prepared = {NEAR: settlements(patients, place.token_key)}
        with place.client(serving, prepared) as measure:
            for number in range(args.minutes):
                refill(place.database)
                taken = measure(minute)
                answered, dropped = answered + taken.answered, dropped + taken.refused
                samples.append(_sample(serving.watched))
                print(f"{number + 1}: {_told(samples[-1])}", flush=True)
    check_kept(place.database, already, answered, dropped)
    return samples, answered, dropped


def _sample(watched: Watched) -> Sample:
    processes = {"front": watched.fronts[0], **_numbered(watched.writers)}
    return {name: cpu.memory_mb(process) for name, process in processes.items()}


def _numbered(writers: Sequence[int]) -> dict[str, int]:
    return {f"writer {place}": process for place, process in enumerate(writers, start=1)}


def _told(sample: Sample) -> str:
    return ", ".join(
        f"{process} {held['rss']:.0f} MB (PSS {held['pss']:.0f})"
        for process, held in sample.items()
    )


def _rows(samples: Sequence[Sample]) -> Sequence[str]:
    def row(process: str, kind: str) -> str:
        values = [sample[process][kind] for sample in samples]
        shown = (values[0], values[-1], max(values))
        return f"| {process} | {kind.upper()} | " + " | ".join(f"{mb:.0f}" for mb in shown) + " |"

    return [row(process, kind) for process in samples[0] for kind in ("rss", "pss")]


def _samples(samples: Sequence[Sample]) -> str:
    """Every tenth of the time, to see where it goes."""
    step = max(1, len(samples) // 10)
    numbers = range(0, len(samples), step)

    def row(process: str) -> list[str]:
        return [f"{process}, RSS", *(f"{samples[at][process]['rss']:.0f}" for at in numbers)]

    return table(["minute", *(str(at + 1) for at in numbers)], [row(name) for name in samples[0]])


if __name__ == "__main__":
    sys.exit(main())
