"""A fuzzing process: `python -m tests.fuzz.guided TARGET FOLDER [libFuzzer's options and files]`.

Rule: it reads the database's address from its environment, instruments our own modules only, puts
the seeds into FOLDER, and never returns: libFuzzer ends the process, with what it found as a file.
"""

import os
import sys
from hashlib import sha256
from pathlib import Path

import atheris
import structlog


def main(name: str, folder: Path, options: list[str]) -> None:
    """Run a target until the options' time is up, or something is found."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with atheris.instrument_imports(include=["gongji_svc", "gateway"]):
        from gongji_svc.storage.database import Database
        from tests.fuzz import calls, texts
    if name == "calls":
        one, seeds = calls.target(Database(os.environ["FUZZ_DATABASE_URL"])), calls.seeds()
    else:
        one, seeds = texts.target(folder), texts.seeds()
    corpus = folder / "seeds"
    corpus.mkdir(exist_ok=True)
    for seed in seeds:
        (corpus / sha256(seed).hexdigest()[:16]).write_bytes(seed)
    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
