"""Daily volume of leaves: what a forecast starts from, and what anomalies are looked for in.

A leaf is (the dimensions asked for) x (card that prices it) x meter. Days are the reader's own;
days without traffic are zeros; tokens and pico-dollars are exact. The price bands a leaf's tokens
fell into (prompt sizes, hours of the day) are kept as shares of the last four weeks, so that coming
days can be priced by the same mix.

    seen = volumes(con, ["team", "variant"], Scope(zone="Europe/Berlin"), until=date(2026, 3, 20))
    seen.units[leaf]        # (days,) whole tokens, oldest first
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from dashboards.queries.lines import line_query
from dashboards.queries.scope import Scope, show_value, zone_info
from ingest.store.schema import routed_from
from pricing.catalogue import CardKey

if TYPE_CHECKING:
    import duckdb

MIX_DAYS = 28


class Leaf(NamedTuple):
    """The finest series: dimension values, the card that prices it (None: unpriced), the meter."""

    keys: tuple[str, ...]
    card: CardKey | None
    meter: str


class Band(NamedTuple):
    """Which of a card's prices: prompt size from, weekday mask, minute of the day from."""

    min_input: int
    weekdays: int
    minute_from: int


@dataclass(frozen=True, slots=True)
class Volumes:
    """Daily series of every leaf over `days`, oldest first, the same days for all."""

    by: tuple[str, ...]
    days: tuple[date, ...]
    units: dict[Leaf, list[int]]
    """Units (tokens, searches…) a day."""
    cost: dict[Leaf, list[int]]
    """Pico-dollars a day of the priced units."""
    unpriced: dict[Leaf, int]
    """Units without a price, where there are any."""
    bands: dict[Leaf, dict[Band, int]]
    """Units of the last four weeks by price band."""

    def position(self, name: str) -> int:
        """Where a dimension stands in a leaf's keys. Raises ValueError."""
        return self.by.index(name)


def first_and_last(
    con: duckdb.DuckDBPyConnection, scope: Scope
) -> tuple[datetime, datetime] | None:
    """Local times of the oldest and the newest call in a scope; None without any."""
    where, values = scope.clause()
    low, high = con.execute(
        f"SELECT min(u.occurred_at), max(u.occurred_at) FROM {routed_from()} WHERE {where}",
        values,
    ).fetchall()[0]
    if low is None:
        return None
    zone = zone_info(scope.zone)
    first, last = (t.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) for t in (low, high))
    return first, last


def volumes(
    con: duckdb.DuckDBPyConnection,
    by: Sequence[str],
    scope: Scope,
    *,
    since: date,
    until: date,
) -> Volumes:
    """Daily series of a scope's leaves from `since` up to, not including, `until` (local days).

    Raises `ScopeError` for an unknown dimension.
    """
    span = replace(scope, since=_midnight(since), until=_midnight(until))
    query, values = line_query(con, ["day", *by], span)
    keys = ", ".join(f"l.k{n}" for n in range(len(by) + 1))
    rows = con.execute(
        f"SELECT {keys}, k.seller, k.variant, k.tier, k.region, l.meter,"
        " coalesce(v.min_input, 0), coalesce(v.weekdays, 127), coalesce(v.minute_from, 0),"
        " sum(l.quantity), sum(l.quantity * l.price_pico),"
        f" sum(l.quantity) FILTER (l.price_pico IS NULL) FROM ({query}) AS l"
        " LEFT JOIN card_keys AS k ON k.card_id = l.card_id"
        " LEFT JOIN rate_vectors AS v ON v.vector_id = l.vector_id GROUP BY ALL"
        # One order always: which path is dealt to which leaf depends on it.
        " ORDER BY ALL",
        values,
    ).fetchall()
    length = (until - since).days
    units: dict[Leaf, list[int]] = {}
    cost: dict[Leaf, list[int]] = {}
    unpriced: dict[Leaf, int] = defaultdict(int)
    bands: dict[Leaf, dict[Band, int]] = defaultdict(lambda: defaultdict(int))
    at = len(by) + 1
    for row in rows:
        card = None if row[at] is None else CardKey(*row[at : at + 4])
        keys_shown = tuple(show_value(k, n) for k, n in zip(row[1:at], by, strict=True))
        leaf = Leaf(keys_shown, card, row[at + 4])
        band = Band(*row[at + 5 : at + 8])
        quantity, money, missing = row[at + 8 : at + 11]
        day = (row[0].date() - since).days
        if leaf not in units:
            units[leaf], cost[leaf] = [0] * length, [0] * length
        units[leaf][day] += int(quantity)
        cost[leaf][day] += int(money or 0)
        if missing:
            unpriced[leaf] += int(missing)
        if day >= length - MIX_DAYS:
            bands[leaf][band] += int(quantity)
        else:
            bands[leaf].setdefault(band, 0)
    days = tuple(since + timedelta(days=n) for n in range(length))
    return Volumes(
        tuple(by), days, units, cost, dict(unpriced), {k: dict(v) for k, v in bands.items()}
    )


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)
