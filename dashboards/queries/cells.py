"""Cells: traffic summed so far that every price is still linear in the sums.

A price changes with the instant, the prompt size, the hour of the week, and with which meters a
call counts at all (one of them may have no price). Calls on the same side of all those edges cost
the same whether they are priced one by one or as one sum, to the pico-dollar. So one pass over a
million calls makes a few hundred cells, and every further rate card costs only those cells.

    make_cells(con, "cells", catalogue_vectors, where, values)
    # SELECT … FROM cells AS u JOIN routes AS r … LEFT JOIN rate_vectors AS v …

Only edges inside the stored traffic's own range count: a price that changed before the first call
or only above the largest prompt splits nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ingest.store.rollup import is_cell_book
from ingest.store.schema import routed_from
from pricing import sql
from pricing.meters import COUNTED
from pricing.rates import ALL_WEEK, DAY_MINUTES, NO_LIMIT, RateVector

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Edges:
    """Where prices change: sorted instants, prompt sizes and minutes of the day; whether the day
    of the week matters; and the meters that some card leaves unpriced, as a mask of `kinds`."""

    times: tuple[datetime, ...]
    sizes: tuple[int, ...]
    minutes: tuple[int, ...]
    weekdays: bool
    unpriced: int


@dataclass(frozen=True, slots=True)
class Extent:
    """The range of the stored traffic: first and last instant, largest prompt, and the meters it
    counts (mask, and whether some call counts none)."""

    first: datetime | None
    last: datetime | None
    largest: int
    kinds: int
    uncounted: bool
    fee: bool
    single: bool = False
    """Whether every record is one request."""

    @property
    def meters(self) -> tuple[str, ...]:
        """The meters a sum over the traffic has to look at."""
        return sql.used_meters(self.kinds, self.fee)


def extent(con: duckdb.DuckDBPyConnection) -> Extent:
    """The extent of everything stored; most of it stands in zone maps and needs no scan."""
    first, last, largest, kinds, fewest, most = con.execute(
        "SELECT min(occurred_at), max(occurred_at), max(input_total), min(kinds), min(requests),"
        " max(requests) FROM calls_stored"
    ).fetchall()[0]
    # Every mask that was ever stored is noted beside the calls; a lake's cells have no such notes.
    masks = "calls_stored WHERE kinds >= 0" if is_cell_book(con) else "kinds_seen"
    mask, fee = con.execute(
        f"SELECT coalesce((SELECT bit_or(kinds) FROM {masks}), 0),"
        " (SELECT count(p_request) > 0 FROM rate_vectors)"
    ).fetchall()[0]
    uncounted = kinds is not None and kinds < 0
    return Extent(first, last, largest or 0, mask, uncounted, fee, fewest == most == 1)


def edges_of(
    con: duckdb.DuckDBPyConnection,
    vectors: Iterable[RateVector],
    reach: Extent,
    tables: Sequence[str] = ("rate_vectors",),
) -> Edges:
    """The edges, inside the traffic's extent, of the store's own vectors and of others."""
    conditions: set[tuple[Any, ...]] = set()
    for table in tables:
        conditions |= set(
            con.execute(
                "SELECT DISTINCT valid_from, valid_to, min_input, max_input, weekdays,"
                f" minute_from, minute_to, unpriced_meters FROM {table}"
            ).fetchall()
        )
    conditions |= {
        (v.valid_from, v.valid_to, v.min_input, v.max_input, v.weekdays, v.minute_from,
         v.minute_to, sql.unpriced_mask(v))
        for v in vectors
    }  # fmt: skip
    if reach.first is None or reach.last is None:
        return Edges((), (), (), False, 0)
    first, last = reach.first, reach.last
    live = [c for c in conditions if c[0] <= last and c[1] > first]
    unpriced = 0
    for condition in conditions:
        unpriced |= condition[7]
    return Edges(
        tuple(sorted({t for c in live for t in c[:2] if first < t <= last})),
        tuple(sorted({n for c in live for n in c[2:4] if 0 < n <= min(reach.largest, NO_LIMIT)})),
        tuple(sorted({m for c in live for m in c[5:7] if 0 < m < DAY_MINUTES})),
        any(c[4] != ALL_WEEK for c in live),
        unpriced & reach.kinds,
    )


def _position(value: str, edges: Sequence[str]) -> str:
    """Which interval between sorted edges a value is in."""
    if not edges:
        return "0"
    cases = " ".join(f"WHEN {value} < {edge} THEN {n}" for n, edge in enumerate(edges))
    return f"CASE {cases} ELSE {len(edges)} END"


def make_cells(
    con: duckdb.DuckDBPyConnection,
    name: str,
    vectors: Iterable[RateVector],
    where: str,
    values: Sequence[Any],
) -> Extent:
    """Sum the calls of a scope into the temporary table `name`, one pass.

    `vectors` are the cards that will be priced besides the store's own; `where` and `values` are
    a scope's clause over `u` and `r`. A cell has a route, sums of all meters, the instant and
    prompt size of its first call (any of its calls finds the same vectors), and the largest single
    prompt with its answer.
    """
    # Joined only where the scope asks about the route or the price: most do not.
    source = "calls_stored AS u"
    if "r." in where:
        source = routed_from()
    reach = extent(con)
    edges = edges_of(con, vectors, reach)
    clock = "(hour(u.occurred_at) * 60 + minute(u.occurred_at))"
    if edges.unpriced:
        kinds = f"CASE WHEN u.kinds < 0 THEN -1 ELSE u.kinds & {edges.unpriced} END"
    else:
        kinds = "CASE WHEN u.kinds < 0 THEN -1 ELSE 0 END" if reach.uncounted else "0"
    keys = (
        "u.route_id",
        _position("u.occurred_at", [f"TIMESTAMP '{t:%Y-%m-%d %H:%M:%S}'" for t in edges.times]),
        _position("u.input_total", [str(n) for n in edges.sizes]),
        "isodow(u.occurred_at)" if edges.weekdays else "1",
        _position(clock, [str(m) for m in edges.minutes]),
        kinds,
    )
    longest = ("u.input_total + u.output_total", "u.output_total")
    single = "" if reach.single else " FILTER (u.requests = 1)"
    if is_cell_book(con):
        longest, single = ("u.longest", "u.longest_output"), ""
    total, answer = (f"max({value}){single}" for value in longest)
    sums = ", ".join(
        f"sum(u.{m}) AS {m}" if m in reach.meters else f"NULL::HUGEINT AS {m}" for m in COUNTED
    )
    con.execute(
        f"CREATE OR REPLACE TEMPORARY TABLE {name} AS SELECT {keys[0]} AS route_id, {keys[5]}"
        " AS kinds, min(u.occurred_at) AS occurred_at, min(u.input_total) AS input_total,"
        " sum(u.requests) AS requests, sum(u.cost_pico)::HUGEINT AS base_pico,"
        " max(u.severity) AS severity,"
        f" {total} AS longest, {answer} AS longest_output,"
        f" {sums} FROM {source} WHERE {where}"
        f" GROUP BY {', '.join(k for k in keys if not k.isdigit())}",
        list(values),
    )
    return reach
