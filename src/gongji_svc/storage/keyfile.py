"""Where the keys lie: the file that GONGJI_DATA_KEY names, or one of our own in the data folder.

Rule: a production service is told its key file and refuses to start without; `gongji up` makes one,
readable by its owner only. Whoever loses the file loses every name in the database.
"""

import contextlib
import os
import tempfile
from pathlib import Path

from gongji_svc.config import Config
from gongji_svc.storage.sealing import KeyFileInvalid, KeyRing

_OWN = "data.key"


def configured_keys(config: Config) -> KeyRing:
    """The keys in the configured file; KeyFileInvalid when none is named."""
    if config.data_key is None:
        raise KeyFileInvalid(
            "GONGJI_DATA_KEY: name the key file; without it nothing can be stored or found"
        )
    return _read(Path(config.data_key))


def own_keys(config: Config) -> KeyRing:
    """The keys in the configured file, or else in the one that `made_keys` made."""
    return _read(Path(config.data_key) if config.data_key else config.data_dir / _OWN)


def made_keys(config: Config, *, may_make: bool) -> KeyRing:
    """As `own_keys`; where there is no file at all and one may be made, one is (0600)."""
    if config.data_key is None and may_make:
        make_once(config.data_dir / _OWN, KeyRing.make().dump())
    return own_keys(config)


def make_once(path: Path, text: str) -> None:
    """Make a secret file (0600) unless there is one; nobody ever sees it half written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent) as file:
        file.write(text)
        file.flush()
        with contextlib.suppress(FileExistsError):
            os.link(file.name, path)


def _read(path: Path) -> KeyRing:
    try:
        return KeyRing.parse(path.read_text(), str(path))
    except OSError as error:
        raise KeyFileInvalid(f"the key file {path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise KeyFileInvalid(f"{path} is no key file: it is not text") from error
