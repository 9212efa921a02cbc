"""The regions' rules as data: one TOML file a region, each value with its source.

Rule: a new region is a new file and its cases, never Python. All files are read and checked when
the service starts; a bad one stops the start with file, line and field (`PolicyError`).
"""

from pathlib import Path

from gongji_svc.domain.policy_document import PolicyError, rulebook_documents
from gongji_svc.domain.rulebook import Rulebook

DIRECTORY = Path(__file__).parent


def load(directory: Path = DIRECTORY) -> Rulebook:
    """Read every region's file of a directory; PolicyError names file, line and field."""
    files: dict[str, str] = {}
    for path in sorted(directory.glob("*.toml")):
        files[path.name] = _text(path)
    documents = rulebook_documents(files)
    for document in documents:
        expected = f"{document.region}.toml"
        if document.file != expected:
            raise PolicyError(document.file, 1, "region", f"expected the file {expected}")
    return Rulebook(documents)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise PolicyError(path.name, line, "(text)", "expected UTF-8") from None
