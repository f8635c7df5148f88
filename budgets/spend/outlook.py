"""Figures a person asks for, all read off the same sample paths.

`paths` is (paths, days): money or tokens per day. Nothing here knows how the paths were made, so a
month end, a budget chance and an exhaustion date can never contradict each other.

Example: three paths whose remaining days sum to 5, 10 and 40, with 60 spent to date and a budget of
80: chance to exceed = 1/3.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def period_end(
    paths: Floats, spent: float = 0.0, levels: Iterable[float] = (0.1, 0.5, 0.9)
) -> Floats:
    """(levels,) quantiles of the period's total: spent to date plus the days still to come."""
    return spent + np.quantile(np.asarray(paths).sum(axis=1), list(levels))


def cumulative_fan(
    paths: Floats, spent: float = 0.0, levels: Iterable[float] = (0.1, 0.5, 0.9)
) -> Floats:
    """(levels, days) quantiles of the running total, for the burn-down chart."""
    return spent + np.quantile(np.cumsum(paths, axis=1), list(levels), axis=0)


def chance_to_exceed(paths: Floats, budget: float, spent: float = 0.0) -> float:
    """Share of paths whose total is above the budget; exactly on it is within it."""
    return float((spent + np.asarray(paths).sum(axis=1) > budget).mean())


@dataclass(frozen=True, slots=True)
class Exhaustion:
    """When a budget is gone, over the paths."""

    early: np.datetime64 | None
    """Day by which one path in ten has exhausted it; None: not within the forecast."""
    median: np.datetime64 | None
    late: np.datetime64 | None
    not_exhausted: float
    """Share of paths on which the budget outlasts the forecast."""


def exhaustion(
    paths: Floats, dates: NDArray[np.datetime64], budget: float, spent: float = 0.0
) -> Exhaustion:
    """First day on which the running total is above the budget, as P10/P50/P90 over the paths.

    A quantile that falls on paths which never exhaust it is None, never the last day. A budget
    already exceeded is exhausted on the first day.
    """
    running = spent + np.cumsum(paths, axis=1)
    over = running > budget
    horizon = over.shape[1]
    first: NDArray[np.int64] = over.argmax(axis=1)
    day = np.sort(np.where(over.any(axis=1), first, horizon))
    pick = [int(day[min(int(np.ceil(q * len(day))) - 1, len(day) - 1)]) for q in (0.1, 0.5, 0.9)]
    when = [None if d == horizon else np.asarray(dates, dtype="datetime64[D]")[d] for d in pick]
    return Exhaustion(when[0], when[1], when[2], float((day == horizon).mean()))
