"""The pricing table as people read it: listings, one variant's card, what changed between dates.

Prices come as USD per 1,000,000 tokens (per 1,000 searches), as sellers publish them.

    rows = listing(catalogue, at=datetime(2026, 3, 1), sellers=["openai"], search="5.2")
    rows[0]["input"]     # Decimal('1.75'), or None where there is none
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from pricing.catalogue import CardKey, Catalogue
from pricing.meters import METERS, priced
from pricing.money import usd_per
from pricing.rates import ALL_WEEK, DAY_MINUTES, EPOCH, FOREVER, NO_LIMIT, Rate, RateVector

MAIN_METERS = ("input_uncached", "cache_read", "cache_write_unknown", "output_text")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def published(meter: str, pico: int | None) -> Decimal | None:
    """A unit price in pico-dollars as the price sellers publish."""
    if pico is None:
        return None
    known = priced(meter)
    return usd_per(pico, known.per if known else 1_000_000)


def vector_at(vectors: Sequence[RateVector], at: datetime) -> RateVector | None:
    """The vector for a small prompt at an instant, or None when no price is in force."""
    return next((v for v in vectors if v.covers(at, 0)), None)


def listing(
    catalogue: Catalogue,
    *,
    at: datetime,
    sellers: Sequence[str] = (),
    search: str = "",
    tiers: Sequence[str] = ("standard",),
) -> Iterator[dict[str, Any]]:
    """Variants with a price in force at `at` (naive UTC), one row a seller, variant and tier."""
    needle = search.strip().lower()
    for seller in sellers or catalogue.sellers():
        for name in catalogue.listed(seller):
            variant = catalogue.variant(name, seller)
            words = f"{name} {variant.name if variant else ''} {variant.family if variant else ''}"
            if needle and needle not in words.lower():
                continue
            for tier in tiers:
                vectors = catalogue.vectors(CardKey(seller, name, tier, ""))
                vector = vector_at(vectors, at)
                if vector is None:
                    continue
                bands = sorted(
                    {v.min_input for v in vectors if v.min_input and v.covers(at, v.min_input)}
                )
                yield {
                    "seller": seller,
                    "variant": name,
                    "tier": tier,
                    "role": variant.role if variant else "",
                    "input": published("input_uncached", vector.price("input_uncached")),
                    "cached": _own(vector, "cache_read"),
                    "cache_write": _own(vector, "cache_write_unknown"),
                    "output": published("output_text", vector.price("output_text")),
                    "context_window": variant.context_window if variant else None,
                    "max_output": variant.max_output if variant else None,
                    "retired": variant.retired if variant else None,
                    "steps": bands,
                }


def _own(vector: RateVector, meter: str) -> Decimal | None:
    """A price of the meter's own; None where only its parent's holds."""
    found = vector.prices.get(meter)
    return None if found is None or found.via in METERS else published(meter, found.price)


def conditions(rate: Rate) -> str:
    """A rate's conditions in words: tier, region, prompt size, hours, dates."""
    parts = [] if rate.tier == "standard" else [rate.tier]
    if rate.region:
        parts.append(f"region {rate.region}")
    if rate.min_input:
        parts.append(f"from {rate.min_input:,} input tokens")
    if rate.max_input != NO_LIMIT:
        parts.append(f"below {rate.max_input:,} input tokens")
    if (rate.minute_from, rate.minute_to) != (0, DAY_MINUTES):
        parts.append(
            f"{rate.minute_from // 60:02}:{rate.minute_from % 60:02}-"
            f"{rate.minute_to // 60:02}:{rate.minute_to % 60:02} UTC"
        )
    if rate.weekdays != ALL_WEEK:
        parts.append(" ".join(d for n, d in enumerate(DAYS) if rate.weekdays >> n & 1))
    if not rate.in_force:
        parts.append("claim, not in force")
    if rate.negotiated:
        parts.append("negotiated")
    return ", ".join(parts)


def dates(rate: Rate) -> str:
    """When a rate holds, in words."""
    start = "always" if rate.valid_from == EPOCH else f"from {rate.valid_from:%Y-%m-%d}"
    return start if rate.valid_to == FOREVER else f"{start} to {rate.valid_to:%Y-%m-%d}"


def rate_json(rate: Rate) -> dict[str, Any]:
    """One rate in plain types."""
    return {
        "rate_id": rate.rate_id,
        "seller": rate.seller,
        "variant": rate.variant,
        "meter": rate.meter,
        "usd": published(rate.meter, rate.price),
        "per": METERS[rate.meter].per if rate.meter in METERS else None,
        "tier": rate.tier,
        "region": rate.region or None,
        "min_input": rate.min_input,
        "conditions": conditions(rate),
        "valid_from": None if rate.valid_from == EPOCH else rate.valid_from,
        "valid_to": None if rate.valid_to == FOREVER else rate.valid_to,
        "recorded_at": None if rate.recorded_at == EPOCH else rate.recorded_at,
        "in_force": rate.in_force,
        "negotiated": rate.negotiated,
        "source": rate.source,
        "checked": rate.checked,
        "origin": rate.origin,
        "note": rate.note,
    }


@dataclass(frozen=True, slots=True)
class Change:
    """One price that differs between two tables or dates; None is "no price"."""

    seller: str
    variant: str
    tier: str
    meter: str
    step: int
    before: Decimal | None
    after: Decimal | None

    def as_json(self) -> dict[str, Any]:
        """Plain types."""
        return {name: getattr(self, name) for name in self.__slots__}


def price_points(
    catalogue: Catalogue, at: datetime, known_at: datetime | None = None
) -> dict[tuple[str, str, str, str, int], Decimal | None]:
    """Every published price in force at an instant, by (seller, variant, tier, meter, step)."""
    points: dict[tuple[str, str, str, str, int], Decimal | None] = {}
    for seller in catalogue.sellers():
        for name in catalogue.listed(seller):
            for tier in catalogue.tiers(seller, name):
                vectors = catalogue.vectors(CardKey(seller, name, tier, ""), known_at=known_at)
                for v in vectors:
                    if not v.covers(at, v.min_input):
                        continue
                    for meter, price in v.prices.items():
                        if not price.via:
                            key = (seller, name, tier, meter, v.min_input)
                            points[key] = published(meter, price.price)
    return points


def diff(
    before: dict[tuple[str, str, str, str, int], Decimal | None],
    after: dict[tuple[str, str, str, str, int], Decimal | None],
) -> list[Change]:
    """What differs between two sets of price points."""
    return [
        Change(*key, before.get(key), after.get(key))
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    ]
