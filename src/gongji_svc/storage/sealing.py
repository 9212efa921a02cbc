"""What identifies a person is stored only sealed (SM4-GCM) and found only by a keyed hash
(HMAC-SM3).

Rule: the index key and the data keys are apart. Data keys rotate (`gongji rekey`), each sealed
value has its key's id beside it; the index key stays, or nobody could be found again. A value is
bound to its place, so a sealed name copied to another row does not open there. What is signed here
is signed by a key of its own, made from the index key.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import constant_time, hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_NONCE_BYTES = 12
_TAG_BYTES = 16
_DATA_KEY_BYTES = 16
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
    """The keys of one installation: an index key and data keys by id, the highest id sealing."""

    index_key: bytes
    data_keys: Mapping[int, bytes]

    @classmethod
    def make(cls) -> Self:
        """A new key ring with fresh random keys."""
        return cls(secrets.token_bytes(_INDEX_KEY_BYTES), {1: secrets.token_bytes(_DATA_KEY_BYTES)})

    @classmethod
    def parse(cls, text: str, origin: str) -> Self:
        """Read a key file: one line `index HEX`, one or more lines `data ID HEX`; `#` begins a
        comment.
        """
        index_key = b""
        data_keys: dict[int, bytes] = {}
        for number, line in enumerate(text.splitlines(), 1):
            match line.split("#", 1)[0].split():
                case []:
                    continue
                case ["index", digits]:
                    index_key = _key(digits, _INDEX_KEY_BYTES, origin, number)
                case ["data", key_id, digits] if key_id.isdigit() and 0 < int(key_id) < 1 << 15:
                    data_keys[int(key_id)] = _key(digits, _DATA_KEY_BYTES, origin, number)
                case _:
                    raise KeyFileInvalid(f"{origin}:{number}: write 'index HEX' or 'data ID HEX'")
        if not index_key or not data_keys:
            raise KeyFileInvalid(
                f"{origin}: needs one 'index HEX' line and at least one 'data ID HEX'"
            )
        return cls(index_key, data_keys)

    def dump(self) -> str:
        """The text of a key file that `load` reads."""
        data = [f"data {key_id} {key.hex()}" for key_id, key in sorted(self.data_keys.items())]
        return "\n".join([f"index {self.index_key.hex()}", *data, ""])


def _key(text: str, size_bytes: int, origin: str, line: int) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != size_bytes:
        raise KeyFileInvalid(
            f"{origin}:{line}: the key must be {size_bytes * 2} hexadecimal digits"
        )
    return key


class Sealer:
    """Seals, opens and indexes with the keys of one installation."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys
        self.key_id = max(keys.data_keys)
        self._index = hmac.HMAC(keys.index_key, hashes.SM3())
        signing_key = self._index.copy()
        signing_key.update(_SIGNING)
        self._signing = hmac.HMAC(signing_key.finalize(), hashes.SM3())

    def seal(self, text: str, place: bytes) -> bytes:
        """Encrypt `text` with the newest data key, bound to `place` (what the value belongs to)."""
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
