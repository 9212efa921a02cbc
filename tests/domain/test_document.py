"""What may be uploaded is told by its first bytes."""

import pytest

from gongji_svc.domain.document import media_type_of


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"%PDF-1.4", "application/pdf"),
        (b" %PDF-1.4", None),
        (b"GIF89a", None),
        (b"\xff\xd8", None),
        (b"", None),
    ],
)
def test_the_first_bytes_tell_the_media_type(content: bytes, media_type: str | None) -> None:
    assert media_type_of(content) == media_type
