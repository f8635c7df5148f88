"""Jobs that come once a month: found when they are there, not found in luck, put on their days."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboards.forecasting import monthly
from dashboards.forecasting.paths import forecast
from dashboards.forecasting.shape import wandering


def days(n, start="2026-01-01"):
    return np.datetime64(start) + np.arange(n)


def batch(dates, on, factor=5.0, base=100.0):
    y = np.full(len(dates), base)
    y[[str(d)[5:] in on for d in dates]] *= factor
    return y


MONTH_ENDS = ("01-31", "02-28", "03-31")


def test_three_month_ends_are_a_habit_and_the_next_one_is_forecast():
    dates = days(100)  # 1 January to 10 April
    y = batch(dates, MONTH_ENDS)
    ((habit, factor),) = monthly.find(y, dates)
    assert factor == pytest.approx(5.0)
    assert list(np.flatnonzero(habit(dates))) == [30, 58, 89]
    mid = np.median(forecast(y, dates, 30).paths, axis=0)  # 11 April to 10 May
    assert mid == pytest.approx(batch(days(30, "2026-04-11"), ("04-30",)), rel=1e-6)


def test_once_is_no_habit_twice_is():
    assert monthly.find(batch(days(58), MONTH_ENDS), days(58)) == []  # to 27 February
    assert len(monthly.find(batch(days(59), MONTH_ENDS), days(59))) == 1


def test_the_last_working_day_is_told_from_the_last_day():
    dates = days(100)  # 31 January and 28 February 2026 are Saturdays
    y = batch(dates, ("01-30", "02-27", "03-31"))
    ((habit, factor),) = monthly.find(y, dates)
    assert list(np.flatnonzero(habit(dates))) == [29, 57, 89]
    assert factor == pytest.approx(5.0)


def test_two_habits_are_both_found_and_divided_out_whole():
    dates = days(100)
    y = batch(dates, ("01-15", "02-15", "03-15"), 3.0) * batch(dates, MONTH_ENDS, 8.0, 1.0)
    habits = monthly.find(y, dates)
    assert sorted(f for _, f in habits) == pytest.approx([3.0, 8.0])
    assert y / monthly.factors(habits, dates) == pytest.approx(np.full(100, 100.0))


def test_small_effects_are_left_to_luck():
    dates = days(100)
    assert monthly.find(batch(dates, MONTH_ENDS, 1.45), dates) == []
    assert len(monthly.find(batch(dates, MONTH_ENDS, 1.55), dates)) == 1


def test_bursts_by_luck_are_hardly_ever_a_habit():
    rng = np.random.default_rng(0)
    found = sum(bool(monthly.find(rng.gamma(0.3, 100, 90), days(90))) for _ in range(400))
    assert found <= 6  # one in 200 by construction, 2 expected


def test_a_week_with_a_high_day_is_no_month():
    dates = days(98)
    assert monthly.find(np.tile([100.0, 900, 100, 100, 100, 0, 0], 14), dates) == []


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(1e-6, 1e9))
def test_the_unit_does_not_matter(seed, scale):
    y = np.random.default_rng(seed).gamma(2.0, 100.0, 90) * batch(days(90), MONTH_ENDS, 20, 1.0)
    one, other = monthly.find(y, days(90)), monthly.find(y * scale, days(90))
    assert [h for h, _ in one] == [h for h, _ in other]
    assert [f for _, f in one] == pytest.approx([f for _, f in other])


@pytest.mark.parametrize(
    "y",
    [
        np.zeros(60),
        np.r_[np.zeros(59), 7.0],
        batch(days(60), ("01-31",), 5, 0),
        np.isin(np.arange(60), [2, 30, 58]) * 9.0,
        np.isin(np.arange(60), [30, 58]) * 9.0,
    ],
)
def test_nothing_is_found_where_nothing_is(y):
    assert monthly.find(y, days(len(y))) == []
    assert np.isfinite(forecast(y, days(len(y)), 40).paths).all()


def test_shuffled_days_stay_and_a_step_wanders():
    coin = np.random.default_rng(3).integers(0, 2, 90) * 100.0
    assert abs(wandering(coin)) < 2
    assert wandering(np.repeat([0.0, 100.0], 45)) > 20
    assert wandering(np.full(90, 5.0)) == 0.0
    assert wandering(np.repeat([0.0, 100.0], 13)) == 0.0  # 26 days: too few to say
