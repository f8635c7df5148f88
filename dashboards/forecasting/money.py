"""From volume to money: forecast paths and recorded tokens, each day at that day's price.

Prices are integer pico-dollars (1e-12 USD) per unit, one per day: an announced change is simply a
different integer from its date on. Two functions, two precisions:

* `price_actual`: recorded tokens are whole numbers; money is an exact Python int of pico-dollars;
* `price_paths`: forecast volumes are guesses; money is a float in USD, good to about 15 digits, for
  display and chances only. It must never be booked.

Example: 1,000,000 tokens at 1,750,000 pico-dollars a token are 1.75 USD.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PICO = 10**12


def daily_prices(dates: NDArray[np.datetime64], steps: Sequence[tuple[date, int]]) -> list[int]:
    """The price in force on each day, from dated steps `(valid from, pico-dollars per unit)`.

    Raises ValueError when a day lies before the first step: that day is unpriced, not free.
    """
    ordered = sorted(steps)
    starts = np.array([np.datetime64(d, "D") for d, _ in ordered], dtype="datetime64[D]")
    days = np.asarray(dates, dtype="datetime64[D]")
    at = np.searchsorted(starts, days, side="right") - 1
    if len(at) and at.min() < 0:
        msg = f"no price in force on {days[int(np.argmin(at))]}: the first is valid from " + (
            str(starts[0]) if len(starts) else "never"
        )
        raise ValueError(msg)
    return [ordered[i][1] for i in at]


def price_actual(tokens: Sequence[int], prices: Sequence[int]) -> int:
    """Exact pico-dollars of whole daily tokens at daily integer prices."""
    return sum(int(n) * int(p) for n, p in zip(tokens, prices, strict=True))


def price_paths(paths: Floats, prices: Sequence[int]) -> Floats:
    """(paths, days) USD as float: volume per day × price per unit of that day. Display only."""
    if np.shape(paths)[1] != len(prices):
        msg = f"{np.shape(paths)[1]} days of volume but {len(prices)} daily prices"
        raise ValueError(msg)
    return np.asarray(paths) * (np.array([float(p) for p in prices]) / PICO)


def price_meters(
    volumes: Mapping[str, Floats], prices: Mapping[str, Sequence[int] | None]
) -> tuple[Floats, list[str]]:
    """Money paths of one leaf over its meters, and the meters that have no price.

    An unpriced meter (None or absent) adds nothing and is named, so the caller can say so.
    """
    total: Floats | None = None
    unpriced: list[str] = []
    for meter, paths in volumes.items():
        price = prices.get(meter)
        if price is None:
            unpriced.append(meter)
            continue
        money = price_paths(paths, price)
        total = money if total is None else total + money
    if total is None:
        shape = np.shape(next(iter(volumes.values()))) if volumes else (0, 0)
        total = np.zeros(shape)
    return total, unpriced
