"""Money is integers, and every division says how it rounds."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongji_svc.domain import money
from tests.domain.builders import PROPERTY

AMOUNT = st.integers(0, 10**13)
RATIO = st.integers(0, 10_000)


def test_a_half_is_rounded_up_to_the_fen() -> None:
    assert [money.half_up(n, 10) for n in (4, 5, 14, 15)] == [0, 1, 1, 2]


@PROPERTY
@given(AMOUNT, st.integers(1, 10**9))
def test_half_up_rounds_as_decimal_does(numerator: int, denominator: int) -> None:
    exact = Decimal(numerator) / Decimal(denominator)
    assert money.half_up(numerator, denominator) == int(exact.quantize(0, ROUND_HALF_UP))


@pytest.mark.requirement("ULQ-30")
def test_a_chain_of_ratios_is_rounded_once() -> None:
    # 3 fen x 50 % x 50 % = 0.75: once 1; rounded twice it would be 2 x 50 % = 1, so take 1 fen:
    # 1 x 50 % x 50 % = 0.25 is 0, rounded twice 1.
    assert money.ratio_of(1, (5_000, 5_000)) == 0
    assert money.ratio_of(3, (5_000, 5_000)) == 1


@PROPERTY
@given(AMOUNT, st.lists(RATIO, max_size=4))
def test_a_ratio_never_yields_more_than_the_amount(amount: int, ratios: list[int]) -> None:
    assert 0 <= money.ratio_of(amount, ratios) <= amount


def test_a_share_of_nothing_is_nothing() -> None:
    assert money.share_of(100, 0, 0) == 0


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("1", 10_000), ("0.5", 5_000), ("12.3456", 123_456)]
)
def test_a_quantity_has_at_most_four_places(text: str, value: int) -> None:
    assert money.parse_quantity(text) == value
    assert money.format_quantity(value) == text


@pytest.mark.parametrize("text", ["", ".", "1.", ".5", "-1", "+1", "1e3", " 1", "1.23456", "１"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="decimal"):
        money.parse_quantity(text)


def test_a_price_has_six_places() -> None:
    assert money.parse_price("0.000001") == 1
    assert money.format_price(12_500_000) == "12.5"


def test_fen_are_shown_as_yuan_and_basis_points_as_percent() -> None:
    assert money.yuan(1_234_567) == "12,345.67"
    assert money.yuan(-5) == "-0.05"
    assert [money.percent(bp) for bp in (6_500, 6_550, 10_000)] == ["65%", "65.5%", "100%"]


def test_price_times_quantity_is_rounded_half_up() -> None:
    assert money.line_fen(12_345_000, 10_000) == 1_235  # 12.345 yuan
    assert money.line_fen(333_333, 30_000) == 100  # 0.999999 yuan
