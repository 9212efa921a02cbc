"""Coverage-guided fuzzing (atheris): what reads strange bytes, for FUZZ_SECONDS each (20).

Rule: each target is a process of its own (tests/fuzz/guided.py), with a limit of time for one input
and of memory. What it finds lies in build/fuzz; docs/fuzzing.md says how to make it come again.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gongji_svc.storage.database import Database

_ROOT = Path(__file__).parents[2]
_SECONDS = int(os.environ.get("FUZZ_SECONDS", "20"))
_SEED = os.environ.get("FUZZ_SEED", "1")
_INPUT = os.environ.get("FUZZ_INPUT", "")
_ONE_INPUT_SECONDS, _MOST_MEGABYTES, _LONGEST_BYTES = 10, 2048, 2048
_TO_START_SECONDS = 240
_TOLD_CHARACTERS = 4000

needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="atheris is not installed: it is made for Linux on x86-64, Python 3.11 to 3.13",
)


@needs_atheris
@pytest.mark.timeout(_SECONDS + _TO_START_SECONDS)
@pytest.mark.parametrize("target", ["calls", "texts"])
def test_no_bytes_that_a_fuzzer_finds_break_what_reads_them(
    target: str, database: Database, tmp_path: Path
) -> None:
    found = _ROOT / "build" / "fuzz" / target
    grown = found / "corpus"
    grown.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.fuzz.guided", target, tmp_path),
            *(f"-max_total_time={_SECONDS}", f"-seed={_SEED}", f"-timeout={_ONE_INPUT_SECONDS}"),
            *(f"-rss_limit_mb={_MOST_MEGABYTES}", f"-max_len={_LONGEST_BYTES}", "-len_control=10"),
            *(f"-artifact_prefix={found}/", "-print_final_stats=1"),
            *([_INPUT] if _INPUT else [grown, tmp_path / "seeds"]),
        ],
        cwd=_ROOT,
        env={**os.environ, "FUZZ_DATABASE_URL": database.runtime_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    said = done.stdout.decode(errors="replace")
    sys.stdout.write(said[-_TOLD_CHARACTERS:])
    assert done.returncode == 0, f"{found} has what was found; see docs/fuzzing.md"
