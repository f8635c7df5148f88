"""Many leaves at once: coupled paths, so that a parent is the sum of its children on every path.

Teams move together: a good month is good for most. Leaves forecast independently make the total
look safer than it is. So each leaf keeps its own paths, and only their *order* is chosen: path
numbers are dealt so that the ranks of the leaves' totals correlate as their past residuals did
(Iman–Conover). Every leaf's quantiles stay as they were; the sum over leaves gets an honest
spread.

Totals are then calibrated: past windows of all leaves together (split-conformal, pooled) say how
much wider or narrower the log deviation of a total should have been for P10–P90 to hold 80 %. The
factor stretches each leaf's paths round their median total.

Example: two leaves with paths that sum to 3, 7 and 11 each. Dealt independently their sum may be
3 + 11 on one path and 11 + 3 on another, always 14; wholly in step it is 6, 14 and 22.

Coupling: one correlation for the whole portfolio, the mean rank correlation of weekly level
residuals, shrunk to a prior of 0.5 while there are few weeks. Zero or one leaf: nothing to couple.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from dashboards.forecasting.paths import Forecast, forecast
from dashboards.forecasting.shape import Days, Floats
from dashboards.forecasting.tuning import DEFAULT, Tuning

Key = TypeVar("Key", bound=Hashable)
PRIOR_COUPLING, PRIOR_WEEKS = 0.5, 8
WINDOWS = 20
"""Past windows needed before the portfolio's own calibration counts in full."""


@dataclass(frozen=True, slots=True)
class Portfolio(Generic[Key]):
    """Forecasts of all leaves on shared paths."""

    leaves: dict[Key, Forecast]
    coupling: float
    """Rank correlation with the common factor, squared: 0 independent, 1 in step."""
    calibration: float
    """Factor on log deviations of totals; 1: as the leaves forecast."""
    windows: int
    """Past windows the calibration rests on."""

    def total(self, keys: Iterable[Key] | None = None) -> Floats:
        """(paths, horizon) sum of leaves, path by path: of all, or of the keys given."""
        chosen = list(self.leaves if keys is None else keys)
        if not chosen:
            msg = "a total of no leaves has no shape: give at least one key"
            raise ValueError(msg)
        return np.sum([self.leaves[k].paths for k in chosen], axis=0)


def _ranks(values: NDArray[Any]) -> NDArray[Any]:
    return values.argsort(axis=-1).argsort(axis=-1)


def estimate_coupling(series: Iterable[Any]) -> float:
    """Mean rank correlation of leaves' log weekly changes, shrunk, within 0 and 0.95."""
    rows = [np.asarray(y, dtype=np.float64) for y in series]
    rows = [y[-84:] for y in rows if len(y) >= 28 and y.any()]
    if len(rows) < 2:
        return PRIOR_COUPLING
    weeks = min(len(y) for y in rows) // 7
    weekly = np.stack([y[-7 * weeks :].reshape(weeks, 7).mean(axis=1) for y in rows])
    change = np.diff(np.log(weekly + 0.03 * weekly.mean(axis=1, keepdims=True) + 1e-300), axis=1)
    changing = change[np.ptp(change, axis=1) > 0]
    if len(changing) < 2:
        return PRIOR_COUPLING
    matrix = np.corrcoef(_ranks(changing))
    own = float(matrix[np.triu_indices(len(matrix), 1)].mean())
    weight = weeks / (weeks + PRIOR_WEEKS)
    return float(np.clip(weight * own + (1 - weight) * PRIOR_COUPLING, 0.0, 0.95))


def couple(paths: list[Floats], correlation: float, seed: int = 0) -> list[Floats]:
    """Deal the path numbers of each leaf so that totals share a common factor; leaves unchanged."""
    if len(paths) < 2:
        return paths
    count = len(paths[0])
    rng = np.random.default_rng(seed + 101)
    common = rng.standard_normal(count)
    out: list[Floats] = []
    for leaf in paths:
        own = rng.standard_normal(count)
        wish = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
        # The path with the k-th smallest total goes where the wish is k-th smallest.
        dealt = np.empty(count, dtype=np.int64)
        dealt[np.argsort(wish)] = np.argsort(leaf.sum(axis=1), kind="stable")
        out.append(leaf[dealt])
    return out


