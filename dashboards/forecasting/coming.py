"""What a unit will cost on each coming day, announced changes included.

    coming_prices(catalogue, card, "input_uncached", {ALL_BANDS: 1}, dates)   # [1750000, …]

An announced price is simply another integer from its day on. A leaf whose traffic falls into
several price bands (long input, cheap hours) costs their mean by the mix of its last four weeks.

Example: three units in four at 4 pico-dollars a unit, one at 1: (3 × 4 + 1) / 4 is 3.25, so 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboards.queries.volume import Band
from pricing.catalogue import CardKey, Catalogue
from pricing.rates import ALL_WEEK

ALL_BANDS = Band(0, ALL_WEEK, 0)


def coming_prices(
    catalogue: Catalogue,
    card: CardKey | None,
    meter: str,
    mix: Mapping[Band, int],
    dates: NDArray[np.datetime64],
) -> list[int] | None:
    """Pico-dollars per unit on each coming day, announced changes included; None when unpriced.

    With several bands the mean by the mix, rounded to a whole pico-dollar: a forecast, not a bill.
    """
    if card is None:
        return None
    total = sum(mix.values())
    weights = [(b, n) for b, n in mix.items() if n] if total else [(b, 1) for b in mix]
    days = tuple(np.asarray(dates, dtype="datetime64[D]").astype(object).tolist())
    by_band = [(_band_prices(catalogue, card, meter, band, days), n) for band, n in weights]
    weight = sum(n for _, n in weights)
    prices: list[int] = []
    mixed: dict[tuple[int | None, ...], int] = {}  # prices stand still on most days
    for found in zip(*(row for row, _ in by_band), strict=True):
        price = mixed.get(found)
        if price is None:
            value = 0
            for of_band, (_, units) in zip(found, by_band, strict=True):
                if of_band is None:
                    return None
                value += of_band * units
            price = mixed[found] = (2 * value + weight) // (2 * weight)
        prices.append(price)
    return prices


@lru_cache(maxsize=4096)
def _band_prices(
    catalogue: Catalogue, card: CardKey, meter: str, band: Band, days: tuple[date, ...]
) -> tuple[int | None, ...]:
    """A band's price on each day: the same for all teams on the card."""
    vectors = catalogue.vectors(card)
    return tuple(_price_on(vectors, meter, band, day) for day in days)


def _price_on(vectors: Sequence[Any], meter: str, band: Band, day: date) -> int | None:
    """A band's price on a day: at the band's own hour, on the first such weekday from the day."""
    for ahead in range(7):
        when = datetime(day.year, day.month, day.day) + timedelta(days=ahead)
        if band.weekdays >> when.weekday() & 1:
            break
    else:
        return None
    moment = datetime(day.year, day.month, day.day) + timedelta(minutes=band.minute_from)
    for v in vectors:
        if not (
            v.valid_from <= moment < v.valid_to and v.min_input <= band.min_input < v.max_input
        ):
            continue
        if v.weekdays >> when.weekday() & 1 and v.minute_from <= band.minute_from < v.minute_to:
            price = v.price(meter)
            return 0 if price is None and meter == "request" else price
    return None
