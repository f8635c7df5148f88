"""Bursty days: bursts come back as luck, and luck is not taken for a level that moves."""

import numpy as np
import pytest

from dashboards.forecasting.paths import forecast
from dashboards.forecasting.shape import read, wandering
from dashboards.forecasting.tuning import DEFAULT

STILL = DEFAULT.now + DEFAULT.now_noise * DEFAULT.noise_most
STILL_GAIN = DEFAULT.drift + DEFAULT.drift_noise * DEFAULT.noise_most


def days(n):
    return np.datetime64("2026-03-02") + np.arange(n)


def rare(n, every=10, volume=100.0):
    """One day of volume in every so many, at random, in no order."""
    y = np.zeros(n)
    y[np.random.default_rng(3).choice(n, n // every, replace=False)] = volume
    return y


def seen(y):
    shape = read(y, days(len(y)))
    assert shape is not None
    return shape


def one_day_of(volume, y):
    """The shape of a series with its 65th day set to `volume`."""
    return seen(np.where(np.arange(90) == 64, volume, y))


def test_on_quiet_days_a_spike_is_cut_as_luck_too():
    low, high = (one_day_of(v, np.full(90, 100.0)) for v in (190.0, 5000.0))
    assert high.noise < DEFAULT.bursty[0]
    assert high.capped[64] == 190.0  # 1.9 times P90
    assert high.luck[64] == low.luck[64]
    assert np.average(high.luck, weights=high.recency) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize(
    ("burst", "counts"),
    [(900.0, 900.0), (950.0, 950.0), (951.0, 950.0), (1e9, 950.0)],  # five caps of 190
)
def test_on_bursty_days_a_burst_counts_up_to_five_caps_as_luck_and_one_as_level(burst, counts):
    y = np.where(np.arange(90) % 6 == 4, 100.0, 0.0)
    s = one_day_of(burst, y)
    assert s.noise > DEFAULT.bursty[1]
    assert s.capped[64] == 190.0
    assert s.luck[64] / one_day_of(190.0, y).luck[64] == pytest.approx(counts / 190.0, rel=1e-12)
    assert np.average(s.luck, weights=s.recency) > 1.3  # bursts come on top


@pytest.mark.parametrize(
    ("n", "now", "gain"),
    [
        (27, None, None),  # too young to say that its level stays
        (28, STILL, STILL_GAIN),
        (90, STILL, STILL_GAIN),
    ],
)
def test_zeros_are_no_reason_to_doubt_a_level_that_stays(n, now, gain):
    s = seen(rare(n))
    assert s.noise > DEFAULT.bursty[1]
    assert wandering(s.flat) < 1.0
    assert s.spread_now == pytest.approx(now or DEFAULT.now + DEFAULT.now_noise * s.noise)
    assert s.spread_drift == pytest.approx(gain or DEFAULT.drift + DEFAULT.drift_noise * s.noise)


def test_the_same_days_in_one_stretch_are_a_level_that_moves():
    y = rare(90)
    moved = seen(np.sort(y))
    assert wandering(moved.flat) > 4.0
    assert moved.spread_now > STILL
    assert moved.spread_drift > STILL_GAIN


def test_a_steady_bursty_level_is_the_mean_of_all_days():
    y = np.where(np.arange(90) % 6 == 4, 100.0, 0.0)
    s = seen(y)
    assert wandering(s.flat) < -0.5
    weight = 0.5 ** (np.arange(90)[::-1] / 96.0)  # the longest memory
    floor = 0.03 * s.capped.mean()  # what keeps zeros out of the logs
    mean = np.average(s.flat, weights=weight) + floor
    assert np.exp([s.log_near, s.log_far]) == pytest.approx([mean, mean], rel=1e-12)


def test_a_steady_quiet_level_keeps_a_short_memory():
    y = np.where(np.arange(90) % 2 == 0, 90.0, 110.0)
    y[-14:] += 50.0
    s = seen(y)
    assert s.noise < DEFAULT.bursty[0]
    assert np.exp(s.log_near) > 135.0  # over all days the mean is 108


def test_bursts_lift_what_a_month_may_cost_not_a_usual_day():
    y = rare(90, every=6)
    with_burst = y.copy()
    with_burst[np.flatnonzero(y)[10]] = 2000.0
    plain, burst = (forecast(v, days(90), 30) for v in (y, with_burst))
    assert burst.total_quantiles([0.9])[0] > 1.3 * plain.total_quantiles([0.9])[0]
    assert np.array_equal(burst.quantiles([0.5]), np.zeros((1, 30)))  # five days in six are 0
