"""The estimator as SQL: the same rule as `pricing.estimator`, over millions of calls at once.

A call joins its *route* (which card), the route's card joins the *vector* in force at the call's
instant and prompt size, and the cost is the dot product of counts and prices in whole
pico-dollars. Routes and vectors are small tables made by the scalar code; only the range join and
the sum are SQL. The builders here return text made of our own column names; values are bound.

    cost = input_uncached * p_input_uncached + cache_read * p_cache_read + …
    on   v.valid_from <= occurred_at < v.valid_to and v.min_input <= input_total < v.max_input

A NULL price is "unpriced": such a call keeps the cost of its priced meters and the status says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from pricing.catalogue import CardKey, Catalogue
from pricing.meters import CACHE_READ, CACHE_WRITE, COUNTED, METERS
from pricing.rates import ALL_WEEK, DAY_MINUTES, RateVector

PRICED: tuple[str, ...] = tuple(METERS)
"""Meters that have a price column `p_<meter>` in a vector table."""

STATUSES: tuple[str, ...] = ("exact", "assumed", "fallback", "unpriced")
"""Statuses by severity: the position is what SQL compares."""

_BIT = {name: 1 << position for position, name in enumerate(PRICED)}

VECTOR_COLUMNS: tuple[tuple[str, str], ...] = (
    ("vector_id", "INTEGER"),
    ("card_id", "INTEGER"),
    ("valid_from", "TIMESTAMP"),
    ("valid_to", "TIMESTAMP"),
    ("min_input", "BIGINT"),
    ("max_input", "BIGINT"),
    ("weekdays", "SMALLINT"),
    ("minute_from", "SMALLINT"),
    ("minute_to", "SMALLINT"),
    ("all_week", "BOOLEAN"),
    ("assumed_meters", "BIGINT"),
    ("unpriced_meters", "BIGINT"),
    *((f"p_{name}", "BIGINT") for name in PRICED),
)

VECTOR_RATE_COLUMNS: tuple[tuple[str, str], ...] = (
    ("vector_id", "INTEGER"),
    ("meter", "VARCHAR"),
    ("rate_id", "VARCHAR"),
    ("via", "VARCHAR"),
)


def meter_bit(meter: str) -> int:
    """A meter's bit in `kinds`, `assumed_meters` and `unpriced_meters`."""
    return _BIT[meter]


def quantity(meter: str) -> str:
    """The column that counts a meter; a fee per call counts calls."""
    return "requests" if meter == "request" else meter


