"""Single calls: how their cost is spread, a page of them, and the lines of one.

spread = distribution(con, Scope())
spread.quantiles_pico[0.5]            # the cost half of the calls stay below, exact
calls = calls_page(con, Scope(), page=2)
call_lines(con, calls[0]["call_key"])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dashboards.queries.scope import Scope, ScopeError
from ingest.store.schema import routed_from

if TYPE_CHECKING:
    import duckdb

QUANTILES = (0.5, 0.9, 0.99, 1.0)
BINS_A_DECADE = 6


@dataclass(frozen=True, slots=True)
class Bin:
    """Calls whose cost is at least `low_pico` and below `high_pico`."""

    low_pico: int
    high_pico: int
    calls: int
    cost_pico: int


@dataclass(frozen=True, slots=True)
class Distribution:
    """Cost per call. Rows that stand for several requests (aggregates) are in none of it."""

    bins: tuple[Bin, ...]
    quantiles_pico: dict[float, int]
    priced_calls: int
    free_calls: int
    unpriced_calls: int
    total_pico: int


def distribution(con: duckdb.DuckDBPyConnection, scope: Scope | None = None) -> Distribution:
    """How the cost of single calls is spread: bins of equal width on a log scale.

    Quantiles are costs of actual calls (the discrete quantile), so they are exact.
    """
    where, bound = (scope or Scope()).clause()
    inner = (
        f"SELECT u.cost_pico AS c, u.severity = 3 AS unpriced FROM {routed_from()}"
        f" WHERE {where} AND u.requests = 1"
    )
    levels = ", ".join(str(q) for q in QUANTILES)
    summary = con.execute(
        f"SELECT quantile_disc(c, [{levels}]) FILTER (NOT unpriced),"
        " count(*) FILTER (NOT unpriced), count(*) FILTER (NOT unpriced AND c = 0),"
        f" count(*) FILTER (unpriced), coalesce(sum(c) FILTER (NOT unpriced), 0) FROM ({inner})",
        bound,
    ).fetchall()[0]
    rows = con.execute(
        f"SELECT floor(log10(c) * {BINS_A_DECADE})::INTEGER AS bin, count(*), sum(c)"
        f" FROM ({inner}) WHERE NOT unpriced AND c > 0 GROUP BY 1 ORDER BY 1",
        bound,
    ).fetchall()
    bins = tuple(Bin(_edge(n), _edge(n + 1), count, int(cost)) for n, count, cost in rows)
    found = summary[0] or ()
    return Distribution(
        bins,
        {q: int(v) for q, v in zip(QUANTILES, found, strict=False)},
        summary[1],
        summary[2],
        summary[3],
        int(summary[4]),
    )


def _edge(number: int) -> int:
    return round(10 ** (number / BINS_A_DECADE))


ORDERS = {
    "cost": "cost_pico DESC NULLS LAST, occurred_at, call_key",
    "newest": "occurred_at DESC, call_key",
    "oldest": "occurred_at, call_key",
    "tokens": "input_total + output_total DESC, occurred_at, call_key",
}
"""How a page of calls may be ordered; every order is total, so pages neither overlap nor miss."""

_CALL_COLUMNS = (
    "occurred_at", "provider", "seller", "model", "variant", "tier", "team", "project", "feature",
    "customer", "environment", "session", "requests", "input_total", "cached", "output_total",
    "reasoning", "cost_pico", "status", "status_reason", "failed", "latency_ms", "call_key",
)  # fmt: skip


def calls_page(
    con: duckdb.DuckDBPyConnection,
    scope: Scope | None = None,
    *,
    page: int = 1,
    size: int = 50,
    order: str = "cost",
) -> list[dict[str, Any]]:
    """One page of calls (from 1). `cost_pico` is None for an unpriced call; instants are UTC.

    Raises `ScopeError` for an unknown order.
    """
    if order not in ORDERS:
        raise ScopeError(f"unknown order {order!r}; known: {', '.join(ORDERS)}")
    where, bound = (scope or Scope()).clause()
    # The page's keys are found first, so that reasons and maps are built for these calls alone.
    rows = con.execute(
        f"SELECT {', '.join(_CALL_COLUMNS)} FROM (SELECT c.*, cache_read + coalesce("
        "cache_read_audio, 0) + coalesce(cache_read_image, 0) + coalesce(cache_read_video, 0)"
        " AS cached FROM calls AS c WHERE c.call_key IN (SELECT call_key FROM"
        f" (SELECT u.call_key, u.occurred_at, u.input_total, u.output_total, u.cost_pico"
        f" FROM {routed_from()} WHERE {where} ORDER BY {ORDERS[order]}"
        f" LIMIT ? OFFSET ?))) ORDER BY {ORDERS[order]}",
        [*bound, size, (max(page, 1) - 1) * size],
    ).fetchall()
    return [dict(zip(_CALL_COLUMNS, row, strict=True)) for row in rows]


def call_count(con: duckdb.DuckDBPyConnection, scope: Scope | None = None) -> int:
    """How many rows a scope has: what pages are counted by."""
    where, bound = (scope or Scope()).clause()
    joined = routed_from() if "r." in where else "calls_stored AS u"
    return con.execute(f"SELECT count(*) FROM {joined} WHERE {where}", bound).fetchall()[0][0]


def call_lines(con: duckdb.DuckDBPyConnection, call_key: str) -> list[dict[str, Any]]:
    """The lines a call is billed by: meter, quantity, unit price, cost, status and rate."""
    names: Sequence[str] = (
        "meter", "quantity", "price_pico", "cost_pico", "status", "rate_id", "via", "source",
    )  # fmt: skip
    rows = con.execute(
        "SELECT c.meter, c.quantity, c.price_pico, c.cost_pico, c.status, c.rate_id, c.via,"
        " (SELECT any_value(x.source) FROM rates_stored AS x WHERE x.rate_id = c.rate_id)"
        " FROM costs AS c WHERE c.call_key = ?",
        [call_key],
    ).fetchall()
    return [dict(zip(names, row, strict=True)) for row in rows]
