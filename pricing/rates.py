"""A rate is one published price; a card is what a seller charges for one variant on one tier.

Rates are claims about the world: who charges how much for which meter, from when, under which
conditions, according to which source. They are only ever appended. A *card* is derived from
them: for every stretch of time, prompt size and hour of the week, one *vector* with the price
of each meter. Pricing a call is finding its vector and multiplying.

Worked example: `gpt-5.2` costs 1.75 USD per million input tokens and 0.175 cached, so

>>> from datetime import datetime
>>> day = datetime(2025, 12, 11)
>>> rates = [Rate("openai", "gpt-5.2", "input_uncached", 1_750_000, valid_from=day),
...          Rate("openai", "gpt-5.2", "cache_read", 175_000, valid_from=day)]
>>> vector = compile_card(rates)[0]
>>> vector.price("cache_read"), vector.price("input_audio"), vector.price("output_text")
(175000, 1750000, None)

The audio price is the input price (its parent); the output price is None: *unpriced*, not free.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import pairwise

from pricing.meters import METERS

EPOCH = datetime(2000, 1, 1)
"""Valid-from of a price whose start nobody recorded."""

FOREVER = datetime(9999, 1, 1)
"""Valid-to of a price whose end nobody announced."""

NO_LIMIT = 2**62
"""Upper bound of the prompt size of a vector without one."""

ALL_WEEK = 127
DAY_MINUTES = 1440


@dataclass(frozen=True, slots=True)
class Rate:
    """One published price: pico-dollars for one unit of one meter, with its conditions.

    Instants are naive UTC datetimes on whole hours; `valid_from <= t < valid_to`. Prompt sizes
    are total input tokens with `min_input <= n < max_input`, so "above 200,000" is a `min_input`
    of 200,001 and "200,000 or more" one of 200,000. `weekdays` has bit 0 for Monday; minutes are
    of the UTC day. `in_force` is False for a claim that is recorded but contradicted by another.
    """

    seller: str
    variant: str
    meter: str
    price: int
    tier: str = "standard"
    region: str = ""
    min_input: int = 0
    max_input: int = NO_LIMIT
    weekdays: int = ALL_WEEK
    minute_from: int = 0
    minute_to: int = DAY_MINUTES
    valid_from: datetime = EPOCH
    valid_to: datetime = FOREVER
    recorded_at: datetime = EPOCH
    source: str = ""
    checked: date | None = None
    origin: str = ""
    note: str = ""
    in_force: bool = True
    assumed: bool = False
    rounded: bool = False
    negotiated: bool = False
    rate_id: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not self.rate_id:
            object.__setattr__(self, "rate_id", _rate_id(self))

    @property
    def windowed(self) -> bool:
        """Whether the price holds only in some hours of the week."""
        return (self.weekdays, self.minute_from, self.minute_to) != (ALL_WEEK, 0, DAY_MINUTES)


def _rate_id(rate: Rate) -> str:
    """A stable name for a rate: the same claim has the same id on every machine."""
    parts = (
        rate.seller,
        rate.variant,
        rate.meter,
        rate.price,
        rate.tier,
        rate.region,
        rate.min_input,
        rate.max_input,
        rate.weekdays,
        rate.minute_from,
        rate.minute_to,
        rate.valid_from.isoformat(),
        rate.valid_to.isoformat(),
        rate.origin.split(" ")[0],
        rate.in_force,
    )
    return hashlib.sha1("|".join(map(str, parts)).encode(), usedforsecurity=False).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class MeterPrice:
    """The price of one meter inside a vector, and where it came from.

    `via` names the meter whose price was used when the meter has none of its own; `assumed` says
    that using it needed a guess a person should see (an unstated cache lifetime, for example).
    """

    price: int
    rate_id: str
    via: str = ""
    assumed: bool = False


@dataclass(frozen=True, slots=True)
class RateVector:
    """All meter prices of a card for one stretch of time, prompt size and hours of the week."""

    valid_from: datetime
    valid_to: datetime
    min_input: int
    max_input: int
    weekdays: int
    minute_from: int
    minute_to: int
    prices: Mapping[str, MeterPrice]

    def price(self, meter: str) -> int | None:
        """Pico-dollars for one unit, or None when the meter has no price here."""
        found = self.prices.get(meter)
        return None if found is None else found.price

    def covers(self, at: datetime, total_input: int) -> bool:
        """Whether a call at `at` (naive UTC) with `total_input` prompt tokens is priced here."""
        minute = at.hour * 60 + at.minute
        return (
            self.valid_from <= at < self.valid_to
            and self.min_input <= total_input < self.max_input
            and bool(self.weekdays >> at.weekday() & 1)
            and self.minute_from <= minute < self.minute_to
        )


def compile_card(rates: Sequence[Rate], standard: Sequence[Rate] = ()) -> list[RateVector]:
    """Turn the rates of one (seller, variant, tier, region) into vectors that do not overlap.

    `standard` are the standard-tier rates of the same variant: a tier that publishes no price for
    a meter of its own (OpenAI's batch table has no cached price, no table has a price for web
    searches) keeps the standard one, as the sellers do. Time is cut at every start and end; a
    price without an end holds until the next one of the same meter and condition begins.
    """
    own = [r for r in rates if r.in_force]
    if not own:
        return []
    base = [r for r in standard if r.in_force]
    times = sorted({t for r in own + base for t in (r.valid_from, r.valid_to)})
    sizes = sorted({n for r in own + base for n in (r.min_input, r.max_input)} | {0, NO_LIMIT})
    windows = _windows(own + base)
    vectors: list[RateVector] = []
    for start, end in pairwise(times):
        live = [r for r in own if r.valid_from <= start < r.valid_to]
        if not live:
            continue
        live_base = [r for r in base if r.valid_from <= start < r.valid_to]
        for low, high in pairwise(sizes):
            for weekdays, minute_from, minute_to in windows:
                cell = (low, weekdays, minute_from)
                prices = _resolve(_chosen(live, cell), _chosen(live_base, cell))
                if prices:
                    vectors.append(
                        RateVector(start, end, low, high, weekdays, minute_from, minute_to, prices)
                    )
    return _merge(vectors)


def _windows(rates: Iterable[Rate]) -> list[tuple[int, int, int]]:
    """Cut the week into the fewest (weekdays, from, to) pieces that no rate's window crosses."""
    windowed = [r for r in rates if r.windowed]
    if not windowed:
        return [(ALL_WEEK, 0, DAY_MINUTES)]
    minutes = sorted({m for r in windowed for m in (r.minute_from, r.minute_to)} | {0, DAY_MINUTES})
    masks = {r.weekdays for r in windowed}
    groups: dict[tuple[bool, ...], int] = {}
    for day in range(7):
        key = tuple(bool(mask >> day & 1) for mask in sorted(masks))
        groups[key] = groups.get(key, 0) | 1 << day
    return [(mask, start, end) for mask in groups.values() for start, end in pairwise(minutes)]


