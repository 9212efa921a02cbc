"""The rounds: every series in each, ratios within a round."""

import pytest

from bench.load import Measured
from bench.population import region_codes
from bench.rounds import COMPARISONS, FAR_REGIONS, SERIES, Series, compared, in_turn


def measured(calls: int) -> Measured:
    return Measured(calls, calls, 1.0, {"p50": 1.0, "p99": 2.0}, {"front": 1.0, "writer": 0.0})


def test_every_series_is_measured_once_a_round_and_none_is_always_first() -> None:
    order: list[str] = []

    def note(series: Series) -> Measured:
        order.append(series.name)
        return measured(1)

    results = in_turn(2, note)
    assert {name: len(taken) for name, taken in results.items()} == {s.name: 2 for s in SERIES}
    assert order[0] != order[len(SERIES)]


def test_a_ratio_is_taken_within_its_round() -> None:
    rate = COMPARISONS[0]
    results = {
        rate.series: [measured(50), measured(20), measured(300)],
        rate.other: [measured(100), measured(100), measured(1000)],
    }
    found = compared(rate, results)
    assert (found.middle, found.least, found.most) == pytest.approx((0.3, 0.2, 0.5))


def test_regions_are_six_digits_of_two_provinces_and_all_different() -> None:
    codes = region_codes(FAR_REGIONS)
    assert len(set(codes)) == FAR_REGIONS
    assert {(len(code), code[:2] in ("15", "21")) for code in codes} == {(6, True)}
