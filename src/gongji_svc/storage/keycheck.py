"""Whether the keys at hand are those this database was sealed with.

Rule: with other keys nobody could be found and people would be registered twice, so a service that
is given the wrong file does not start. The first start leaves the proofs; a new data key adds its
own.
"""

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from gongji_svc.domain.policy import NATION
from gongji_svc.storage import tables
from gongji_svc.storage.database import Database
from gongji_svc.storage.sealing import KeyRing, Sealer

_TEXT = "gongji"
_INDEX = 0


class KeysDiffer(Exception):
    """The key file is not the one this database was sealed with; the message says what to do."""


def has_keys(database: Database) -> bool:
    """Whether the database was sealed with some key already."""
    with database.reader() as tx:
        return bool(_proofs(tx))


def check_keys(database: Database, keys: KeyRing) -> None:
    """KeysDiffer unless these are the database's keys; the first ones are taken as such."""
    with database.transaction() as tx:
        kept = _proofs(tx)
        if not kept or _proven(kept, keys):
            # Several may start at once: whose keys came first is read again.
            for key_id in (_INDEX, *keys.data_keys):
                row = {"region": NATION, "key_id": key_id, "proof": _proof(keys, key_id)}
                tx.execute(insert(tables.key_checks).values(row).on_conflict_do_nothing())
            kept = _proofs(tx)
        if not _proven(kept, keys):
            raise KeysDiffer(
                "the key file is not the one this database was sealed with: put that file back "
                "(data.key in the data folder, or the one GONGJI_DATA_KEY named)"
            )


def _proofs(tx: Connection) -> dict[int, bytes]:
    checks = tables.key_checks.c
    return {row.key_id: row.proof for row in tx.execute(select(checks.key_id, checks.proof))}


def _proven(kept: dict[int, bytes], keys: KeyRing) -> bool:
    """The index key must be the same; a data key that is known must be, too."""
    known = [key_id for key_id in (_INDEX, *keys.data_keys) if key_id in kept]
    return _INDEX in known and all(kept[key_id] == _proof(keys, key_id) for key_id in known)


def _proof(keys: KeyRing, key_id: int) -> bytes:
    if key_id == _INDEX:
        return Sealer(keys).index("key check", _TEXT)
    # A data key proves itself as an index key would: by what it makes of the text.
    return Sealer(KeyRing(keys.data_keys[key_id] * 2, keys.data_keys)).index("key check", _TEXT)
