"""Draw lengths: from quantiles, a distribution given by its mean and tail, or observed values.

>>> round(float(quantile_of(Quantiles(p10=10, p50=100, p90=1000), np.array([0.5]))[0]))
100
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, lgamma, log

import numpy as np
import numpy.typing as npt

from ingest.traffic.scenarios.numbers import (
    Distribution,
    Empirical,
    Length,
    Quantiles,
    Range,
    ScenarioError,
    middle,
)
from ingest.traffic.simulation.sobol import normal

FloatArray = npt.NDArray[np.float64]


def uncertain(value: Length) -> Range | None:
    """The range of a length's overall level, if it has one."""
    if isinstance(value, Range):
        return value
    inner = (
        value.scale
        if isinstance(value, Quantiles | Empirical)
        else value.mean
        if isinstance(value, Distribution)
        else None
    )
    return inner if isinstance(inner, Range) else None


def quantile_of(length: Length, u: FloatArray) -> FloatArray:
    """Lengths at probabilities ``u``; plain numbers and ranges give their middle everywhere."""
    if isinstance(length, Quantiles):
        p99 = length.p99 or length.p90 * (length.p90 / length.p50)
        at = normal(np.array([0.1, 0.5, 0.9, 0.99]))
        logs = np.log(np.maximum([length.p10, length.p50, length.p90, p99], 0.5))
        z = normal(u)
        inside = np.interp(z, at, logs)
        below = logs[0] + (z - at[0]) * (logs[1] - logs[0]) / (at[1] - at[0])
        # Beyond the last quantile given nothing is invented: the tail stops there.
        return np.exp(np.where(z < at[0], below, inside)) * middle(length.scale)
    if isinstance(length, Empirical):
        ordered = np.sort(np.asarray(length.values, dtype=np.float64))
        rows = np.minimum((u * len(ordered)).astype(np.int64), len(ordered) - 1)
        return ordered[rows] * middle(length.scale)
    if isinstance(length, Distribution):
        return _family(length, u)
    return np.full(len(u), middle(length))


def mean_of(length: Length) -> float:
    """The mean length."""
    u = (np.arange(2000) + 0.5) / 2000
    return float(quantile_of(length, u).mean())


def _family(length: Distribution, u: FloatArray) -> FloatArray:
    mean = middle(length.mean)
    if length.family == "fixed" or mean == 0:
        return np.full(len(u), mean)
    ratio = length.p95_over_mean
    if length.family == "lognormal":
        sigma = _solve(lambda s: exp(1.6448536 * s - s * s / 2), ratio, 1e-3, 1.6448)
        return mean * np.exp(sigma * normal(u) - sigma * sigma / 2)
    if length.family == "weibull":

        def tail(k: float) -> float:
            return exp(log(-log(0.05)) / k - lgamma(1 + 1 / k))

        shape = 1 / _solve(lambda s: tail(1 / s), ratio, 0.05, 2.0)
        scale = mean / exp(lgamma(1 + 1 / shape))
        return scale * (-np.log1p(-u)) ** (1 / shape)

    # Gamma: Wilson and Hilferty's cube, whose quantiles are good to a percent for shapes >= 0.5;
    # rescaled so that the mean is exact.
    def cube(shape: float, z: FloatArray) -> FloatArray:
        c = 1 / (9 * shape)
        return np.maximum(1 - c + z * np.sqrt(c), 0.02) ** 3

    grid = normal((np.arange(512) + 0.5) / 512)
    cv2 = _solve(
        lambda s: float(cube(1 / s, np.array([1.6448536]))[0] / cube(1 / s, grid).mean()),
        ratio, 0.01, 2.0,
    )  # fmt: skip
    return mean * cube(1 / cv2, normal(u)) / cube(1 / cv2, grid).mean()


def _solve(f: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Bisection of a growing function; ScenarioError where the target cannot be reached."""
    if not f(low) <= target <= f(high):
        raise ScenarioError(
            f"p95_over_mean = {target} is outside what this family can do "
            f"({f(low):.2f} to {f(high):.2f}); give quantiles instead"
        )
    for _ in range(60):
        mid = (low + high) / 2
        low, high = (mid, high) if f(mid) < target else (low, mid)
    return (low + high) / 2
