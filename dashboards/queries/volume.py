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
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dashboards.queries.lines import cell_query
from dashboards.queries.scope import Scope, as_cheap, show_value, zone_info
from ingest.store.schema import routed_from
from pricing.catalogue import CardKey
from pricing.rates import ALL_WEEK

if TYPE_CHECKING:
    import duckdb
    import pyarrow
    from numpy.typing import NDArray

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
    where = as_cheap(con, where)
    source = routed_from() if "r." in where else "calls_stored AS u"
    low, high = con.execute(
        f"SELECT min(u.occurred_at), max(u.occurred_at) FROM {source} WHERE {where}",
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
    length = (until - since).days
    days = tuple(since + timedelta(days=n) for n in range(length))
    query, values, meters = cell_query(con, ["day", *by], span)
    keys = "".join(f", k{n + 1}" for n in range(len(by)))
    sums = "".join(f", q_{m}::BIGINT AS q_{m}" for m in meters)
    cells = con.sql(
        f"SELECT date_diff('day', DATE '{since}', k0::DATE)::INTEGER AS at{keys}, card_id,"
        f" coalesce(vector_id, -1) AS vector_id{sums} FROM ({query})",
        params=values,
    ).to_arrow_table()
    names = [name for name in cells.column_names if name not in ("at", "vector_id")]
    of_leaf, groups = _numbered(cells, [n for n in names if not n.startswith("q_")])
    prices = _prices(con, meters)
    at, vector = cells["at"].to_numpy(), cells["vector_id"].to_numpy()
    cards = {n: CardKey(*card) for n, *card in con.execute("SELECT * FROM card_keys").fetchall()}
    found: list[tuple[int, tuple[Any, ...], Leaf, list[int], list[int], int, dict[Band, int]]] = []
    for meter in meters:
        quantity = cells[f"q_{meter}"].fill_null(0).to_numpy().astype(np.int64)
        held = quantity > 0
        if meter == "request":  # a fee per call: where there is none, nothing was used
            held &= np.isin(vector, [v for v, p in prices.items() if p[1][meter] is not None])
        if not held.any():
            continue
        leaf, index = np.unique(of_leaf[held], return_inverse=True)
        day, units, rate = at[held], quantity[held], vector[held]
        volume = np.zeros((len(leaf), length), dtype=np.int64)
        np.add.at(volume, (index, day), units)
        # Python's own integers: a day's pico-dollars may pass 64 bits.
        money = np.zeros((len(leaf), length), dtype=object)
        missing = np.zeros(len(leaf), dtype=np.int64)
        mixes: list[dict[Band, int]] = [defaultdict(int) for _ in leaf]
        for number in np.unique(rate).tolist():
            band, by_meter = prices[number]
            rows = np.flatnonzero(rate == number)
            price = by_meter[meter]
            here, own = np.unique(index[rows], return_inverse=True)
            part = np.zeros((len(here), length), dtype=np.int64)
            np.add.at(part, (own, day[rows]), units[rows])
            if price is None:
                missing[here] += part.sum(axis=1)
            else:
                money[here] += part.astype(object) * price
            late = part[:, max(length - MIX_DAYS, 0) :].sum(axis=1).tolist()
            for n, count in zip(here.tolist(), late, strict=True):
                mixes[n][band] += count
        first = (volume > 0).argmax(axis=1).tolist()
        present: list[int] = leaf.tolist()
        for n, group in enumerate(present):
            *raw, card_id = groups[group]
            card = cards.get(card_id)
            shown = tuple(show_value(k, name) for k, name in zip(raw, by, strict=True))
            order = (*((k is None, k) for k in (*raw, *(card or (None,) * 4))), meter)
            found.append(
                (first[n], order, Leaf(shown, card, meter), volume[n].tolist(),
                 money[n].tolist(), int(missing[n]), dict(mixes[n]))
            )  # fmt: skip
    # One order always: which path is dealt to which leaf depends on it.
    found.sort(key=lambda f: f[:2])
    together = Volumes(tuple(by), days, {}, {}, {}, {})
    for _, _, leaf, units, cost, missing, mix in found:
        _add(together, leaf, units, cost, missing, mix)
    return together


def _add(
    into: Volumes, leaf: Leaf, units: list[int], cost: list[int], missing: int, mix: dict[Band, int]
) -> None:
    """Add one row: values that read alike (nothing, and the word for it) are one leaf."""
    if leaf in into.units:
        units = [a + b for a, b in zip(into.units[leaf], units, strict=True)]
        cost = [a + b for a, b in zip(into.cost[leaf], cost, strict=True)]
        held = into.bands[leaf]
        mix = {band: held.get(band, 0) + mix.get(band, 0) for band in (*held, *mix)}
    into.units[leaf], into.cost[leaf], into.bands[leaf] = units, cost, mix
    if missing:
        into.unpriced[leaf] = into.unpriced.get(leaf, 0) + missing


def _numbered(
    cells: pyarrow.Table, names: Sequence[str]
) -> tuple[NDArray[np.int64], list[tuple[Any, ...]]]:
    """Each row's group by some columns, as a number, and each group's values."""
    number = np.zeros(cells.num_rows, dtype=np.int64)
    groups: list[tuple[Any, ...]] = [()]
    for name in names:
        column: Any = cells[name]
        encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
        own: list[Any] = encoded.dictionary.to_pylist()
        # Numbered anew at each column: the product of many columns' values need not fit.
        pairs = number * len(own) + encoded.indices.to_numpy()
        seen, number = np.unique(pairs, return_inverse=True)
        groups = [(*groups[p // len(own)], own[p % len(own)]) for p in seen.tolist()]
    return number, groups


def _prices(
    con: duckdb.DuckDBPyConnection, meters: Sequence[str]
) -> dict[int, tuple[Band, dict[str, int | None]]]:
    """Each stored vector's band and prices by meter; -1: no vector, no price."""
    found: dict[int, tuple[Band, dict[str, int | None]]] = {
        -1: (Band(0, ALL_WEEK, 0), dict.fromkeys(meters))
    }
    columns = "".join(f", p_{m}" for m in meters)
    for number, *row in con.execute(
        f"SELECT vector_id, min_input, weekdays, minute_from{columns} FROM rate_vectors"
    ).fetchall():
        found[number] = Band(*row[:3]), dict(zip(meters, row[3:], strict=True))
    return found


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)
