"""Ids carry their region and the time they were made."""

from datetime import UTC, datetime, timedelta

from gongji_svc.storage.ids import id_about, made_at, new_id, parse_id, region_of


def test_an_id_tells_its_region() -> None:
    assert region_of(new_id("000000")) == "000000"
    assert region_of(new_id("659099")) == "659099"


def test_an_id_tells_when_it_was_made() -> None:
    assert abs(made_at(new_id("150100")) - datetime.now(UTC)) < timedelta(minutes=1)


def test_ids_are_in_the_order_in_which_they_were_made() -> None:
    made = [new_id("150100") for _ in range(5_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_the_id_of_what_a_hash_stands_for_is_found_again_and_like_any_other() -> None:
    since = datetime(2025, 5, 6, tzinfo=UTC)
    hashes = [number.to_bytes(7, "big") + b"rest" for number in range(0, 1 << 56, 1 << 44)]
    ids = [id_about("150100", since, one) for one in hashes]
    assert ids == [id_about("150100", since, one) for one in hashes]
    assert len(set(ids)) == len(hashes)
    for one in ids:
        assert (region_of(one), made_at(one), parse_id(str(one))) == ("150100", since, one)


def test_what_is_no_id_of_ours_is_none() -> None:
    some = new_id("150100")
    assert parse_id(str(some)) == some
    assert parse_id(str(some).upper()) == some
    assert parse_id("018f2a00-0000-7000-8000-000000000001") is None
    assert parse_id("") is None
