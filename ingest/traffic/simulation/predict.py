"""From the sessions one has seen to the total of those to come.

Three predictors share one answer, a mean and a standard deviation of the total:

- `whole_sessions`, the default: mean session times the number of sessions; the spread counts both
  the sessions to come and the error of having fitted on few, a factor sqrt(1 + target / fit). Where
  a few sessions make most of a total the interval reaches further up than down (`lean_of`).
- the same with recent sessions weighted up, for predicting a later period of traffic that drifts;
- the two baselines every validation shows beside them: `mean_times_count` (mean request, caching
  ignored) and `session_bootstrap` (resampling without the fit's own error).

>>> import numpy as np
>>> p = whole_sessions(np.array([1.0, 3.0]), 8)
>>> p.mean, round(p.sd, 4)   # 8 x 2; 1.4142 x sqrt(8 + 8 x 8 / 2)
(16.0, 8.9443)
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

# Half-life of a session's weight when recent ones count more, as a share of the fitted span.
# A quarter keeps an effective sample of about two thirds and follows drift within the span.
RECENT_HALF_LIFE = 0.25

# What three production series showed from week to week, and the weight of that against a record's
# own steps: with three of its own, a record counts half.
PRIOR_DRIFT = 0.3
PRIOR_STEPS = 3

# Upper ends of the normal's central intervals.
_Z = {0.5: 0.6744897501960817, 0.8: 1.2815515655446004, 0.9: 1.6448536269514722}


@dataclass(frozen=True)
class Prediction:
    """Mean and standard deviation of a total; ``df`` are the degrees of freedom behind the sd,
    ``lean`` how far the interval leans to one side (`lean_of`)."""

    mean: float
    sd: float
    df: float = float("inf")
    lean: float = 0.0

    def interval(self, level: float) -> tuple[float, float]:
        """The central interval of 50, 80 or 90 %."""
        ends = leaning(np.array([-_Z[level], _Z[level]]), self.df, self.lean) * self.sd
        return self.mean + float(ends[0]), self.mean + float(ends[1])

    def covers(self, truth: float, level: float) -> bool:
        """Whether the central interval contains the truth."""
        low, high = self.interval(level)
        return low <= truth <= high


def student(z: FloatArray, df: float) -> FloatArray:
    """Student's t where the normal is ``z``: what an sd known from few sessions makes of it.

    Cornish-Fisher expansion, good to a percent from five degrees of freedom on.

    >>> round(float(student(np.array([1.2815515655446004]), 10)[0]), 3)
    1.372
    """
    if df == float("inf"):
        return z
    df = max(df, 2.0)
    return z + (z**3 + z) / (4 * df) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df * df)


def skewness(values: FloatArray, weights: FloatArray | None = None) -> float:
    """Third moment about the mean over the sd cubed; 0 where there is no spread.

    >>> round(skewness(np.array([1.0, 1.0, 1.0, 9.0])), 3)
    1.155
    """
    w = np.full(len(values), 1 / len(values)) if weights is None else weights / weights.sum()
    off = values - w @ values
    variance = float(w @ off**2)
    return float(w @ off**3) / variance**1.5 if variance > 0 else 0.0


def lean_of(skew: float, fitted: float, target: float) -> float:
    """How far the error of a total of ``target`` sessions, predicted from ``fitted``, leans to one
    side: skewness x sqrt(target / (fitted + target)) / (2 sqrt(fitted)).

    Sessions that lack the rare giant show a mean that is too low and, for the same reason, a spread
    that is too small: too low is missed more often than too high. To first order the error in units
    of the sd seen moves by z^2 times this (from the covariance of a mean and a variance).

    >>> lean_of(2.0, 8, 8), lean_of(2.0, float("inf"), 8)
    (0.25, 0.0)
    """
    return 0.5 * skew * sqrt(target / fitted / (fitted + target)) if fitted < float("inf") else 0.0


def leaning(z: FloatArray, df: float, lean: float) -> FloatArray:
    """Errors in units of the sd where the normal is ``z``, for a spread known from few sessions.

    The end that is missed more often is stretched by 1 + 2 t lean, what a lean moves both ends by;
    the other is left, since the skewness is as uncertain as the mean and small samples understate
    it. Over populations from exponential to Pareto (tail 1.8), in halves of 15 to 1,500 sessions,
    the 80 % interval so holds 75 to 82 % where the plain t holds 69 to 80 %; normal ones keep 80 %.

    >>> leaning(np.array([-1.0, 1.0]), float("inf"), 0.25).tolist()
    [-1.0, 1.5]
    """
    t = student(z, df)
    return np.where(t * lean > 0, t * (1 + 2 * np.abs(t * lean)), t)


def whole_sessions(
    values: FloatArray, target: int, weights: FloatArray | None = None, drift: float = 0.0
) -> Prediction:
    """Total of ``target`` sessions, seen ``values``. ``drift`` is the sd of the log of a period's
    mean against the period fitted.

    The effective number of fitted sessions is (sum w)^2 / sum w^2.
    """
    n = len(values)
    w = np.ones(n) if weights is None else weights
    w = w / w.sum()
    effective = 1.0 / float((w * w).sum())
    mean = float(w @ values)
    if n < 2:
        return Prediction(target * mean, float("inf"), 2.0)
    variance = float(w @ (values - mean) ** 2) * effective / max(effective - 1.0, 0.5)
    chance = variance * (target + target * target / effective)
    total = chance + (target * mean * drift) ** 2
    lean = lean_of(skewness(values, w), effective, target) * sqrt(chance / total) if total else 0.0
    return Prediction(target * mean, sqrt(total), effective - 1.0, lean)


def recent_weights(start: npt.NDArray[np.int64], half_life: float) -> FloatArray:
    """Weights that halve with every ``half_life`` (share of the span) of a session's age."""
    last = start.max()
    span = float(last - start.min())
    if span <= 0 or half_life <= 0:
        return np.ones(len(start))
    return 0.5 ** ((last - start) / (span * half_life))


