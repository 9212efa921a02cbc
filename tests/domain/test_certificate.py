"""The number of a resident identity card."""

from datetime import date

import pytest

from gongji_svc.domain.certificate import birth_date_in, check_digit, identity_card_faults


@pytest.mark.parametrize(
    ("number", "born"),
    [
        ("11010519491231002X", date(1949, 12, 31)),
        ("150199200002290013", date(2000, 2, 29)),
        ("150199200102290013", None),
        ("15019920010229001", None),
        ("P1234567", None),
        ("１５０１９９２００００２２９００１３", None),
    ],
)
def test_the_birth_date_stands_in_an_18_digit_number(number: str, born: date | None) -> None:
    assert birth_date_in(number) == born


def test_the_last_character_follows_from_the_others() -> None:
    # The example of GB 11643-1999, annex A.
    assert check_digit("11010519491231002") == "X"
    assert check_digit("44052418800101001") == "4"


@pytest.mark.parametrize(
    ("number", "born", "fields"),
    [
        ("11010519491231002X", date(1949, 12, 31), []),
        ("11010519491231002x", None, []),
        ("110105194912310021", date(1949, 12, 31), ["certificate.number"]),
        ("110105491231002", date(1949, 12, 31), ["certificate.number"]),
        ("11010519491331002X", None, ["certificate.number"]),
        ("11010519491231002X", date(1949, 12, 30), ["birth_date"]),
    ],
)
def test_a_number_has_its_check_digit_and_the_day_of_birth(
    number: str, born: date | None, fields: list[str]
) -> None:
    assert [one.field for one in identity_card_faults(number, born)] == fields
