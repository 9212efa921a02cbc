"""Whether the keys at hand are those this database was sealed with, and which of them are in use.

Rule: with other keys nobody could be found and people would be registered twice, and with a key
missing some could not be read, so a service that is given the wrong file does not start. The first
start leaves the proofs; a new data key adds its own, and becomes the current one only after it was
known. A data key that is closed seals nothing any more; one that is retired may be missing
(docs/decisions/keys.md).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from gongji_svc.domain.policy import NATION
from gongji_svc.storage import tables
from gongji_svc.storage.database import Database
from gongji_svc.storage.sealing import KeyRing, Sealer

_TEXT = "gongji"
_INDEX = 0
_CHECKS = tables.key_checks.c


class KeysDiffer(Exception):
    """The key file is not the one this database needs; the message says what to do."""


@dataclass(frozen=True, slots=True)
class KeyCheck:
    """What the database knows of a key."""

    proof: bytes
    is_closed: bool
    is_retired: bool


def has_keys(database: Database) -> bool:
    """Whether the database was sealed with some key already."""
    with database.reader() as tx:
        return bool(_kept(tx))


def check_keys(database: Database, keys: KeyRing, *, all_needed: bool = True) -> None:
    """KeysDiffer unless these are the database's keys; the first ones are taken as such.

    Without `all_needed` data keys may be missing: for who looks whether they are in use.
    """
    with database.transaction() as tx:
        kept = _kept(tx)
        if kept:
            _expect_own(kept, keys)
            _expect_sealing(kept, keys)
        # Several may start at once: whose keys came first is read again.
        for key_id in (_INDEX, *keys.data_keys):
            row = {"region": NATION, "key_id": key_id, "proof": _proof(keys, key_id)}
            tx.execute(insert(tables.key_checks).values(row).on_conflict_do_nothing())
        kept = _kept(tx)
        _expect_own(kept, keys)
        if all_needed:
            _expect_all(kept, keys)


def known_data_keys(tx: Connection) -> Mapping[int, KeyCheck]:
    """The data keys that this database was ever given, by id."""
    return {key_id: check for key_id, check in _kept(tx).items() if key_id != _INDEX}


def close(tx: Connection, key_ids: Collection[int]) -> None:
    """From the end of this transaction on nothing is sealed with these data keys."""
    _mark(tx, "closed_at", key_ids)


def retire(tx: Connection, key_ids: Collection[int]) -> None:
    """No value is sealed with these closed data keys: they may be missing from the key file."""
    _mark(tx, "retired_at", key_ids)


def _mark(tx: Connection, name: str, key_ids: Collection[int]) -> None:
    unmarked = tables.key_checks.c[name].is_(None)
    these = update(tables.key_checks).where(_CHECKS.key_id.in_(key_ids), unmarked)
    tx.execute(these.where(_CHECKS.region == NATION).values({name: func.now()}))


def _kept(tx: Connection) -> dict[int, KeyCheck]:
    columns = _CHECKS.key_id, _CHECKS.proof, _CHECKS.closed_at, _CHECKS.retired_at
    return {
        key_id: KeyCheck(proof, closed_at is not None, retired_at is not None)
        for key_id, proof, closed_at, retired_at in tx.execute(select(*columns))
    }


def _expect_own(kept: Mapping[int, KeyCheck], keys: KeyRing) -> None:
    """The index key must be the same; a data key that is known must be, too."""
    known = [key_id for key_id in (_INDEX, *keys.data_keys) if key_id in kept]
    if _INDEX in known and all(kept[key_id].proof == _proof(keys, key_id) for key_id in known):
        return
    raise KeysDiffer(
        "the key file is not the one this database was sealed with: put that file back "
        "(data.key in the data folder, or the one GONGJI_DATA_KEY named)"
    )


def _expect_sealing(kept: Mapping[int, KeyCheck], keys: KeyRing) -> None:
    """The current key must be known, or others could not open what is sealed with it."""
    check = kept.get(keys.current)
    if check is None:
        raise KeysDiffer(
            f"data key {keys.current} is new here: first start every process with it in the key "
            "file beside the one that is still current, then make it current"
        )
    if check.is_closed:
        raise KeysDiffer(
            f"data key {keys.current} is closed since `gongji rekey`: name a newer one by the line "
            "'current ID' of the key file"
        )


def _expect_all(kept: Mapping[int, KeyCheck], keys: KeyRing) -> None:
    """A data key that may be in use must be there."""
    for key_id, check in sorted(kept.items()):
        if key_id != _INDEX and key_id not in keys.data_keys and not check.is_retired:
            raise KeysDiffer(
                f"data key {key_id} is missing from the key file, and values may be sealed with "
                "it: put its line back; `gongji rekey` says when it may go"
            )


def _proof(keys: KeyRing, key_id: int) -> bytes:
    if key_id == _INDEX:
        return Sealer(keys).index("key check", _TEXT)
    # A data key proves itself as an index key would: by what it makes of the text.
    own = KeyRing(keys.data_keys[key_id] * 2, keys.data_keys, key_id)
    return Sealer(own).index("key check", _TEXT)