def calibration_factor(
    series: Iterable[Any], dates: Any, window: int = 14, tuning: Tuning = DEFAULT
) -> tuple[float, int]:
    """Factor for the log deviations of totals, learned on past windows of all leaves together.

    Each leaf with enough history is forecast from two origins in its past; a window's score is its
    |log(actual / median)| over the half width its P10–P90 had. The 80 % quantile of the pooled
    scores (split-conformal, with the finite-sample correction) is the factor, mixed with 1 in
    proportion to the windows there are, within 0.7 and 2.5.
    """
    days = np.asarray(dates, dtype="datetime64[D]")
    scores: list[float] = []
    for y in list(series)[:60]:
        values = np.asarray(y, dtype=np.float64)
        for back in (window, 2 * window):
            origin = len(values) - back
            if origin < 28 or not values[origin - 28 : origin].any():
                continue
            past = forecast(values[:origin], days[:origin], window, paths=100, tuning=tuning)
            low, mid, high = past.total_quantiles()
            actual = values[origin : origin + window].sum()
            if min(low, actual) <= 0:
                continue
            side = np.log(high / mid) if actual > mid else np.log(mid / low)
            scores.append(abs(float(np.log(actual / mid))) / max(float(side), 1e-6))
    if not scores:
        return 1.0, 0
    n = len(scores)
    level = min(0.8 * (n + 1) / n, 1.0)
    own = float(np.quantile(scores, level))
    weight = min(n / WINDOWS, 1.0)
    return float(np.clip(np.exp(weight * np.log(max(own, 1e-6))), 0.7, 2.5)), n


def stretch(paths: Floats, factor: float) -> Floats:
    """Multiply the log deviation of each path's total from the median total by `factor`."""
    total = paths.sum(axis=1)
    middle = float(np.median(total))
    if middle <= 0 or factor == 1.0:
        return paths
    ratio = np.maximum(total / middle, 1e-12) ** (factor - 1.0)
    return paths * np.clip(ratio, 0.05, 20.0)[:, None]


def forecast_portfolio(
    leaves: Mapping[Key, Any],
    dates: Any,
    horizon: int,
    *,
    paths: int = 300,
    seed: int = 0,
    plans: Mapping[Key, Any] | None = None,
    profiles: Mapping[Key, Floats] | None = None,
    start: Any = None,
    coupling: float | None = None,
    calibrate: bool = True,
    tuning: Tuning = DEFAULT,
) -> Portfolio[Key]:
    """Forecast all leaves over the same days, coupled and calibrated.

    `leaves`: key -> (days,) volume; an empty row needs an entry in `plans`. `profiles`: key -> (7,)
    profile of the leaf's team, used under 28 days. `coupling`: None estimates it.
    """
    days: Days = np.asarray(dates, dtype="datetime64[D]")
    plans, profiles = plans or {}, profiles or {}
    first = days[-1] + 1 if len(days) else start
    made: dict[Key, Forecast] = {}
    for key, y in leaves.items():
        made[key] = forecast(
            y, days[len(days) - len(y) :], horizon, paths=paths, seed=seed, plan=plans.get(key),
            start=first, profile=profiles.get(key), tuning=tuning,
        )  # fmt: skip
    full = [y for y in leaves.values() if len(y) == len(days) and len(days) > 0]
    factor, windows = calibration_factor(full, days, tuning=tuning) if calibrate else (1.0, 0)
    share = estimate_coupling(full) if coupling is None else coupling
    dealt = couple([stretch(f.paths, factor) for f in made.values()], share, seed)
    done = {
        key: Forecast(p, f.dates, f.rung, f.days, f.basis)
        for (key, f), p in zip(made.items(), dealt, strict=True)
    }
    return Portfolio(done, share, factor, windows)
