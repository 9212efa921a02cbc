"""The key file, and the keys it names: which opens, which seals."""

import pytest

from gongji_svc.storage.sealing import KeyFileInvalid, KeyRing, SealBroken, Sealer

INDEX, FIRST, SECOND = "index " + "1a" * 32, "data 1 " + "2b" * 16, "data 2 " + "3c" * 16


def parse(*lines: str) -> KeyRing:
    return KeyRing.parse("\n".join(lines), "FILE")


def test_a_single_data_key_seals_without_being_called_current() -> None:
    assert parse(INDEX, SECOND).current == 2


def test_of_several_data_keys_the_file_says_which_seals() -> None:
    keys = parse("# keys", INDEX, FIRST, SECOND, "current 1  # until all know 2")
    sealed = Sealer(keys).seal("王小明", b"place")
    assert Sealer(parse(INDEX, FIRST)).open(sealed, 1, b"place") == "王小明"


def test_what_is_sealed_with_a_key_that_is_only_known_opens() -> None:
    sealed = Sealer(parse(INDEX, FIRST, SECOND, "current 2")).seal("王小明", b"place")
    assert Sealer(parse(INDEX, FIRST, SECOND, "current 1")).open(sealed, 2, b"place") == "王小明"


def test_what_is_sealed_with_a_missing_key_names_it() -> None:
    sealed = Sealer(parse(INDEX, SECOND)).seal("王小明", b"place")
    with pytest.raises(SealBroken, match="data key 2 is not in the key file"):
        Sealer(parse(INDEX, FIRST)).open(sealed, 2, b"place")


def test_what_is_written_is_read_again() -> None:
    keys = parse(INDEX, FIRST, SECOND, "current 2")
    assert KeyRing.parse(keys.dump(), "FILE") == keys


def test_keys_are_not_shown_by_accident() -> None:
    assert "1a1a" not in repr(parse(INDEX, FIRST))
    assert "2b2b" not in repr(parse(INDEX, FIRST))


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ((INDEX,), "FILE: needs one 'index HEX' line"),
        ((FIRST,), "FILE: needs one 'index HEX' line"),
        ((INDEX, FIRST, SECOND), "FILE: say by a line 'current ID'.*: 1, 2"),
        ((INDEX, FIRST, "current 2"), "FILE: say by a line 'current ID'.*: 1"),
        ((INDEX, FIRST, "current x"), "FILE: say by a line 'current ID'.*: 1"),
        ((INDEX, FIRST, FIRST), "FILE:3: there is a 'data 1' above"),
        ((INDEX, FIRST, "data 01 " + "2b" * 16), "FILE:3: there is a 'data 1' above"),
        ((INDEX, INDEX, FIRST), "FILE:2: there is a 'index' above"),
        ((INDEX, FIRST, "current 1", "current 1"), "FILE:4: there is a 'current' above"),
        ((INDEX, "data 0 " + "2b" * 16), "FILE:2: write 'index HEX'"),
        ((INDEX, "data 32768 " + "2b" * 16), "FILE:2: write 'index HEX'"),
        ((INDEX, "data 1 2b"), "FILE:2: the key must be 32 hexadecimal digits"),
        ((INDEX, FIRST, "currently 1"), "FILE:3: write 'index HEX'"),
    ],
)
def test_a_wrong_key_file_names_the_line_and_the_remedy(lines: tuple[str, ...], what: str) -> None:
    with pytest.raises(KeyFileInvalid, match=what):
        parse(*lines)
