"""Learn what a model really bills, from logged usage: ratio, hidden constant and interval.

Example: three calls estimated at 100, 200 and 400 tokens and billed 160, 270 and 490 lie on
billed = 1.1 x estimate + 50: the ratio is 1.1 and 50 tokens are hidden in every request.

The line is fitted by Theil-Sen (the median of all pairwise slopes): up to 29 % of the samples may
be wrong (retries, cached duplicates, mocks) and it stays where it is. Ratio and constant are both
learned only when the estimates differ enough to tell them apart; otherwise one of them is held.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from pricing.counting.result import CountingError

_FEW = 8  # below this a line would follow single samples
_SPREAD = 1.5  # largest estimate over smallest, needed to tell a slope from an offset
_PAIRS = 200_000


@dataclass(frozen=True)
class Sample:
    """One logged call: estimated tokens, and input tokens billed (cached ones included)."""

    estimated: int
    billed: int


@dataclass(frozen=True)
class Calibration:
    """``billed = slope x estimated + offset`` with an interval for single calls.

    ``low`` and ``high`` are tokens to add to a corrected estimate: the 5th and 95th percentile of
    what is left over, widened where there are few samples, growing with the estimate if
    ``relative`` (then they are shares of it). ``found`` says in words how it was learned.
    """

    slope: float
    offset: float
    low: float
    high: float
    relative: bool
    n: int
    found: str

    def correct(self, estimated: float) -> tuple[int, int, int]:
        """``(total, low, high)`` in tokens for a new estimate; never below zero."""
        middle = self.slope * estimated + self.offset
        scale = middle if self.relative else 1.0
        low, high = middle + self.low * scale, middle + self.high * scale
        # A millionth of a token is rounding error of the line, not part of the interval.
        floor, ceiling = math.floor(low + 1e-6), math.ceil(high - 1e-6)
        return max(0, round(middle)), max(0, floor), max(0, ceiling)


def calibrate(samples: Sequence[Sample] | Sequence[tuple[int, int]]) -> Calibration:
    """Learn from ``(estimated, billed)`` pairs, both in input tokens.

    Raises :class:`CountingError` without at least three samples with positive numbers, since two
    points fit any line.
    """
    pairs = [(s.estimated, s.billed) if isinstance(s, Sample) else (s[0], s[1]) for s in samples]
    used = [(float(x), float(y)) for x, y in pairs if x > 0 and y > 0]
    if len(used) < 3:
        raise CountingError(
            "Calibration needs at least 3 calls with an estimate and a billed count; "
            f"{len(used)} of {len(pairs)} are usable."
        )
    smallest, largest = min(x for x, _ in used), max(x for x, _ in used)
    if len(used) >= _FEW and largest >= _SPREAD * smallest:
        slope = _theil_sen(used)
        offset = median(y - slope * x for x, y in used)
        found = "median of pairwise slopes; constant: median remainder"
    elif largest >= _SPREAD * smallest:
        slope, offset = median(y / x for x, y in used), 0.0
        found = f"median ratio, constant held at 0 (fewer than {_FEW} calls)"
    else:
        slope, offset = 1.0, median(y - x for x, y in used)
        found = "ratio held at 1 (the calls are of one size); constant: median difference"
    return _with_interval(used, slope, offset, found)


def _theil_sen(points: list[tuple[float, float]]) -> float:
    ordered = sorted(points)
    n = len(ordered)
    # All pairs while that is cheap; beyond, each point with a few at fixed distances.
    gaps = range(1, n) if n * (n - 1) // 2 <= _PAIRS else _strides(n)
    slopes = [
        (ordered[i + gap][1] - ordered[i][1]) / (ordered[i + gap][0] - ordered[i][0])
        for gap in gaps
        for i in range(n - gap)
        if ordered[i + gap][0] > ordered[i][0]
    ]
    return median(slopes)


def _strides(n: int) -> list[int]:
    steps = max(1, _PAIRS // n)
    return sorted({max(1, (n * k) // (2 * steps)) for k in range(1, steps + 1)})


def _with_interval(
    points: list[tuple[float, float]], slope: float, offset: float, found: str
) -> Calibration:
    middles = [max(1.0, slope * x + offset) for x, _ in points]
    errors = [y - m for (_, y), m in zip(points, middles, strict=True)]
    shares = [e / m for e, m in zip(errors, middles, strict=True)]
    # Errors that grow with the size are stated as shares: then large calls are not understated.
    cut = median(middles)
    small = [abs(e) for e, m in zip(errors, middles, strict=True) if m <= cut]
    large = [abs(e) for e, m in zip(errors, middles, strict=True) if m > cut]
    relative = bool(large) and median(large) > 1.5 * max(median(small), 0.5)
    low, high = _span(shares if relative else errors)
    return Calibration(slope, offset, low, high, relative, len(points), found)


def _span(errors: list[float]) -> tuple[float, float]:
    """5th to 95th percentile; with few samples their whole range, widened by 1 + 4 / n."""
    ordered = sorted(errors)
    n = len(ordered)
    at = max(0, math.floor(0.05 * (n + 1)) - 1)
    low, high = ordered[at], ordered[n - 1 - at]
    wide = 1 + 4 / n if n < 40 else 1.0
    return min(0.0, low) * wide, max(0.0, high) * wide
