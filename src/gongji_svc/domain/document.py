"""Documents (证明材料): what may be uploaded.

Rule: JPEG, PNG or PDF, told by the content and not by a name, at most 10 MiB.
"""

MAX_BYTES = 10 * 1024 * 1024

_SIGNATURES = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"%PDF-": "application/pdf",
}


def media_type_of(content: bytes) -> str | None:
    """The media type that the content's first bytes tell, None for any other."""
    for signature, media_type in _SIGNATURES.items():
        if content.startswith(signature):
            return media_type
    return None
