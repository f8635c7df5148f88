"""Sample paths of one daily volume, and the ladder of methods that shorter histories fall down.

A path is one way the coming days may go. It is `level × weekday × luck`:

* the *level* starts at the series' own (see `shape`), with one heavy-tailed shock for how wrong
  today's level may be and one, growing with the square root of time, for where it may move;
* the *weekday* is the shrunk profile;
* the *luck* of a day is the luck of a past day, more likely a recent one and of the same weekday,
  so zeros, bursts and closed weekends come back as often as they were there. Neighbouring days
  share some luck.

A series that is quiet and keeps its week is then centred on the middle of five plain forecasts
(`regular`); the spread stays.

Jobs that run once a month are taken out before all this and put back on their days (`monthly`).

Shocks and luck are stratified: 300 paths hold each of the 300 quantiles once, so P10 of a day is
not itself a matter of luck, and one seed gives one answer. All statistics are read off the paths,
never off separate formulas (`budgets.spend.outlook`).

Example: 90 days of 1,000 tokens every day give 300 paths around 1,000 a day whose 30-day totals
scatter round 30,000.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

import numpy as np

from dashboards.forecasting import monthly
from dashboards.forecasting.regular import recentre
from dashboards.forecasting.shape import Days, Floats, Ints, Shape, born, read, weekdays
from dashboards.forecasting.tuning import DEFAULT, HISTORY, Tuning


class Rung(StrEnum):
    """How much history a forecast stands on. Boundaries in days: 0, 1–6, 7–13, 14–27, 28+."""

    PLAN = "plan"
    FEW_DAYS = "1-6 days"
    ONE_WEEK = "7-13 days"
    TWO_WEEKS = "14-27 days"
    FULL = "28+ days"
    SILENT = "no volume"


BASIS = {
    Rung.PLAN: "no history: the plan, with the spread launches have around their plans",
    Rung.FEW_DAYS: "{days} days of history: their mean, spread as a launch; low confidence",
    Rung.ONE_WEEK: "{days} days of history: last week's level and days, no own weekday profile",
    Rung.TWO_WEEKS: "{days} days of history: own level and a weekday profile shrunk to {target}",
    Rung.FULL: "{days} days of history: own level, weekday profile and past errors",
    Rung.SILENT: "{days} days of history without any volume: zero until something is seen",
}

LAUNCH_NOW, LAUNCH_DRIFT, LAUNCH_LUCK = 0.7, 0.6, 0.6
"""Log spreads of a launch: level against plan or first days, gained over 30 days, day to day.
Wide on purpose: the level of real accounts changes about threefold from month to month."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """Paths of a daily volume and what they stand on."""

    paths: Floats
    """(paths, horizon), same unit as the history, none negative."""
    dates: Days
    """(horizon,) the days forecast."""
    rung: Rung
    days: int
    """Days of history used (a silence before the launch not counted)."""
    basis: str
    """The rung in words, for the reader of the figure."""

    def quantiles(self, levels: Iterable[float] = (0.1, 0.5, 0.9)) -> Floats:
        """(levels, horizon) quantiles of each day."""
        return np.quantile(self.paths, list(levels), axis=0)

    def total_quantiles(self, levels: Iterable[float] = (0.1, 0.5, 0.9)) -> Floats:
        """(levels,) quantiles of the sum over the horizon; not the sum of the days' quantiles."""
        totals: Floats = self.paths.sum(axis=1)
        return np.quantile(totals, list(levels))


def rung_of(days: int) -> Rung:
    """The rung for a number of days of history."""
    for limit, rung in (
        (1, Rung.PLAN),
        (7, Rung.FEW_DAYS),
        (14, Rung.ONE_WEEK),
        (28, Rung.TWO_WEEKS),
    ):
        if days < limit:
            return rung
    return Rung.FULL


@lru_cache(maxsize=8)
def _shock(paths: int, freedom: float, limit: float) -> Floats:
    """(paths,) stratified heavy-tailed shocks, ascending; P90 where a standard normal's is."""
    draw = np.random.default_rng(7).standard_t(freedom, 200_001)
    draw *= 1.2816 / np.quantile(np.abs(draw), 0.8)
    quantile = np.quantile(draw, (np.arange(paths) + 0.5) / paths)
    return np.clip((quantile - quantile[::-1]) / 2, -limit, limit)


