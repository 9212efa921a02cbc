"""The same work as plain SQL: pgbench with settlement.sql, beside which a Settle is measured.

Rule: the texts and answers it writes are those of a settlement that the service made; 16
connections, prepared statements, the engine's own settings for the planner; a statement a round
trip, as plain SQL goes.
"""

import os
import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from bench import cpu
from bench.cpu import Watched
from bench.ground import Ground
from bench.load import Measured
from bench.population import Patient
from gongji_svc.domain.calendar import SHANGHAI
from gongji_svc.storage.embedded import RUNTIME
from gongji_svc.storage.people import CARD

_SCRIPT = Path(__file__).with_name("settlement.sql")
_CONNECTIONS = 16
_CALLS = """
    CREATE TABLE bench_calls (number int PRIMARY KEY, hash bytea, person_id uuid,
        institution_code text, code_1 text, code_2 text, code_3 text)"""
_COPY = """
    COPY bench_calls (number, hash, institution_code, code_1, code_2, code_3) FROM STDIN"""
_NAME = """
    UPDATE bench_calls AS c SET person_id = d.person_id
    FROM person_directory AS d WHERE d.hash = c.hash"""
_SAMPLE = """
    SELECT s.policy, s.detail::text, '\\x' || encode(r.content, 'hex'),
        '\\x' || encode(r.answer, 'hex')
    FROM settlements AS s JOIN requests AS r ON r.result_id = s.id
    ORDER BY s.id DESC LIMIT 1"""
_PLANNER = (
    "enable_seqscan=off",
    "enable_hashjoin=off",
    "enable_mergejoin=off",
    "plan_cache_mode=force_generic_plan",
)
_PROGRESS = re.compile(r"progress: [\d.]+ s, ([\d.]+) tps")
_PROCESSED = re.compile(r"transactions actually processed: (\d+)")


class PlainFailed(Exception):
    """pgbench ended with an error; the message is its own."""


@dataclass(slots=True)
class Plain:
    """pgbench on a ground where at least one settlement was made."""

    ground: Ground
    calls: int
    sample: Sequence[str]
    _start: int = 0

    @classmethod
    def prepare(cls, ground: Ground, patients: Sequence[Patient]) -> "Plain":
        """Number the patients, in the order in which they come."""
        with psycopg.connect(ground.server.owner_url) as owner:
            owner.execute(_CALLS)
            with owner.cursor().copy(_COPY) as copy:
                for number, one in enumerate(patients):
                    found = ground.sealer.index(CARD, one.card_no)
                    copy.write_row((number, found, one.institution_code, *one.catalog_codes))
            owner.execute(_NAME)
            owner.execute(f"GRANT SELECT ON bench_calls TO {RUNTIME}")
            sample = owner.execute(_SAMPLE).fetchone()
        with psycopg.connect(ground.server.owner_url, autocommit=True) as owner:
            owner.execute("VACUUM ANALYZE bench_calls")
        assert sample is not None  # noqa: S101 - a settlement was made
        return cls(ground, len(patients), sample)

    def measure(self, seconds: float, watched: Watched) -> Measured:
        """One measurement; the first second warms up."""
        wanted = max(1, round(seconds))
        running = subprocess.Popen(
            self._command(
                *("--client", str(_CONNECTIONS), "--time", str(wanted + 2), "--progress", "1")
            ),
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert running.stderr is not None and running.stdout is not None  # noqa: S101 - both are pipes
        rates: list[float] = []
        told: list[str] = []
        before = after = _used(watched, running.pid)
        began = ended = time.perf_counter()
        is_warm = False
        for line in running.stderr:
            found = _PROGRESS.match(line)
            if found is None:
                told.append(line)
            elif not is_warm:
                is_warm = True
                before, began = _used(watched, running.pid), time.perf_counter()
            elif len(rates) < wanted:
                rates.append(float(found[1]))
                after, ended = _used(watched, running.pid), time.perf_counter()
        processed = _PROCESSED.search(running.stdout.read())
        if running.wait() or processed is None or not rates:
            raise PlainFailed("".join(told)[-2000:])
        self._start += int(processed[1]) + _CONNECTIONS**2  # some connections went ahead
        lasted = ended - began
        calls = round(sum(rates) / len(rates) * lasted)
        return Measured(calls, int(processed[1]), lasted, {}, cpu.used(before, after))

    def once(self) -> None:
        """One settlement, of the next patient."""
        command = self._command("--client", "1", "--transactions", "1")
        subprocess.run(command, env=self._environment(), check=True, capture_output=True)
        self._start += 1

    def _command(self, *how: str) -> list[str]:
        policy, detail, content, answer = self.sample
        today = datetime.now(SHANGHAI).date().isoformat()
        given = {
            "start": self._start,
            "turn": 0,
            "calls": self.calls,
            "today": today,
            "policy": policy,
            "detail": detail,
            "content": content,
            "answer": answer,
        }
        words = ["--file", str(_SCRIPT), "--no-vacuum", "--protocol", "prepared", *how]
        defined = (f"--define={name}={value}" for name, value in given.items())
        return [f"{self.ground.server.binaries}/pgbench", *words, *defined]

    def _environment(self) -> dict[str, str]:
        address = urlsplit(self.ground.server.runtime_url)
        return {
            **os.environ,
            "PGHOST": address.hostname or "",
            "PGPORT": str(address.port),
            "PGUSER": address.username or "",
            "PGPASSWORD": address.password or "",
            "PGDATABASE": address.path.removeprefix("/"),
            "PGOPTIONS": " ".join(f"-c {setting}" for setting in _PLANNER),
        }


def _used(watched: Watched, client: int) -> dict[str, float]:
    """As cpu.seconds, with pgbench as the client."""
    return {**cpu.seconds(watched), "client": cpu.own(client)}
