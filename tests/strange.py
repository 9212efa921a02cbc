"""Certificates and keys of kinds that we don't know, as an operator may well put before us.

Rule: only what one says that it is gets changed, its signature does not: whoever reads it has to
see that it can't be used before any signature is looked at.
"""

import base64
import re

_BLOCK = re.compile(rb"(-----BEGIN [A-Z ]+-----\n)(.+?)(-----END )", re.DOTALL)
_P256 = bytes.fromhex("06082a8648ce3d030107")
_SM2 = bytes.fromhex("06082a811ccf5501822d")
_VERSION_3 = bytes.fromhex("a003020102")
_VERSION_8 = bytes.fromhex("a003020107")


def as_sm2(pem: bytes) -> bytes:
    """The same certificates or key, on the curve of SM2."""
    return _changed(pem, _P256, _SM2)


def as_version_8(pem: bytes) -> bytes:
    """The same certificates, of a version that there is not."""
    return _changed(pem, _VERSION_3, _VERSION_8)


def _changed(pem: bytes, old: bytes, new: bytes) -> bytes:
    def change(block: re.Match[bytes]) -> bytes:
        begin, body, end = block.groups()
        return begin + base64.encodebytes(base64.b64decode(body).replace(old, new)) + end

    return _BLOCK.sub(change, pem)