@lru_cache(maxsize=16)
def _luck(paths: int, horizon: int, seed: int, stickiness: float) -> tuple[Floats, Ints]:
    """(paths, horizon) stratified uniforms in (0, 1), and (2, paths) ranks for the level shocks."""
    rng = np.random.default_rng(seed)
    ranks = np.stack([rng.permutation(paths), rng.permutation(paths)])
    fresh = rng.standard_normal((paths, horizon))
    state = np.empty_like(fresh)
    keep = np.sqrt(1 - stickiness**2)
    for j in range(horizon):
        state[:, j] = stickiness * state[:, j - 1] + keep * fresh[:, j] if j else fresh[:, 0]
    uniform = (state.argsort(axis=0).argsort(axis=0) + 0.5) / paths
    return uniform, ranks


def _level(
    shape_now: float, shape_drift: float, horizon: int, paths: int, seed: int, t: Tuning
) -> Floats:
    """(paths, horizon) log deviations of the level from its centre."""
    _, (first, second) = _luck(paths, horizon, seed, t.stickiness)
    shock = _shock(paths, t.tails, t.tail_limit)
    growth = np.sqrt(np.arange(1, horizon + 1) / 30)
    return shape_now * shock[first][:, None] + shape_drift * shock[second][:, None] * growth


def _draw(s: Shape, coming: Days, paths: int, seed: int, t: Tuning) -> Floats:
    horizon = len(coming)
    ahead = np.arange(horizon)
    centre = s.log_far + (s.log_near - s.log_far) * np.exp(-ahead / t.near)
    centre = centre + s.log_drift * (1 - 0.95 ** (ahead + 1))
    deviation = _level(s.spread_now, s.spread_drift, horizon, paths, seed, t)
    uniform, _ = _luck(paths, horizon, seed, t.stickiness)
    order = np.argsort(s.luck)
    value = s.luck[order]
    out = np.empty((paths, horizon))
    weekday = weekdays(coming)
    for day in np.unique(weekday):
        weight = (s.recency * np.where(s.weekday == day, 1.0, t.other_days * s.is_open))[order]
        total = np.cumsum(weight)
        cols = np.flatnonzero(weekday == day)
        out[:, cols] = s.profile[day] * np.interp(
            uniform[:, cols], (total - weight / 2) / total[-1], value
        )
    return recentre(out * np.exp(centre + deviation), s, weekday)


def _launch(
    level: Floats, profile: Floats | None, coming: Days, paths: int, seed: int, t: Tuning
) -> Floats:
    """Paths around a given (horizon,) level with a launch's spread; medians sit on the level."""
    horizon = len(coming)
    uniform, _ = _luck(paths, horizon, seed, t.stickiness)
    shock = _shock(paths, t.tails, t.tail_limit)
    rank = np.minimum((uniform * paths).astype(np.int64), paths - 1)
    deviation = _level(LAUNCH_NOW, LAUNCH_DRIFT, horizon, paths, seed, t)
    weekday = np.ones(horizon) if profile is None else profile[weekdays(coming)]
    return level * weekday * np.exp(deviation + LAUNCH_LUCK * np.clip(shock[rank], -2.5, 2.5))


def _checked(y: Any, dates: Any) -> tuple[Floats, Days]:
    values = np.asarray(y, dtype=np.float64)
    days = np.asarray(dates, dtype="datetime64[D]")
    if values.ndim != 1 or values.shape != days.shape:
        msg = f"y and dates must be two rows of one length, got shapes {values.shape}, {days.shape}"
        raise ValueError(msg)
    if not np.isfinite(values).all() or (values < 0).any():
        msg = "y must hold finite volumes ≥ 0: leave a day out of the history only by cutting it"
        raise ValueError(msg)
    if len(days) > 1 and (np.diff(days) != np.timedelta64(1, "D")).any():
        msg = "dates must be consecutive days, oldest first: give a day without traffic as 0"
        raise ValueError(msg)
    return values, days


