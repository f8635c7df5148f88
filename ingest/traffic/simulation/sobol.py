"""Scrambled Sobol points: evenly spread draws of many parameters at once, with numpy alone.

Direction numbers are those of Joe and Kuo (2008) for the first 21 dimensions; each dimension is
scrambled by a random lower-triangular bit matrix and a digital shift (Matousek), so that every
point is uniform and no dimension keeps the grid. Further dimensions, which no scenario here
should need, are Latin-hypercube columns.

>>> points = sobol(8, 2, seed=1)
>>> sorted((points[:, 0] * 8).astype(int).tolist())   # one point in every eighth
[0, 1, 2, 3, 4, 5, 6, 7]
"""

from __future__ import annotations

from math import sqrt

import numpy as np
import numpy.typing as npt

BITS = 32
# (degree, coefficients, initial direction numbers) of dimensions 2, 3, ...
_JOE_KUO = (
    (1, 0, (1,)), (2, 1, (1, 3)), (3, 1, (1, 3, 1)), (3, 2, (1, 1, 1)), (4, 1, (1, 1, 3, 3)),
    (4, 4, (1, 3, 5, 13)), (5, 2, (1, 1, 5, 5, 17)), (5, 4, (1, 1, 5, 5, 5)),
    (5, 7, (1, 1, 7, 11, 19)), (5, 11, (1, 1, 5, 1, 1)), (5, 13, (1, 1, 1, 3, 11)),
    (5, 14, (1, 3, 5, 5, 31)), (6, 1, (1, 3, 3, 9, 7, 49)), (6, 13, (1, 1, 1, 15, 21, 21)),
    (6, 16, (1, 3, 1, 13, 27, 49)), (6, 19, (1, 1, 1, 15, 7, 5)), (6, 22, (1, 3, 1, 15, 13, 25)),
    (6, 25, (1, 1, 5, 5, 19, 61)), (7, 1, (1, 3, 7, 11, 23, 15, 103)),
    (7, 4, (1, 3, 7, 13, 13, 15, 69)),
)  # fmt: skip
DIMENSIONS = len(_JOE_KUO) + 1


def directions(dimension: int) -> npt.NDArray[np.uint64]:
    """The 32 direction numbers of a dimension (0 is van der Corput's sequence)."""
    v = np.zeros(BITS, dtype=np.uint64)
    if dimension == 0:
        return np.uint64(1) << np.arange(BITS - 1, -1, -1, dtype=np.uint64)
    degree, coefficients, first = _JOE_KUO[dimension - 1]
    m = list(first)
    for k in range(degree, BITS):
        new = m[k - degree] ^ (m[k - degree] << degree)
        for j in range(1, degree):
            if coefficients >> (degree - 1 - j) & 1:
                new ^= m[k - j] << j
        m.append(new)
    for k in range(BITS):
        v[k] = np.uint64(m[k] << (BITS - 1 - k))
    return v


def _scramble(v: npt.NDArray[np.uint64], rng: np.random.Generator) -> npt.NDArray[np.uint64]:
    """Multiply the generating matrix by a random lower-triangular one (ones on the diagonal)."""
    bits = (v[None, :] >> np.arange(BITS - 1, -1, -1, dtype=np.uint64)[:, None]) & np.uint64(1)
    mixer = np.tril(rng.integers(0, 2, (BITS, BITS)), -1) + np.eye(BITS, dtype=np.int64)
    mixed = (mixer @ bits.astype(np.int64)) % 2
    weights = np.uint64(1) << np.arange(BITS - 1, -1, -1, dtype=np.uint64)
    return (mixed.astype(np.uint64) * weights[:, None]).sum(axis=0, dtype=np.uint64)


def sobol(n: int, dimensions: int, seed: int) -> npt.NDArray[np.float64]:
    """``n`` scrambled points in the open unit cube, shape (n, dimensions); same seed, same ones."""
    rng = np.random.default_rng(seed)
    gray = np.arange(n, dtype=np.uint64)
    gray ^= gray >> np.uint64(1)
    out = np.empty((n, dimensions))
    for d in range(dimensions):
        if d >= DIMENSIONS:
            out[:, d] = (rng.permutation(n) + rng.random(n)) / n
            continue
        v = _scramble(directions(d), rng)
        points = np.full(n, np.uint64(rng.integers(0, 1 << BITS)), dtype=np.uint64)
        for k in range(max(n - 1, 1).bit_length()):
            points ^= np.where(gray >> np.uint64(k) & np.uint64(1), v[k], np.uint64(0))
        out[:, d] = (points.astype(np.float64) + 0.5) / 2.0**BITS
    return out


def normal(u: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Standard normal quantiles of ``u`` in (0, 1) (Acklam's rational approximation, 1e-9)."""
    a = (-3.969683028665376e01, 2.209460984245205e02, -2.759285104469687e02,
         1.383577518672690e02, -3.066479806614716e01, 2.506628277459239e00)  # fmt: skip
    b = (-5.447609879822406e01, 1.615858368580409e02, -1.556989798598866e02,
         6.680131188771972e01, -1.328068155288572e01, 1.0)  # fmt: skip
    c = (-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e00,
         -2.549732539343734e00, 4.374664141464968e00, 2.938163982698783e00)  # fmt: skip
    d = (7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e00,
         3.754408661907416e00, 1.0)  # fmt: skip
    low = 0.02425
    q = u - 0.5
    r = q * q
    middle = np.polyval(a, r) * q / np.polyval(b, r)
    t = np.sqrt(-2 * np.log(np.minimum(np.minimum(u, 1 - u), low)))
    tail = np.polyval(c, t) / np.polyval(d, t)
    return np.where(np.abs(q) <= 0.5 - low, middle, np.where(q < 0, tail, -tail))


Z90 = 1.2815515655446004
"""Standard normal quantile of 90 %: a P10-P90 range is 2 x Z90 standard deviations wide."""


def log_sd(p10: float, p90: float) -> float:
    """Standard deviation of the log of a quantity whose P10 and P90 are given."""
    return float(np.log(p90 / p10)) / (2 * Z90)


def geometric_middle(p10: float, p90: float) -> float:
    """Median of a lognormal quantity with these P10 and P90."""
    return sqrt(p10 * p90)
