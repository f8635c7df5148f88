"""Prices as traffic needs them: a few whole-request bands of integer unit prices.

A simulation prices arrays of requests, not single calls, and asks for the same variant thousands
of times. A `RateSheet` is what one card says on one day: for every prompt-size band the
pico-dollars (1e-12 USD) of one unit of each meter. Where they come from is injected (`Prices`),
so this package needs no price table.

>>> import numpy as np
>>> sheet = RateSheet("gpt-5.2", (Band(0, NO_LIMIT, {
...     "input_uncached": 1_750_000, "cache_read": 175_000, "output_text": 14_000_000}),))
>>> counts = {"input_uncached": np.array([1000]), "cache_read": np.array([0]),
...           "output_text": np.array([100])}
>>> usd(sheet.total(counts))
'0.00315'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]

NO_LIMIT = 2**62
INPUT_METERS = (
    "input_uncached", "cache_read", "cache_write_5m", "cache_write_30m", "cache_write_1h",
    "cache_write_12h", "input_image",
)  # fmt: skip
OUTPUT_METERS = ("output_text", "reasoning")
# A meter a card does not price is billed at its parent's price.
PARENTS = {
    "cache_read": "input_uncached",
    "cache_write_unknown": "input_uncached",
    "cache_write_5m": "cache_write_unknown",
    "cache_write_30m": "cache_write_unknown",
    "cache_write_1h": "cache_write_unknown",
    "cache_write_12h": "cache_write_unknown",
    "input_image": "input_uncached",
    "reasoning": "output_text",
}


@dataclass(frozen=True)
class Band:
    """Unit prices for requests whose whole input n has min_input <= n < max_input."""

    min_input: int
    max_input: int
    pico: Mapping[str, int]

    def price(self, meter: str) -> int | None:
        """Pico-dollars for one unit of the meter, its parent's if it has none, else None."""
        at: str | None = meter
        while at is not None:
            if at in self.pico:
                return self.pico[at]
            at = PARENTS.get(at)
        return None


@dataclass(frozen=True)
class RateSheet:
    """One variant's prices on one tier on one day; ``status`` as in a priced call.

    ``context_window``, ``max_output`` (tokens) and ``retired`` are for feasibility; None: unknown.
    """

    variant: str
    bands: tuple[Band, ...]
    tier: str = "standard"
    seller: str = ""
    status: str = "exact"
    context_window: int | None = None
    max_output: int | None = None
    retired: date | None = None
    efforts: tuple[str, ...] = ()

    def per_request(self, counts: Mapping[str, IntArray]) -> IntArray:
        """Pico-dollars of each request, exact. ``counts`` maps meters to equally long arrays.

        Raises LookupError for a counted meter without a price (never a silent zero).
        """
        size = len(next(iter(counts.values())))
        return sum(self.by_meter(counts).values(), np.zeros(size, dtype=np.int64))

    def by_meter(self, counts: Mapping[str, IntArray]) -> dict[str, IntArray]:
        """Pico-dollars of each request, one array a meter. Errors as in `per_request`."""
        size = len(next(iter(counts.values())))
        total = np.zeros(size, dtype=np.int64)
        for meter in counts:
            if meter in INPUT_METERS:
                total += counts[meter]
        out = {meter: np.zeros(size, dtype=np.int64) for meter in counts}
        placed = np.zeros(size, dtype=bool)
        for band in self.bands:
            inside = (total >= band.min_input) & (total < band.max_input)
            placed |= inside
            if not inside.any():
                continue
            for meter, count in counts.items():
                if not count.any():
                    continue
                price = band.price(meter)
                if price is None:
                    raise LookupError(f"{self.variant} ({self.tier}): no price for {meter}")
                out[meter] += np.where(inside, count * price, 0)
        if not placed.all():
            raise LookupError(f"{self.variant} ({self.tier}): no price for some prompt sizes")
        return out

    def total(self, counts: Mapping[str, IntArray]) -> int:
        """Pico-dollars of all requests together, exact."""
        # int64 holds nine million dollars a request; the sum is taken in Python's integers.
        per = self.per_request(counts)
        return int(per.sum(dtype=object)) if len(per) else 0


class Prices(Protocol):
    """Where rate sheets come from: the catalogue, or a table in a test."""

    def sheet(
        self, variant: str, day: date, tier: str = "standard", seller: str | None = None
    ) -> RateSheet | None:
        """The sheet in force on ``day``, or None where the variant or tier has no price."""
        ...


@dataclass(frozen=True)
class FixedPrices:
    """Prices given by hand: (variant, tier) to sheet. For tests and what-if questions."""

    sheets: Mapping[tuple[str, str], RateSheet]

    def sheet(
        self, variant: str, day: date, tier: str = "standard", seller: str | None = None
    ) -> RateSheet | None:
        """See `Prices`."""
        del day
        found = self.sheets.get((variant, tier))
        return found if found is not None and seller in (None, found.seller) else None


def why_unpriced(prices: Prices, variant: str, day: date, tier: str = "standard") -> str:
    """Why there is no sheet, in the words of the price source where it has any."""
    told = getattr(prices, "why_unpriced", None)
    return told(variant, day, tier) if told is not None else f"{variant} has no price on {day}"


def usd(pico: int) -> str:
    """Pico-dollars as an exact decimal string in USD, without trailing zeros.

    >>> usd(311_098_000_000_000)
    '311.098'
    >>> usd(0)
    '0'
    """
    text = format(Decimal(int(pico)).scaleb(-12), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def usd_estimate(pico: float) -> str:
    """An estimate in USD as a decimal string, rounded to a ten-thousandth of a dollar."""
    return usd(round(pico / 1e8) * 10**8)
