"""Regular series are centred on the middle of five plain answers; bursty ones are left alone."""

import numpy as np
import pytest

import dashboards
from dashboards.forecasting.paths import fill, forecast
from dashboards.forecasting.regular import recentre, weight
from dashboards.forecasting.shape import read, weekdays

WEEK = np.array([100.0, 110, 120, 110, 100, 30, 20])


def days(n, start="2026-03-02"):  # a Monday
    return np.datetime64(start) + np.arange(n)


def shape(y):
    seen = read(y, days(len(y)))
    assert seen is not None
    return seen


def test_a_constant_stays_what_it_is():
    total = forecast(np.full(60, 4.0), days(60), 10).paths.sum(axis=1)
    assert np.median(total) == pytest.approx(40, rel=1e-9)


def test_a_week_that_repeats_is_repeated():
    mid = np.median(forecast(np.tile(WEEK, 12), days(84), 14).paths, axis=0)
    assert mid == pytest.approx(np.tile(WEEK, 2), rel=0.01)


def test_weight_needs_a_week_and_quiet_and_four_weeks():
    rng = np.random.default_rng(0)
    assert weight(shape(np.tile(WEEK, 12))) == 1.0
    assert weight(shape(np.tile(WEEK, 4))) > 0
    assert weight(shape(np.tile(WEEK, 4)[1:])) == 0.0  # 27 days
    assert weight(shape(rng.uniform(95, 105, 84))) < 0.2  # quiet, but no week of its own
    assert weight(shape(rng.gamma(0.5, 100, 84))) == 0.0


def test_the_middle_of_five_is_where_the_paths_go():
    y = np.tile(WEEK, 12)
    s = shape(y)
    coming = weekdays(days(7))
    low = np.outer(np.linspace(0.5, 0.7, 101), WEEK)  # own median at 60 %; the others agree on 1
    moved = recentre(low, s, coming)
    assert np.median(moved, axis=0) == pytest.approx(WEEK, rel=0.01)
    # The spread is untouched: each path keeps its ratio to the median.
    assert moved / np.median(moved, axis=0) == pytest.approx(low / np.median(low, axis=0))


def test_a_closed_day_stays_closed_and_no_path_is_negative():
    y = np.tile([100.0, 100, 100, 100, 100, 0, 0], 12)
    falling = y * np.linspace(1, 0.1, 84)
    for row in (y, falling):
        paths = forecast(row, days(84), 28).paths
        assert (paths >= 0).all()
        assert (np.median(paths, axis=0).reshape(4, 7)[:, 5:] == 0).all()


def test_bursty_paths_are_returned_as_they_came():
    s = shape(np.random.default_rng(3).gamma(0.4, 100, 90))
    paths = np.ones((5, 7))
    assert recentre(paths, s, np.arange(7)) is paths


def test_an_unmeasured_day_is_its_weekday_not_zero():
    y = np.tile(WEEK, 6)
    gap = y.copy()
    gap[[10, 41]] = np.nan
    assert np.array_equal(fill(gap), y)
    whole = dashboards.forecast_paths(y, days(42), 7)
    assert np.array_equal(dashboards.forecast_paths(gap, days(42), 7), whole)
    assert np.array_equal(fill([np.nan, 2.0, 4.0]), [3.0, 2.0, 4.0])
    with pytest.raises(ValueError, match="finite"):
        dashboards.forecast_paths([np.nan, np.nan], days(2), 7)


def test_spike_score_leaves_unmeasured_days_out():
    y = np.tile(WEEK, 6)
    gap = y.copy()
    gap[10] = np.nan
    after = days(43)[-1]
    assert dashboards.spike_score(gap, days(42), 500, after) > 5
    assert dashboards.spike_score(y, days(42), np.nan, after) == 0.0
