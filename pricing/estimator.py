"""Price one call: find its vector, multiply, and say how sure the answer is.

This is the scalar twin of the SQL the store runs over millions of calls; a property test holds
the two equal to the pico-dollar.

>>> call = price_call("openai", "gpt-5.2", {"prompt_tokens": 1_000_000, "completion_tokens": 1_000,
...     "prompt_tokens_details": {"cached_tokens": 900_000}}, tier="default")
>>> call.cost_usd, call.status
(Decimal('0.346500000000'), 'exact')
>>> [(line.meter, line.quantity, line.price_usd_per) for line in call.lines]
[('input_uncached', 100000, '1.75 per 1M'), ('cache_read', 900000, '0.175 per 1M'), \
('output_text', 1000, '14 per 1M')]
>>> price_call("openai", "gpt-9", {"prompt_tokens": 5, "completion_tokens": 5}).cost_usd is None
True
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from pricing.catalogue import Catalogue, Route, Status, default_catalogue
from pricing.meters import METERS
from pricing.money import plain, usd, usd_per
from pricing.rates import RateVector
from pricing.usage import Item, Reading, read_usage, total_input

_SEVERITY: tuple[Status, ...] = ("exact", "assumed", "fallback", "unpriced")


@dataclass(frozen=True, slots=True)
class Line:
    """One meter of a call: quantity, unit price and cost, or why there is none.

    `cost_pico` and `price_pico` are pico-dollars (None when unpriced); `via` names the meter
    whose price was used when this one has none of its own.
    """

    meter: str
    quantity: int
    price_pico: int | None
    cost_pico: int | None
    status: Status
    rate_id: str | None = None
    via: str = ""
    item: str = ""
    variant: str | None = None

    @property
    def price_usd_per(self) -> str | None:
        """The price as sellers publish it: `1.75 per 1M`."""
        if self.price_pico is None:
            return None
        meter = METERS[self.meter]
        return f"{usd_per(self.price_pico, meter.per)} per {meter.per_words}"


@dataclass(frozen=True, slots=True)
class PricedCall:
    """The price of one call.

    `cost_usd` is exact, or None when nothing of the call could be priced. With status "unpriced"
    a cost that is not None covers the priced lines only: the lines say which are missing.
    """

    cost_usd: Decimal | None
    status: Status
    lines: tuple[Line, ...]
    variant: str | None
    seller: str
    tier: str | None
    at: datetime
    reason: str = ""
    flags: tuple[str, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """Plain types: money as decimal strings in USD, the instant as RFC 3339 UTC."""
        return {
            "cost_usd": plain(self.cost_usd),
            "status": self.status,
            "variant": self.variant,
            "seller": self.seller,
            "tier": self.tier,
            "at": self.at.isoformat() + "Z",
            "reason": self.reason,
            "flags": list(self.flags),
            "lines": [
                {
                    "meter": line.meter,
                    "quantity": line.quantity,
                    "unit_price_usd": None
                    if line.price_pico is None
                    else format(usd_per(line.price_pico, 1), "f"),
                    "cost_usd": None if line.cost_pico is None else plain(usd(line.cost_pico)),
                    "status": line.status,
                    "rate_id": line.rate_id,
                    "via": line.via,
                    **({"item": line.item, "variant": line.variant} if line.item else {}),
                }
                for line in self.lines
            ],
        }


def worst(*statuses: Status) -> Status:
    """The least sure of several statuses."""
    return max(statuses, key=_SEVERITY.index)


def utc_naive(at: datetime | date | str | None) -> datetime:
    """An instant as naive UTC; None is now, a naive value is taken as UTC.

    A string is ISO 8601 (`2026-03-01`, `2026-03-01T12:00:00Z`), a date its first instant; any
    other string raises ValueError.
    """
    if at is None:
        return datetime.now(UTC).replace(tzinfo=None)
    if isinstance(at, str):
        at = datetime.fromisoformat(at)
    if not isinstance(at, date):
        raise TypeError(f"an instant is a datetime, a date or ISO 8601, not {type(at).__name__}")
    if not isinstance(at, datetime):
        at = datetime(at.year, at.month, at.day)
    return at if at.tzinfo is None else at.astimezone(UTC).replace(tzinfo=None)


def price_call(
    provider: str,
    model: str,
    usage: Any,
    at: datetime | date | str | None = None,
    tier: str | None = None,
    region: str | None = None,
    seller: str | None = None,
    *,
    catalogue: Catalogue | None = None,
    known_at: datetime | date | str | None = None,
) -> PricedCall:
    """Price one call from the usage object exactly as the API returned it.

    `at` is when the call happened (naive means UTC; a string is ISO 8601; None means now);
    `tier`, `region` and `seller` override what the usage object and the provider's name say.
    `known_at` prices as the table stood then. Unknown names give status "unpriced" and no cost;
    impossible counts raise `UsageError`, a name that is no text `TypeError`.
    """
    named = {"provider": provider, "model": model, "tier": tier, "region": region, "seller": seller}
    for name, value in named.items():
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name} must be text, not {type(value).__name__}")
    provider = provider or ""
    reading = read_usage(usage, provider)
    return price_reading(
        reading,
        provider,
        model,
        at=utc_naive(at),
        tier=tier if tier is not None else reading.tier,
        region=region if region is not None else reading.region,
        seller=seller,
        catalogue=catalogue,
        known_at=None if known_at is None else utc_naive(known_at),
    )


def price_reading(
    reading: Reading,
    provider: str,
    model: str | None,
    *,
    at: datetime | None = None,
    tier: str | None = None,
    region: str | None = None,
    seller: str | None = None,
    catalogue: Catalogue | None = None,
    known_at: datetime | None = None,
) -> PricedCall:
    """As `price_call`, from counts that are already disjoint; prices each item on its own model."""
    book = catalogue or default_catalogue()
    when = utc_naive(at)
    items = [Item("", reading.counts), *reading.items]
    lines: list[Line] = []
    route = first = book.route(provider, model, seller=seller, tier=tier, region=region)
    reasons = [first.reason] if first.reason else []
    status: Status = first.status
    for item in items:
        if item.model is not None:
            route = book.route(provider, item.model, seller=seller, tier=tier, region=region)
            if route.reason and route.reason not in reasons:
                reasons.append(route.reason)
        else:
            route = first
        found, why = price_counts(item.counts, route, when, book, known_at=known_at, item=item.kind)
        found_status: list[Status] = [line.status for line in found]
        status = worst(status, route.status, *found_status)
        if why and why not in reasons:
            reasons.append(why)
        if why:
            status = "unpriced"
        lines += found
    priced = [line.cost_pico for line in lines if line.cost_pico is not None]
    nothing = (not lines and status == "unpriced") or (lines and not priced)
    return PricedCall(
        None if nothing else usd(sum(priced)),
        status,
        tuple(lines),
        first.variant,
        first.seller,
        first.card.tier if first.card else tier,
        when,
        "; ".join(reasons),
        tuple(reading.flags),
    )


def price_counts(
    counts: Mapping[str, int | None],
    route: Route,
    at: datetime,
    catalogue: Catalogue,
    *,
    known_at: datetime | None = None,
    item: str = "",
) -> tuple[list[Line], str]:
    """The lines of one set of disjoint counts on one route, and why it is unpriced, if it is."""
    if all(value is None for value in counts.values()):
        return [], route.reason if route.card is None else "the record states no counts"
    vector, why = find_vector(route, at, total_input(counts), catalogue, known_at)
    lines: list[Line] = []
    for name in METERS:
        quantity = 1 if name == "request" else counts.get(name)
        if not quantity:
            continue
        price = vector.prices.get(name) if vector is not None else None
        if price is None:
            if name == "request":  # most sellers have no fee per call: that is no gap
                continue
            lines.append(
                Line(name, quantity, None, None, "unpriced", item=item, variant=route.variant)
            )
            if not why:
                why = f"{route.variant} has no price for {name} at {route.seller}"
            continue
        status: Status = worst(route.status, "assumed") if price.assumed else route.status
        lines.append(
            Line(
                name, quantity, price.price, price.price * quantity, status, price.rate_id,
                price.via, item, route.variant,
            )
        )  # fmt: skip
    return lines, why


def find_vector(
    route: Route,
    at: datetime,
    input_tokens: int,
    catalogue: Catalogue,
    known_at: datetime | None = None,
) -> tuple[RateVector | None, str]:
    """The vector in force for a route at an instant and prompt size, or None and the reason."""
    if route.card is None:
        return None, route.reason
    vectors = catalogue.vectors(route.card, known_at=known_at)
    for vector in vectors:
        if vector.covers(at, input_tokens):
            return vector, ""
    if not vectors:
        return None, f"no rate of {route.variant} was known at that date"
    first = min(v.valid_from for v in vectors)
    name = f"{route.variant} on tier {route.card.tier} at {route.card.seller}"
    if at < first:
        return None, f"{name} has no rate before {first:%Y-%m-%d}"
    return None, f"{name} has no rate in force at {at:%Y-%m-%d %H:%M} UTC"
