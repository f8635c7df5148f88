"""What if: changes to the volume paths or the daily prices, before pricing.

Each function returns a new mapping and leaves the forecast untouched, so a scenario and its base
share every path: the difference is the effect, path by path, with no noise of its own.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def change_price(
    prices: Sequence[int], dates: NDArray[np.datetime64], on: date, to: int
) -> list[int]:
    """Daily prices (pico-dollars per unit) with `to` from the day `on`."""
    start = np.datetime64(on, "D")
    return [to if d >= start else p for p, d in zip(prices, dates, strict=True)]


def scale_price(
    prices: Sequence[int], dates: NDArray[np.datetime64], on: date, factor: Fraction
) -> list[int]:
    """Daily prices times an exact factor from `on`; ValueError when not whole."""
    start = np.datetime64(on, "D")
    out: list[int] = []
    for p, d in zip(prices, dates, strict=True):
        value = p * factor if d >= start else Fraction(p)
        if value.denominator != 1:
            msg = f"{p} pico-dollars × {factor} is not a whole number; give the new price itself"
            raise ValueError(msg)
        out.append(int(value))
    return out


def add_launch(leaves: Mapping[str, Floats], name: str, volume: Floats) -> dict[str, Floats]:
    """Add a launch's simulated paths as a leaf (or on top of one); same shape as the others.

    A single row (1, days) is laid on every path. Raises ValueError when the shapes do not fit.
    """
    shape = np.shape(next(iter(leaves.values()))) if leaves else np.shape(volume)
    try:
        paths = np.broadcast_to(volume, shape)
    except ValueError:
        msg = f"launch paths have shape {np.shape(volume)}, the forecast {shape}"
        raise ValueError(msg) from None
    out = dict(leaves)
    out[name] = out[name] + paths if name in out else np.array(paths, dtype=np.float64)
    return out
