"""The contract, the ladder and what the paths must be like."""

import numpy as np
import pytest

import dashboards
from dashboards.forecasting.paths import Rung, forecast, forecast_many, rung_of, weekday_profile


def days(n, start="2026-03-02"):  # a Monday
    return np.datetime64(start) + np.arange(n)


@pytest.mark.parametrize(
    ("n", "rung"),
    [
        (0, Rung.PLAN), (1, Rung.FEW_DAYS), (6, Rung.FEW_DAYS), (7, Rung.ONE_WEEK),
        (13, Rung.ONE_WEEK), (14, Rung.TWO_WEEKS), (27, Rung.TWO_WEEKS), (28, Rung.FULL),
    ],
)  # fmt: skip
def test_rungs(n, rung):
    assert rung_of(n) is rung
    made = forecast(np.full(n, 100.0), days(n), 10, plan=100, start="2026-05-01")
    assert made.rung is rung
    assert made.days == n
    assert made.paths.shape == (300, 10)
    low, mid, high = made.total_quantiles()
    assert low < mid < high
    assert 700 < mid < 1300


def test_contract_shape_sign_and_seed():
    y = np.random.default_rng(1).gamma(1, 100, 60)
    first = dashboards.forecast_paths(y, days(60), 30, paths=50, seed=3)
    assert first.shape == (50, 30)
    assert (first >= 0).all()
    assert np.array_equal(first, dashboards.forecast_paths(y, days(60), 30, paths=50, seed=3))
    assert not np.array_equal(first, dashboards.forecast_paths(y, days(60), 30, paths=50, seed=4))


@pytest.mark.parametrize("factor", [1e-6, 1e9])
def test_scale_does_not_matter(factor):
    y = np.random.default_rng(2).gamma(0.5, 100, 90) * (np.arange(90) % 3 > 0)
    one = forecast(y, days(90), 20).paths
    assert np.allclose(forecast(y * factor, days(90), 20).paths, one * factor, rtol=1e-9)


def test_closed_weekends_stay_closed():
    y = np.where(np.arange(84) % 7 < 5, 1000.0, 0.0)
    mid = forecast(y, days(84), 14).quantiles()[1]
    assert (mid[[5, 6, 12, 13]] == 0).all()
    assert (mid[:5] > 800).all()


def test_level_shift_is_followed():
    y = np.concatenate([np.full(60, 100.0), np.full(14, 400.0)])
    y = y * np.random.default_rng(0).uniform(0.9, 1.1, 74)
    assert 300 < forecast(y, days(74), 7).quantiles()[1].mean() < 450


def test_one_spike_is_no_level():
    y = np.random.default_rng(0).uniform(90, 110, 60)
    y[-2] = 10_000
    assert forecast(y, days(60), 14).quantiles()[1].mean() < 140


def test_silence_before_launch_is_not_history():
    y = np.concatenate([np.zeros(60), np.full(10, 50.0)])
    made = forecast(y, days(70), 5)
    assert (made.rung, made.days) == (Rung.ONE_WEEK, 10)


def test_no_volume_at_all():
    made = forecast(np.zeros(40), days(40), 5)
    assert made.rung is Rung.SILENT
    assert not made.paths.any()


def test_inherited_profile_shapes_a_new_variant():
    team = weekday_profile(np.where(np.arange(56) % 7 < 5, 100.0, 0.0), days(56))
    assert np.allclose(team.mean(), 1)
    made = forecast(np.full(3, 100.0), days(3), 7, profile=team)  # Thursday first
    mid = made.quantiles()[1]
    assert mid[0] > 20 * mid[2]


def test_intervals_widen_with_the_horizon():
    y = np.random.default_rng(5).uniform(80, 120, 90)
    low, _, high = forecast(y, days(90), 60).quantiles()
    assert (high - low)[-7:].mean() > 1.2 * (high - low)[:7].mean()


@pytest.mark.parametrize(
    ("y", "dates", "message"),
    [
        ([1.0, -1.0], days(2), "≥ 0"),
        ([1.0, np.nan], days(2), "finite"),
        ([1.0], days(2), "one length"),
        ([1.0, 2.0], days(4)[::2], "consecutive"),
        ([], days(0), "start="),
    ],
)
def test_bad_input_is_refused(y, dates, message):
    with pytest.raises(ValueError, match=message):
        forecast(y, dates, 5)


def test_no_history_needs_a_plan():
    with pytest.raises(ValueError, match="plan"):
        forecast([], days(0), 5, start="2026-01-01")


def test_many_equals_one_by_one():
    rows = np.random.default_rng(3).gamma(1, 10, (3, 40))
    many = forecast_many(list(rows), days(40), 6)
    for row, made in zip(rows, many, strict=True):
        assert np.array_equal(made.paths, forecast(row, days(40), 6).paths)