def forecast(
    y: Any,
    dates: Any,
    horizon: int,
    *,
    paths: int = 300,
    seed: int = 0,
    plan: Any = None,
    start: Any = None,
    profile: Floats | None = None,
    tuning: Tuning = DEFAULT,
) -> Forecast:
    """Forecast one daily volume and say which rung of the ladder it stands on.

    `y`: (days,) volume ≥ 0, oldest first, zeros real; `dates`: (days,) consecutive days.
    `plan`: volume a day, one number or (horizon,), used when there is no history at all; `start`:
    first day forecast in that case. `profile`: (7,) Monday…Sunday multipliers inherited from the
    team (`weekday_profile`), for histories under 28 days.

    Raises ValueError for ragged or negative input, and when there is neither history nor plan.
    """
    values, days = _checked(y, dates)
    if horizon < 1 or paths < 2:
        msg = f"horizon must be ≥ 1 and paths ≥ 2, got {horizon} and {paths}"
        raise ValueError(msg)
    if profile is not None:
        profile = np.asarray(profile, dtype=np.float64)
        if profile.shape != (7,) or profile.mean() <= 0 or (profile < 0).any():
            msg = "profile must be 7 multipliers ≥ 0, Monday first"
            raise ValueError(msg)
        profile = profile / profile.mean()
    first = days[-1] + 1 if len(days) else start
    if first is None:
        msg = (
            "no history: say on which day the forecast starts (start=) and what is planned (plan=)"
        )
        raise ValueError(msg)
    coming = np.datetime64(first, "D") + np.arange(horizon)
    cut = born(values)
    values, days = values[cut:][-HISTORY:], days[cut:][-HISTORY:]
    known = len(values)
    rung = rung_of(known)
    if rung is Rung.PLAN:
        if plan is None:
            msg = "no history and no plan: a forecast of nothing would be a guess; give plan="
            raise ValueError(msg)
        level = np.broadcast_to(np.asarray(plan, dtype=np.float64), (horizon,))
        out = _launch(level, profile, coming, paths, seed, tuning)
    elif not values.any():
        rung, out = Rung.SILENT, np.zeros((paths, horizon))
    elif rung is Rung.FEW_DAYS:
        mean = values.mean()
        if profile is not None:
            # Two days of a weekend say more than two days: divide out which days they were.
            mean = values.sum() / max(float(profile[weekdays(days)].sum()), 0.25)
        out = _launch(np.full(horizon, mean), profile, coming, paths, seed, tuning)
    else:
        habits = monthly.find(values, days) if rung is Rung.FULL else []
        plain = values / monthly.factors(habits, days)
        seen = read(plain, days, profile if rung is not Rung.FULL else None, tuning)
        assert seen is not None  # there is volume: checked above
        out = _draw(seen, coming, paths, seed, tuning) * monthly.factors(habits, coming)
    target = "flat" if profile is None else "its team's"
    return Forecast(out, coming, rung, known, BASIS[rung].format(days=known, target=target))


def forecast_paths(
    y: Any, dates: Any = None, horizon: int | None = None, paths: int = 300, seed: int = 0
) -> Floats:
    """The contract: (paths, horizon) sample paths of a daily volume.

    `y`: daily volume, oldest first, zeros real; `dates`: datetime64[D], same length. One object
    with the attributes `y`, `dates` and `h` may stand for the three, as backtests hand tasks over.
    NaN is a day nobody measured: it is taken as its weekday usually was (`fill`), never as zero.
    """
    if dates is None and horizon is None and hasattr(y, "dates") and hasattr(y, "h"):
        y, dates, horizon = y.y, y.dates, y.h
    if dates is None or horizon is None:
        msg = "forecast_paths needs y, dates and horizon"
        raise TypeError(msg)
    return forecast(fill(y), dates, horizon, paths=paths, seed=seed).paths


def fill(y: Any) -> Floats:
    """A daily series with each NaN replaced by the mean of its weekday within four weeks.

    Without such a day: by the mean of all days known. A row of NaN only stays NaN, and is refused
    by `forecast`: nothing was measured, which is not the same as nothing used.
    """
    values = np.array(y, dtype=np.float64)
    missing = np.isnan(values) if values.ndim == 1 else np.zeros(values.shape, dtype=bool)
    if not missing.any() or missing.all():
        return values
    known = np.flatnonzero(~missing)
    for day in np.flatnonzero(missing):
        apart = np.abs(known - day)
        near = known[(apart % 7 == 0) & (apart <= 28)]
        values[day] = values[near if len(near) else known].mean()
    return values


def forecast_many(
    series: Sequence[Any],
    dates: Any,
    horizon: int,
    *,
    paths: int = 300,
    seed: int = 0,
    tuning: Tuning = DEFAULT,
) -> list[Forecast]:
    """Forecast many series over the same days; same seed, so path i is the same luck in each.

    About 1 ms a series: the random draws are made once and shared.
    """
    return [forecast(y, dates, horizon, paths=paths, seed=seed, tuning=tuning) for y in series]


def weekday_profile(y: Any, dates: Any, tuning: Tuning = DEFAULT) -> Floats:
    """(7,) Monday…Sunday multipliers of a series, mean 1; flat when it has under 14 days."""
    values, days = _checked(y, dates)
    values, days = values[-HISTORY:], days[-HISTORY:]
    seen = read(values, days, None, tuning) if len(values) >= 7 else None
    return np.ones(7) if seen is None else seen.profile
