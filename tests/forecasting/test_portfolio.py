"""Statistics of paths, and coupling: exact where exactness is claimed."""

import numpy as np
import pytest

from budgets.spend.outlook import chance_to_exceed, exhaustion, period_end
from dashboards.forecasting.portfolio import couple, estimate_coupling, forecast_portfolio, stretch

DAYS = np.datetime64("2026-03-02") + np.arange(90)
PATHS = np.array([[1.0, 4.0], [5.0, 5.0], [30.0, 10.0]])
AHEAD = np.array(["2026-03-30", "2026-03-31"], dtype="datetime64[D]")


@pytest.fixture(scope="module")
def portfolio():
    rng = np.random.default_rng(1)
    common = np.exp(np.cumsum(rng.normal(0, 0.1, 90)))
    leaves = {(t, v): 100 * common * rng.gamma(3, 1 / 3, 90) for t in "ab" for v in "xy"}
    return forecast_portfolio(leaves, DAYS, 30, paths=200)


def test_parent_is_the_sum_of_children_on_every_path(portfolio):
    teams = [portfolio.total(k for k in portfolio.leaves if k[0] == t) for t in "ab"]
    assert np.allclose(portfolio.total(), sum(teams), rtol=1e-12)


def test_coupling_widens_totals_and_leaves_leaves_alone():
    rng = np.random.default_rng(0)
    paths = [rng.gamma(2, 1, (300, 5)) for _ in range(8)]
    spread = {}
    for share in (0.0, 0.9):
        dealt = couple(paths, share)
        assert all(
            np.array_equal(np.sort(a.sum(1)), np.sort(b.sum(1)))
            for a, b in zip(paths, dealt, strict=True)
        )
        spread[share] = np.std(np.sum(dealt, axis=0).sum(axis=1))
    assert spread[0.9] > 2 * spread[0.0]


def test_coupling_is_higher_for_series_in_step():
    rng = np.random.default_rng(4)
    step = np.exp(np.cumsum(rng.normal(0, 0.2, 84)))
    together = [step * rng.uniform(0.95, 1.05, 84) for _ in range(5)]
    apart = [np.exp(np.cumsum(rng.normal(0, 0.2, 84))) for _ in range(5)]
    assert estimate_coupling(together) > 0.7 > 0.45 > estimate_coupling(apart)
    assert estimate_coupling([]) == 0.5


def test_stretch_keeps_the_median_and_widens():
    total = PATHS.sum(axis=1)
    wide = stretch(PATHS, 2.0).sum(axis=1)
    assert wide[1] == total[1]
    assert np.allclose(wide, total**2 / total[1])


def test_chance_boundary_is_within_budget():
    assert chance_to_exceed(PATHS, 80, spent=40) == 0.0
    assert chance_to_exceed(PATHS, 79, spent=40) == 1 / 3
    assert period_end(PATHS, 40).tolist() == [46.0, 50.0, 74.0]


def test_exhaustion_names_the_share_that_lasts():
    out = exhaustion(PATHS, AHEAD, budget=8)
    assert (out.early, out.median, out.late) == (AHEAD[0], AHEAD[1], None)
    assert out.not_exhausted == 1 / 3
    assert exhaustion(PATHS, AHEAD, budget=8, spent=9).median == AHEAD[0]