def _chosen(rates: Sequence[Rate], cell: tuple[int, int, int]) -> dict[str, Rate]:
    """For each meter the rate that decides in a cell.

    A negotiated price wins over a list price, then the narrower window over the all-week price,
    then the narrower prompt-size condition, then the later start, then the later record: a
    correction beats what it corrects.
    """
    low, weekdays, minute = cell
    best: dict[str, Rate] = {}
    for rate in rates:
        if not (rate.min_input <= low < rate.max_input):
            continue
        if not (rate.weekdays & weekdays and rate.minute_from <= minute < rate.minute_to):
            continue
        rival = best.get(rate.meter)
        if rival is None or _rank(rate) > _rank(rival):
            best[rate.meter] = rate
    return best


def _rank(rate: Rate) -> tuple[bool, bool, int, datetime, datetime]:
    return (
        rate.negotiated,
        rate.windowed,
        rate.min_input - min(rate.max_input, NO_LIMIT),
        rate.valid_from,
        rate.recorded_at,
    )


def _resolve(own: dict[str, Rate], base: dict[str, Rate]) -> dict[str, MeterPrice]:
    """Give every meter its price: its own, the standard tier's own, or its parent's."""
    if not own:
        return {}
    out: dict[str, MeterPrice] = {}
    lifetimes_differ = any(
        name in own and own[name].price != own["cache_write_unknown"].price
        for name in METERS
        if name.startswith("cache_write_") and "cache_write_unknown" in own
    )
    # A plain write price is that of the seller's default lifetime: 5 minutes where an hour is
    # priced apart (Anthropic), else the 30 minutes that OpenAI's guide names as the only value.
    default_lifetime = "cache_write_5m" if "cache_write_1h" in own else "cache_write_30m"
    for name, meter in METERS.items():
        rate = own.get(name)
        if rate is not None:
            guess = rate.assumed or (name == "cache_write_unknown" and lifetimes_differ)
            out[name] = MeterPrice(rate.price, rate.rate_id, assumed=guess)
            continue
        inherited = base.get(name)
        # Only what a tier leaves unsaid: a base meter's own price, never its parent's.
        if inherited is not None and meter.parent != "output_text":
            out[name] = MeterPrice(inherited.price, inherited.rate_id, via="standard tier")
            continue
        if name == "request":
            continue
        parent = out.get(meter.parent) if meter.parent else None
        if parent is not None:
            guess = parent.assumed
            if meter.parent == "cache_write_unknown" and parent.via == "":
                guess = own["cache_write_unknown"].assumed or name != default_lifetime
            via = parent.via or meter.parent or ""
            out[name] = MeterPrice(parent.price, parent.rate_id, via=via, assumed=guess)
    return out


