"""Jobs that come once a month: found in the history, taken out of it, put back on their days.

A batch run on the last working day, an invoice run on the 1st: volume several times that of the
days around it, on the same day of every month. To the level and the weekday such a day is luck, so
without this page it would be expected on any day and missed on its own.

Five habits are tried: the first and the last day of a month, its first and its last working day,
the 15th. For each: could luck alone have put days this large on all its dates? Every other day is
a draw of luck; a day at least as large as the smallest of the habit's has the share `p` of them;
all `k` dates then have `p ** k`, times five for the habits tried. At one in `RARE` and an effect of
at least `LEAST`, seen twice or more, it is a habit. What is found is divided out before the next
habit is tried.

Example: 90 days of 100, but 500 on each of three month ends. p = 1/88, p³ × 5 is one in 136,000:
a habit with the factor 5. The history reads 100 throughout, the next 31st is forecast at 500.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]
Mask = NDArray[np.bool_]

RARE = 200.0
"""Luck is ruled out when it would do this less than once in so many series."""
LEAST = 1.5
"""Smaller effects are left to the level and to luck."""
MOST_HABITS = 2
HALF = 14
"""A day is compared with the mean of the days this far around it."""
CAP = 2.0
"""Days above so many times P90 count as that in the mean."""


Habit = Callable[[Days], Mask]


def _month(days: Days) -> Days:
    return days.astype("datetime64[M]").astype("datetime64[D]")


def _first(days: Days) -> Mask:
    return days == _month(days)


def _last(days: Days) -> Mask:
    return _first(days + 1)


def _first_working(days: Days) -> Mask:
    return days == np.busday_offset(_month(days), 0, roll="forward")


def _last_working(days: Days) -> Mask:
    after = (days.astype("datetime64[M]") + 1).astype("datetime64[D]")
    return days == np.busday_offset(after, -1, roll="forward")


def _fifteenth(days: Days) -> Mask:
    return days == _month(days) + 14


HABITS: tuple[Habit, ...] = (_first, _last, _first_working, _last_working, _fifteenth)


@lru_cache(maxsize=64)
def _calendar(first: int, count: int) -> NDArray[np.bool_]:
    """(habits, days) which days each habit is on; the same for every series of a portfolio."""
    days = np.datetime64(first, "D") + np.arange(count)
    return np.stack([habit(days) for habit in HABITS])


def _ratios(y: Floats, free: Mask) -> Floats:
    """Each day over the mean of the `free` days around it, its weekday's median divided out."""
    n = len(y)
    capped = np.minimum(y, CAP * np.partition(y, int(0.9 * n))[int(0.9 * n)]) * free
    total = np.concatenate([[0.0], np.cumsum(capped)])
    known = np.concatenate([[0], np.cumsum(free)])
    start, stop = np.maximum(np.arange(n) - HALF, 0), np.minimum(np.arange(n) + HALF + 1, n)
    level = (total[stop] - total[start]) / np.maximum(known[stop] - known[start], 1)
    ratio = np.divide(y, level, out=np.zeros(n), where=level > 0)
    usual = np.median(ratio[n % 7 :].reshape(-1, 7), axis=0)
    usual = np.resize(np.roll(usual, n % 7), n)
    return np.divide(ratio, usual, out=ratio, where=usual > 0)


def _factor(mine: Floats, others: Floats) -> float:
    """How many times a usual day with volume; geometric: one huge month does not speak for all."""
    return float(np.exp(np.log(mine).mean()) / np.median(others[others > 0]))


def find(y: Floats, dates: Days) -> list[tuple[Habit, float]]:
    """Monthly habits of a daily volume and their factors, the surest first; mostly none.

    `y`: (days,) volume ≥ 0; `dates`: (days,) consecutive. Under two dates of a habit there is none.
    """
    if len(y) < 28:
        return []
    free = np.ones(len(y), dtype=bool)
    ratio = _ratios(y, free)
    calendar = _calendar(int(dates[0].astype("datetime64[D]").astype(np.int64)), len(y))
    found: list[int] = []
    while len(found) < MOST_HABITS:
        sure: list[tuple[float, float, int]] = []
        for number, on in enumerate(calendar):
            mine, others = ratio[on], ratio[free & ~on]
            if len(mine) < 2 or mine.min() < LEAST or not free[on].all() or not others.any():
                continue
            share = (int((others >= mine.min()).sum()) + 1) / (len(others) + 1)
            chance = share ** len(mine) * len(HABITS)
            factor = _factor(mine, others)
            if chance * RARE <= 1 and factor >= LEAST:
                sure.append((chance, -factor, number))
        if not sure:
            break
        found.append(min(sure)[2])
        free &= ~calendar[found[-1]]
    if not found:
        return []
    # The habits raised the level they were measured against: once more without them.
    ratio = _ratios(y, free)
    return [
        (HABITS[number], _factor(ratio[calendar[number]], ratio[free]))
        for number in found
        if ratio[calendar[number]].min() > 0  # else nothing is left around it to multiply
    ]


def factors(habits: list[tuple[Habit, float]], dates: Days) -> Floats:
    """(days,) what the habits multiply each date by; 1 on most."""
    days = dates.astype("datetime64[D]")
    out = np.ones(len(days))
    for habit, factor in habits:
        out[habit(days)] *= factor
    return out
