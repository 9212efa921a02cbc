"""What identifies a person is stored only sealed (SM4-GCM) and found only by a keyed hash
(HMAC-SM3).

Rule: the index key and the data keys are apart. Data keys rotate (`gongji rekey`), each sealed
value has its key's id beside it; the index key stays, or nobody could be found again. Of several
data keys the file says which one seals: one that is only known yet opens what others seal with it.
A value is bound to its place, so a sealed name copied to another row does not open there. What is
signed here is signed by a key of its own, made from the index key.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import constant_time, hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_NONCE_BYTES = 12
_TAG_BYTES = 16
_DATA_KEY_BYTES = 16
_HIGHEST_KEY_ID = (1 << 15) - 1  # a smallint
_INDEX_KEY_BYTES = 32
_FIELD_HASH_BYTES = 8
_SIGNATURE_BYTES = 20
_SIGNING = b"signing key\0"


class KeyFileInvalid(Exception):
    """The key file can't be used; the message names the file, the line and the remedy."""


class SealBroken(Exception):
    """A sealed value does not open: another key, another place, or altered bytes."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of one installation: an index key and data keys by id, of which `current` seals."""

    index_key: bytes = field(repr=False)
    data_keys: Mapping[int, bytes] = field(repr=False)
    current: int = 1

    @classmethod
    def make(cls) -> Self:
        """A new key ring with fresh random keys."""
        return cls(secrets.token_bytes(_INDEX_KEY_BYTES), {1: secrets.token_bytes(_DATA_KEY_BYTES)})

    @classmethod
    def parse(cls, text: str, origin: str) -> Self:
        """Read a key file: a line `index HEX`, one or more lines `data ID HEX`, with several of
        them a line `current ID`; `#` begins a comment.
        """
        lines: dict[str, tuple[str, int]] = {}
        for number, line in enumerate(text.splitlines(), 1):
            match line.split("#", 1)[0].split():
                case []:
                    continue
                case [("index" | "current") as only, value]:
                    name = str(only)
                case ["data", key_id, value] if _is_key_id(key_id):
                    name = f"data {int(key_id)}"
                case _:
                    raise KeyFileInvalid(
                        f"{origin}:{number}: write 'index HEX', 'data ID HEX' or 'current ID'"
                    )
            if name in lines:
                raise KeyFileInvalid(f"{origin}:{number}: there is a '{name}' above: remove one")
            lines[name] = (value, number)
        data_keys = {
            int(name.removeprefix("data ")): _key(*line, _DATA_KEY_BYTES, origin)
            for name, line in lines.items()
            if name.startswith("data ")
        }
        if "index" not in lines or not data_keys:
            raise KeyFileInvalid(
                f"{origin}: needs one 'index HEX' line and at least one 'data ID HEX'"
            )
        index_key = _key(*lines["index"], _INDEX_KEY_BYTES, origin)
        named = lines["current"][0] if "current" in lines else ""
        return cls(index_key, data_keys, _current(named, data_keys, origin))

    def dump(self) -> str:
        """The text of a key file that `parse` reads."""
        data = [f"data {key_id} {key.hex()}" for key_id, key in sorted(self.data_keys.items())]
        return "\n".join([f"index {self.index_key.hex()}", *data, f"current {self.current}", ""])


def _is_key_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) <= _HIGHEST_KEY_ID


def _current(named: str, data_keys: Mapping[int, bytes], origin: str) -> int:
    if not named and len(data_keys) == 1:
        return next(iter(data_keys))
    if _is_key_id(named) and int(named) in data_keys:
        return int(named)
    known = ", ".join(str(key_id) for key_id in sorted(data_keys))
    raise KeyFileInvalid(
        f"{origin}: say by a line 'current ID' which of its data keys seals: {known}"
    )


def _key(text: str, line: int, size_bytes: int, origin: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != size_bytes:
        raise KeyFileInvalid(
            f"{origin}:{line}: the key must be {size_bytes * 2} hexadecimal digits"
        )
    return key


def place(thing_id: UUID, column: str) -> bytes:
    """To what the value of a column in somebody's or something's row is bound."""
    return thing_id.bytes + column.encode()


class Sealer:
    """Seals, opens and indexes with the keys of one installation."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys
        self.key_id = keys.current
        self._index = hmac.HMAC(keys.index_key, hashes.SM3())
        signing_key = self._index.copy()
        signing_key.update(_SIGNING)
        self._signing = hmac.HMAC(signing_key.finalize(), hashes.SM3())

    def seal(self, text: str, place: bytes) -> bytes:
        """Encrypt `text` with the current data key, bound to `place`: what the value belongs to."""
        return self.seal_bytes(text.encode(), place)

    def open(self, sealed: bytes, key_id: int, place: bytes) -> str:
        """Decrypt what `seal` made with data key `key_id` for `place`; SealBroken when it does not
        open.
        """
        return self.open_bytes(sealed, key_id, place).decode()

    def seal_bytes(self, content: bytes, place: bytes) -> bytes:
        """As `seal`, for what is no text."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        cipher = Cipher(algorithms.SM4(self._keys.data_keys[self.key_id]), modes.GCM(nonce))
        encryptor = cipher.encryptor()
        encryptor.authenticate_additional_data(place)
        body = encryptor.update(content) + encryptor.finalize()
        return nonce + encryptor.tag + body

    def open_bytes(self, sealed: bytes, key_id: int, place: bytes) -> bytes:
        """As `open`, for what is no text."""
        key = self._keys.data_keys.get(key_id)
        if key is None:
            raise SealBroken(f"data key {key_id} is not in the key file")
        nonce, tag = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES : _NONCE_BYTES + _TAG_BYTES]
        decryptor = Cipher(algorithms.SM4(key), modes.GCM(nonce, tag)).decryptor()
        decryptor.authenticate_additional_data(place)
        try:
            return decryptor.update(sealed[_NONCE_BYTES + _TAG_BYTES :]) + decryptor.finalize()
        except InvalidTag as broken:
            raise SealBroken("the sealed value does not belong here or was altered") from broken

    def index(self, kind: str, value: str) -> bytes:
        """The keyed hash (32 bytes) under which a certificate or card (`kind`, `value`) is found;
        x and X are the same.
        """
        digest = self._index.copy()
        digest.update(f"{kind}\0{value.upper()}".encode())
        return digest.finalize()

    def field_hash(self, value: bytes) -> bytes:
        """The keyed hash (8 bytes) by which two requests' fields are compared."""
        digest = self._index.copy()
        digest.update(b"field\0" + value)
        return digest.finalize()[:_FIELD_HASH_BYTES]

    def sign(self, content: bytes) -> bytes:
        """The signature (20 bytes) that only this installation can make."""
        digest = self._signing.copy()
        digest.update(content)
        return digest.finalize()[:_SIGNATURE_BYTES]

    def signed(self, content: bytes, signature: bytes) -> bool:
        """Whether `signature` is ours for `content`; the time it takes tells nothing of it."""
        return constant_time.bytes_eq(self.sign(content), signature)