def session_bootstrap(values: FloatArray, target: int) -> Prediction:
    """Resampling whole sessions, as it is usually done: the fit counts as the truth.

    The resampled total's mean and sd are known in closed form; drawing it would add noise only.
    """
    return Prediction(target * float(values.mean()), sqrt(target) * float(values.std()))


def period_to_period(
    values: FloatArray, age: npt.NDArray[np.int64], sessions: npt.NDArray[np.int64], days: float
) -> tuple[float, int]:
    """Sd of the log of one week's total over the week's before, and how many such steps were seen.

    ``values`` are what each of the ``sessions`` used in a week, ``age`` how many weeks that lies
    before the last; ordered by session, then age. What independent sessions alone would make totals
    differ by is taken out: the sum of squares of what a session's share of the one week differs
    from its share of the other, which for one that was in one of them only is that share. A record
    of few weeks knows little of this, so `PRIOR_STEPS` steps of `PRIOR_DRIFT` count with what it
    shows; one of under two weeks knows nothing and gives the prior. A trend counts as drift, since
    nothing here extrapolates it.

    >>> period_to_period(np.array([1.0]), np.array([0]), np.array([0]), 0.04)
    (0.3, 0)
    """
    weeks = int(days // 7)
    steps, seen = 0, 0.0
    if weeks >= 2:
        # Whole weeks, counted back from the end.
        inside = age < weeks
        goes_on = (sessions[1:] == sessions[:-1]) & (age[1:] == age[:-1] + 1) & inside[1:]
        both = np.bincount(
            age[:-1][goes_on], weights=(values[1:] * values[:-1])[goes_on], minlength=weeks
        )[: weeks - 1]
        total = np.bincount(age[inside], weights=values[inside], minlength=weeks)
        squares = np.bincount(age[inside], weights=values[inside] ** 2, minlength=weeks)
        known = (total[1:] > 0) & (total[:-1] > 0)
        safe = np.where(total > 0, total, 1.0)
        noise = squares / safe**2
        alike = 2 * both / (safe[:-1] * safe[1:])
        change = np.log(safe[:-1] / safe[1:]) ** 2 - (noise[:-1] + noise[1:] - alike)
        steps, seen = int(known.sum()), float(change[known].sum())
    drift = sqrt(max(seen + PRIOR_STEPS * PRIOR_DRIFT**2, 0.0) / (steps + PRIOR_STEPS))
    return round(drift, 12), steps


def share_noise(part: FloatArray, whole: FloatArray, target: int) -> Prediction:
    """How far a share of sums (cached of input) differs between the fitted sessions and ``target``
    others by chance alone: the difference around 0, by the usual ratio estimator.

    A few long sessions on one side or the other move the share, however good the model: one that
    knew the true share would still err by 1 / sqrt(1 + target / fit) of this.

    >>> share_noise(np.array([1.0, 1.0]), np.array([2.0, 2.0]), 2).sd   # all are at one half
    0.0
    """
    total, n = float(whole.sum()), len(part)
    if total <= 0 or target < 1 or n < 2:
        return Prediction(0.0, 0.0)
    rest = part - part.sum() / total * whole
    sd = sqrt(float(rest @ rest) * n / (n - 1) * (1 + n / target)) / total
    return Prediction(0.0, sd, n - 1.0, lean_of(skewness(rest), n, target))


def share_gap(part: FloatArray, whole: FloatArray, target: int, draws: int = 64) -> float:
    """The median gap behind `share_noise`: what the shares of two such sets differ by, by chance.

    For many like sessions it is 0.6745 of the sd; where a handful of long ones make most of the
    sd, much less, so it is drawn: every session on the one side or the other.

    >>> share_gap(np.array([1.0, 1.0]), np.array([2.0, 2.0]), 2)
    0.0
    """
    total = float(whole.sum())
    if total <= 0 or target < 1:
        return 0.0
    rest = (part - part.sum() / total * whole) * sqrt(1 + len(part) / target)
    sides = np.random.default_rng(0).integers(0, 2, (draws, len(part)), dtype=np.int8) * 2 - 1
    return float(np.median(np.abs(sides @ rest))) / total


def between_periods(values: FloatArray, start: npt.NDArray[np.int64], periods: int = 8) -> float:
    """Drift seen inside the fitted span: sd of the log of period means beyond sampling noise.

    The span is cut into equally many sessions a period. The sum of squares of period means
    around the overall one, minus what independent sessions would give, is what moved.
    """
    n = len(values)
    periods = min(periods, n // 5)
    if periods < 3 or values.mean() <= 0:
        return 0.0
    ordered = values[np.argsort(start, kind="stable")]
    groups = np.array_split(ordered, periods)
    means = np.array([g.mean() for g in groups])
    noise = float(np.mean([g.var(ddof=1) / len(g) for g in groups]))
    moved = max(float(means.var(ddof=1)) - noise, 0.0)
    return sqrt(moved) / float(values.mean())
