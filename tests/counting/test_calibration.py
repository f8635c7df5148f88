"""Calibration finds the line it was given, withstands wrong samples, and knows when it cannot."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing.counting import CountingError, Sample, calibrate


@settings(max_examples=50)
@given(st.integers(50, 200), st.integers(0, 500), st.integers(8, 60))
def test_an_exact_line_is_found(slope, offset, n):
    samples = [Sample(100 * (k + 1), slope * (k + 1) + offset) for k in range(n)]
    found = calibrate(samples)
    assert found.slope == pytest.approx(slope / 100)
    assert found.offset == pytest.approx(offset)
    assert found.correct(1000) == (slope * 10 + offset,) * 3
    assert found.n == n


def test_a_fifth_of_wrong_samples_does_not_move_it():
    rng = random.Random(3)
    samples = [(x, round(1.2 * x + 40)) for x in rng.sample(range(50, 5000), 80)]
    samples += [(x, 9) for x in rng.sample(range(50, 5000), 20)]
    found = calibrate(samples)
    assert found.slope == pytest.approx(1.2, abs=0.01)
    assert found.offset == pytest.approx(40, abs=8)


def test_the_interval_covers_what_comes_next():
    rng = random.Random(5)

    def one():
        x = rng.randint(100, 4000)
        return x, round((1.3 * x + 60) * rng.gauss(1, 0.05))

    found = calibrate([one() for _ in range(200)])
    assert found.relative
    new = [one() for _ in range(1000)]
    covered = sum(low <= y <= high for x, y in new for _, low, high in [found.correct(x)])
    assert 860 <= covered <= 950


def test_calls_of_one_size_teach_only_a_constant():
    found = calibrate([(100, 180), (110, 190), (105, 185), (100, 180)])
    assert (found.slope, found.offset) == (1.0, 80.0)
    assert "held at 1" in found.found


def test_few_calls_teach_only_a_ratio():
    found = calibrate([(100, 150), (200, 300), (400, 600)])
    assert (found.slope, found.offset) == (1.5, 0.0)
    assert "held at 0" in found.found


@pytest.mark.parametrize("samples", [[], [(1, 2), (2, 4)], [(0, 5), (5, 0), (-1, 3), (2, 2)]])
def test_too_little_is_an_error(samples):
    with pytest.raises(CountingError, match="at least 3"):
        calibrate(samples)


def test_many_samples_stay_quick_and_right():
    samples = [(x, 2 * x + 7) for x in range(1, 20_001)]
    found = calibrate(samples)
    assert (found.slope, found.offset) == (2.0, 7.0)