def _merge(vectors: list[RateVector]) -> list[RateVector]:
    """Join neighbours in time, then in prompt size, whose prices are the same."""
    for key, join in ((_time_key, _join_time), (_size_key, _join_size)):
        vectors = sorted(vectors, key=key)
        merged: list[RateVector] = []
        for vector in vectors:
            last = merged[-1] if merged else None
            joined = join(last, vector) if last is not None else None
            if joined is not None:
                merged[-1] = joined
            else:
                merged.append(vector)
        vectors = merged
    return sorted(vectors, key=lambda v: (v.valid_from, v.min_input, v.weekdays, v.minute_from))


def _time_key(v: RateVector) -> tuple[object, ...]:
    return (v.min_input, v.max_input, v.weekdays, v.minute_from, v.minute_to, v.valid_from)


def _size_key(v: RateVector) -> tuple[object, ...]:
    return (v.valid_from, v.valid_to, v.weekdays, v.minute_from, v.minute_to, v.min_input)


def _join_time(a: RateVector, b: RateVector) -> RateVector | None:
    same = _time_key(a)[:-1] == _time_key(b)[:-1] and a.prices == b.prices
    if not same or a.valid_to != b.valid_from:
        return None
    return RateVector(
        a.valid_from, b.valid_to, a.min_input, a.max_input,
        a.weekdays, a.minute_from, a.minute_to, a.prices,
    )  # fmt: skip


def _join_size(a: RateVector, b: RateVector) -> RateVector | None:
    same = _size_key(a)[:-1] == _size_key(b)[:-1] and a.prices == b.prices
    if not same or a.max_input != b.min_input:
        return None
    return RateVector(
        a.valid_from, a.valid_to, a.min_input, b.max_input,
        a.weekdays, a.minute_from, a.minute_to, a.prices,
    )  # fmt: skip


def utc_hour(value: date | datetime, where: str) -> datetime:
    """A validity boundary as a naive UTC datetime on a whole hour.

    Whole hours keep hourly sums exact: no bucket ever holds tokens of two prices. Raises
    `ValueError` naming `where` otherwise.
    """
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    if value != value.replace(minute=0, second=0, microsecond=0):
        raise ValueError(f"{where}: {value.isoformat()} is not on a whole UTC hour")
    return value


def close_open_ends(rates: Iterable[Rate]) -> list[Rate]:
    """End each open-ended rate where the next one of the same meter and condition begins.

    Keeps one claim one row: the row says until when it held, and two rows never overlap.
    """
    groups: dict[tuple[object, ...], list[Rate]] = {}
    for r in rates:
        key = (
            r.seller, r.variant, r.meter, r.tier, r.region, r.in_force,
            r.min_input, r.max_input, r.weekdays, r.minute_from, r.minute_to,
        )  # fmt: skip
        groups.setdefault(key, []).append(r)
    out: list[Rate] = []
    for group in groups.values():
        group.sort(key=lambda r: (r.valid_from, r.recorded_at))
        for rate, following in zip(group, [*group[1:], None], strict=True):
            if (
                following is not None
                and rate.in_force
                and rate.valid_to == FOREVER
                and following.valid_from > rate.valid_from
            ):
                rate = replace(rate, valid_to=following.valid_from, rate_id="")  # noqa: PLW2901
            out.append(rate)
    return out