def vector_rows(
    catalogue: Catalogue,
    cards: Iterable[tuple[int, CardKey]],
    *,
    known_at: datetime | None = None,
    list_prices: bool = False,
    first_id: int = 1,
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Rows for a vector table and its rate-id table, for the given (card_id, card) pairs."""
    vectors: list[tuple[Any, ...]] = []
    rates: list[tuple[Any, ...]] = []
    number = first_id
    for card_id, card in cards:
        for v in catalogue.vectors(card, known_at=known_at, list_prices=list_prices):
            vectors.append(vector_row(number, card_id, v))
            rates += [(number, m, p.rate_id, p.via) for m, p in v.prices.items()]
            number += 1
    return vectors, rates


def vector_row(vector_id: int, card_id: int, v: RateVector) -> tuple[Any, ...]:
    """One vector as a row of `VECTOR_COLUMNS`."""
    window = (v.weekdays, v.minute_from, v.minute_to)
    assumed = sum(_BIT[m] for m, p in v.prices.items() if m in _BIT and p.assumed)
    return (
        vector_id, card_id, v.valid_from, v.valid_to, v.min_input, v.max_input, *window,
        window == (ALL_WEEK, 0, DAY_MINUTES), assumed, unpriced_mask(v),
        *(v.price(name) for name in PRICED),
    )  # fmt: skip


def unpriced_mask(v: RateVector) -> int:
    """The counted meters that a vector has no price for, as a mask like `kinds`."""
    return sum(_BIT[m] for m in COUNTED if v.price(m) is None)


def create_table(name: str, columns: Sequence[tuple[str, str]], *, temporary: bool = False) -> str:
    """DDL for a table of the given columns."""
    body = ", ".join(f"{column} {kind}" for column, kind in columns)
    return f"CREATE OR REPLACE {'TEMPORARY ' if temporary else ''}TABLE {name} ({body})"


def join_condition(
    vector: str = "v", usage: str = "u", card: str = "r.card_id", at: str = ""
) -> str:
    """When a vector prices a call. `at` replaces the call's instant (repricing at another date)."""
    when = at or f"{usage}.occurred_at"
    window = (
        f"({vector}.weekdays >> (isodow({when}) - 1)) & 1 = 1"
        f" AND hour({when}) * 60 + minute({when}) >= {vector}.minute_from"
        f" AND hour({when}) * 60 + minute({when}) < {vector}.minute_to"
    )
    return (
        f"{vector}.card_id = {card}"
        f" AND {vector}.valid_from <= {when} AND {when} < {vector}.valid_to"
        f" AND {vector}.min_input <= {usage}.input_total"
        f" AND {usage}.input_total < {vector}.max_input"
        f" AND ({vector}.all_week OR ({window}))"
    )


def cost_pico(vector: str = "v", usage: str = "u", meters: Sequence[str] = PRICED) -> str:
    """The cost of a call in pico-dollars: NULL when nothing of it could be priced.

    BIGINT throughout: a product or sum that does not fit raises instead of wrapping. `meters` may
    leave out those that no stored call counts (`used_meters`): their terms are all zero.
    """
    terms = " + ".join(f"coalesce({usage}.{quantity(m)} * {vector}.p_{m}, 0)" for m in meters)
    return (
        f"CASE WHEN {vector}.card_id IS NULL OR NOT {counted(usage)} THEN NULL"
        f" WHEN {missing(vector, usage)} AND NOT ({any_priced(vector, usage)}) THEN NULL"
        f" ELSE {terms} END"
    )


def cache_savings(
    vector: str = "v", usage: str = "u", meters: Sequence[str] = (*CACHE_READ, *CACHE_WRITE)
) -> str:
    """What the cache saved on a call in pico-dollars: reads at their discount, less the premium
    of writes over plain input. A meter without a price adds nothing; without a vector it is 0."""
    terms = [
        f"coalesce({usage}.{m} * ({vector}.p_{_uncached(m)} - {vector}.p_{m}), 0)"
        for m in (*CACHE_READ, *CACHE_WRITE)
        if m in meters
    ]
    return " + ".join(terms) or "0"


def _uncached(meter: str) -> str:
    """The meter a cached token would have been without a cache."""
    kind = METERS[meter].modality
    return "input_uncached" if kind == "text" else f"input_{kind}"


def kinds(usage: str = "u", meters: Sequence[str] = COUNTED) -> str:
    """Which meters a record counts, as a bit mask; -1 when it states no count at all.

    Stored with each call, so that "has it a meter without a price?" is one AND of two integers.
    `meters` may leave out those that no record states.
    """
    if not meters:
        return "-1"
    bits = " | ".join(
        f"CASE WHEN coalesce({usage}.{m}, 0) > 0 THEN {_BIT[m]} ELSE 0 END" for m in meters
    )
    stated = f"coalesce({', '.join(f'{usage}.{m}' for m in meters)}) IS NULL"
    return f"CASE WHEN {stated} THEN -1 ELSE {bits} END"


def used_meters(mask: int, fee: bool) -> tuple[str, ...]:
    """The meters of a mask of `kinds` (all of a store's, OR-ed), with the fee per call if any."""
    used = tuple(m for m in COUNTED if mask & _BIT[m])
    return (*used, "request") if fee or not used else used


def counted(usage: str = "u") -> str:
    """Whether a record states any count at all; without one there is nothing to price."""
    return f"({usage}.kinds >= 0)"


def missing(vector: str = "v", usage: str = "u") -> str:
    """Whether a counted meter has no price."""
    return f"({vector}.unpriced_meters & {usage}.kinds <> 0)"


def any_priced(vector: str = "v", usage: str = "u") -> str:
    """Whether a counted meter, or a fee per call, has a price."""
    return f"({usage}.kinds & ~{vector}.unpriced_meters <> 0 OR {vector}.p_request IS NOT NULL)"


def severity(vector: str = "v", usage: str = "u", route: str = "r") -> str:
    """A call's status as its position in `STATUSES`: the worst of route, meters and time."""
    return (
        f"CASE WHEN {vector}.card_id IS NULL OR NOT {counted(usage)}"
        f" OR {missing(vector, usage)} THEN 3"
        f" WHEN {usage}.time_assumed"
        f" OR {vector}.assumed_meters & ({usage}.kinds | {_BIT['request']}) <> 0"
        f" THEN greatest({route}.severity, 1) ELSE {route}.severity END"
    )


def status_name(position: str) -> str:
    """The status text of a severity expression."""
    return f"['{STATUSES[0]}', '{STATUSES[1]}', '{STATUSES[2]}', '{STATUSES[3]}'][{position} + 1]"


def usd(pico: str) -> str:
    """Pico-dollars as an exact DECIMAL in USD with twelve decimals."""
    return f"{pico} * 0.000000000001::DECIMAL(12,12)"


def sum_usd(pico: str) -> str:
    """A sum of pico-dollars as an exact DECIMAL in USD (a bare sum of BIGINT is a HUGEINT)."""
    return usd(f"sum({pico})::DECIMAL(26,0)")


def line_structs(vector: str = "v", usage: str = "u") -> str:
    """A list of (meter, quantity, price) structs of a call's nonzero meters, to be unnested."""

    def structs() -> Iterator[str]:
        for m in PRICED:
            yield (
                f"{{'meter': '{m}', 'quantity': {usage}.{quantity(m)},"
                f" 'price_pico': {vector}.p_{m}, 'assumed': {usage}.time_assumed"
                f" OR coalesce({vector}.assumed_meters & {_BIT[m]} <> 0, false)}}"
            )

    # A fee per call that no seller states is no gap; every other uncovered count is.
    return (
        f"list_filter([{', '.join(structs())}], lambda x: coalesce(x.quantity, 0) > 0 AND"
        f" (x.meter <> 'request' OR x.price_pico IS NOT NULL AND {counted(usage)}))"
    )
