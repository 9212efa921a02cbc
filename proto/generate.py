"""Generates the Python code of the contract, or checks that the committed code is current.

Rule: `python proto/generate.py` writes src/gongji; with `--check` it writes nothing and fails on a
difference. Only our own files are generated, and buf.validate, whose wheel has no module for the
protobuf runtime; google's come from their wheel.
"""

import filecmp
import os
import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from comments import write_comments
from grpc_tools import protoc

PROTO = Path(__file__).resolve().parent
SOURCE = PROTO.parent / "src"
PACKAGES = ("gongji/v1", "gongji/buf/validate")  # what is generated, below SOURCE
COMMENTS = "gongji/v1/comments.json"


def run_protoc(*arguments: str) -> None:
    """Runs protoc with our include paths; ends the program when it fails."""
    includes = [PROTO, PROTO / "third_party", files("grpc_tools") / "_proto"]
    status = protoc.main(["protoc", *(f"-I{path}" for path in includes), *arguments])
    if status:
        sys.exit(status)


def outputs(plugins: str, destination: Path) -> list[str]:
    """protoc's options for these plugins; mypy's are told not to list what they write."""
    quiet = {"mypy": "quiet:", "mypy_grpc": "quiet:"}
    return [f"--{name}_out={quiet.get(name, '')}{destination}" for name in plugins.split()]


def generate(destination: Path) -> None:
    """Writes messages, services, stubs and comments of the contract below `destination`."""
    ours = sorted(str(path.relative_to(PROTO)) for path in PROTO.glob("gongji/v1/*.proto"))
    run_protoc(*outputs("python grpc_python mypy mypy_grpc", destination), *ours)
    within = destination / "gongji"
    run_protoc(*outputs("python mypy", within), "buf/validate/validate.proto")
    for path in generated(destination):
        text = path.read_text(encoding="utf-8")  # a top-level package `buf` is not ours to take
        moved = text.replace("from buf.validate import", "from gongji.buf.validate import")
        path.write_text(moved, encoding="utf-8")
    described = destination / "described.binpb"
    run_protoc(f"--descriptor_set_out={described}", "--include_source_info", *ours)
    write_comments(described, destination / COMMENTS)
    described.unlink()
    for package in ("gongji", "gongji/buf", *PACKAGES):
        (destination / package / "__init__.py").touch()


def generated(destination: Path) -> list[Path]:
    """The generated files below `destination`."""
    found = (path for package in PACKAGES for path in (destination / package).glob("*_pb2*.py*"))
    return sorted(path for path in found if path.suffix in (".py", ".pyi"))


def stale(fresh: Path) -> list[str]:
    """Names of the committed files that are missing, left over or different from fresh ones."""
    names = {path.relative_to(root) for root in (SOURCE, fresh) for path in generated(root)}
    names.add(Path(COMMENTS))
    _, different, absent = filecmp.cmpfiles(SOURCE, fresh, map(str, names), shallow=False)
    return sorted([*different, *absent])


def main() -> None:
    """Generates beside the committed code first, so that a failure leaves that as it was."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        generate(fresh)
        names = stale(fresh)
        if "--check" in sys.argv[1:]:
            sys.exit(f"not current, run `make proto`: {', '.join(names)}" if names else 0)
        for name in names:
            (SOURCE / name).unlink(missing_ok=True)
        shutil.copytree(fresh, SOURCE, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
